"""``/api/voice/room`` on Daily's stand-in and on this machine: a user's own room, and no other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import Request

from greenroom.api.app import build_app
from greenroom.ports.rooms import FOR_TWO, Party
from greenroom.rooms.daily.shape import AHEAD_S
from greenroom.rooms.daily.tokens import user_id_of
from greenroom.session.model import EndReason, Stage
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused
from tests.conftest import House
from tests.daily.test_sessions import a_call, over

ROOM = "/api/voice/room"


async def opened(web: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await web.post(ROOM, json=body)
    assert answer.status_code == 200, answer.text
    room: dict[str, Any] = answer.json()
    return room


async def closed(web: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await web.request("DELETE", ROOM, json=body)


def at(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


async def test_a_user_gets_the_same_room_each_time_and_a_token_for_it(
    daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    room = await opened(web)
    assert (room["kind"], room["reused"]) == ("daily", False)
    assert room["roomUrl"] == f"https://stand-in.daily.co/{room['roomName']}"
    assert at(room["expiresAt"]) == clock.now() + AHEAD_S
    page = daily.join(room["roomName"], room["token"])
    assert page.user_id == user_id_of(room["roomName"], Party.USER)
    again = await opened(web, assistantName="cards")
    assert (again["roomName"], again["reused"]) == (room["roomName"], True)
    assert not page.present  # a ghost of the page that asks again
    other = await opened(web, assistant="quiz")
    assert other["roomName"] != room["roomName"]
    assert list(daily.book.rooms) == [room["roomName"], other["roomName"]]


async def test_its_token_outlives_the_longest_session_that_may_begin_in_it(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    room = await opened(web)
    page = daily.join(room["roomName"], room["token"])
    clock.advance(AHEAD_S - 1)
    session_id = (await house.sessions.start(await owner(house, web), None)).session.id
    session = await house.session(session_id)
    longest_s = session.limits.join_s + session.limits.max_duration_s + session.limits.ending_s
    for _ in range(10):
        await house.parts.rooms.keep({session.room: FOR_TWO})
        clock.advance(longest_s / 10)
        daily.settle()
    assert page.present


async def owner(house: House, web: httpx.AsyncClient) -> str:
    """Whose cookie it is."""
    cookie = f"greenroom_visitor={web.cookies['greenroom_visitor']}".encode()
    asking = await house.parts.identity.known(
        Request({"type": "http", "headers": [(b"cookie", cookie)]})
    )
    assert asking is not None
    return asking.user_id


async def test_a_room_that_nobody_talks_in_empties_itself(
    daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    room = await opened(web)
    page = daily.join(room["roomName"], room["token"])
    clock.advance(AHEAD_S)
    daily.settle()
    assert not page.present


@pytest.mark.usefixtures("webhook")
async def test_where_a_session_goes_on_the_room_is_its_own(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    session, user, bot = await a_call(house, daily, web)
    room = await opened(web)
    assert (room["roomName"], room["reused"]) == (session.room, True)
    page = daily.join(session.room, room["token"])
    assert (user.present, page.present, bot.present) == (False, True, True)


@pytest.mark.usefixtures("webhook")
async def test_closing_ends_what_goes_on_and_empties_the_room(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    session, user, bot = await a_call(house, daily, web)
    url = house.parts.rooms.describe(session.room).url
    later = await closed(web, roomUrl=url, teardownDelay=300)
    assert (later.status_code, later.json()) == (200, {"success": True})
    assert (await house.session(session.id)).stage is Stage.ACTIVE
    assert bot.present
    assert (await closed(web, roomUrl=url)).json() == {"success": True}
    ended = await house.session(session.id)
    assert (ended.stage, ended.reason) == (Stage.ENDING, EndReason.USER)
    assert (await closed(web, roomUrl=url)).json() == {"success": True}
    await over(house, session)
    await house.until_true(lambda: not user.present and not bot.present)
    assert ("DELETE", f"/rooms/{session.room}") not in daily.asked
    assert (await closed(web)).status_code == 200


async def test_closing_a_room_without_a_session_puts_its_user_out(
    daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    room = await opened(web)
    page = daily.join(room["roomName"], room["token"])
    for _ in range(2):
        assert (await closed(web, roomUrl=room["roomUrl"])).status_code == 200
        daily.settle()
        assert not page.present
    with pytest.raises(JoinRefused, match="expired"):
        daily.join(room["roomName"], room["token"])
    back = await opened(web)
    assert daily.join(back["roomName"], back["token"]).present


async def test_nobody_closes_another_users_room_nor_one_elsewhere(
    daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    """FAILURES 25."""
    theirs = await opened(web)
    page = daily.join(theirs["roomName"], theirs["token"])
    web.cookies.clear()
    mine = await opened(web)
    for url in (
        theirs["roomUrl"],
        theirs["roomName"],
        mine["roomUrl"].replace("stand-in", "evil"),
        f"https://evil.example/{mine['roomName']}",
        "https://[",
    ):
        answer = await closed(web, roomUrl=url)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_room")
    assert page.present


async def test_who_is_not_signed_in_and_pages_of_elsewhere_get_none(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    foreign = await web.post(ROOM, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
    bad = await web.post(ROOM, headers={"Authorization": "Bearer nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (401, "unauthorized")
    assert (await web.post(ROOM, json={"assistant": "nobody"})).json()["code"] == "not_found"
    await house.emergency.stop("fire")
    halted = await web.post(ROOM)
    assert (halted.status_code, halted.json()["code"]) == (503, "halted")
    assert daily.book.rooms == {}


async def test_a_daily_that_is_away_is_told_with_a_code(
    daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    daily.faults.order(Fault(429, times=None, until=clock.now() + 60))
    answer = await web.post(ROOM)
    assert (answer.status_code, answer.json()["code"]) == (503, "rooms_unavailable")
    assert answer.headers["Retry-After"] == "60"


class TestOnThisMachine:
    """Rooms without an address: a name, and how to get in."""

    @pytest.fixture
    def rooms(self) -> None:
        return None

    async def test_the_room_has_a_name_and_no_address(self, house: House) -> None:
        transport = httpx.ASGITransport(build_app(house.parts), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as web:
            room = await opened(web)
            assert (room["kind"], room["roomUrl"], room["token"]) == ("local", None, None)
            assert room["expiresAt"] is None
            assert room["roomName"].startswith("voice-guest-")
            session_id = (await web.post("/api/voice/session", json={})).json()["session"]
            assert session_id["room"]["name"] == room["roomName"]
            assert (await closed(web, roomUrl=room["roomName"])).json() == {"success": True}
            ended = await house.session(session_id["sessionId"])
            assert ended.reason is EndReason.USER
