"""The stand-in's door for pages: what the double of daily-js does, by the rooms' rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn
from greenroom.testing.daily.shapes import CreateRoom, RoomProperties, TokenProperties
from greenroom.testing.daily.tokens import signed

ROOM = "/people/team"


@pytest.fixture
async def page(daily: DailyStandIn) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(daily.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://daily") as client:
        yield client


def a_room(daily: DailyStandIn, **properties: Any) -> None:
    wish = CreateRoom(name="team", privacy="private", properties=RoomProperties(**properties))
    daily.book.create(wish)


def a_token(daily: DailyStandIn, **properties: Any) -> str:
    wish = TokenProperties(room_name="team", **properties)
    return signed(wish, key=daily.api_key, domain_id=daily.domain_id, now=daily.now())


async def test_people_come_in_talk_and_go(daily: DailyStandIn, page: httpx.AsyncClient) -> None:
    a_room(daily)
    bob = daily.join("team", a_token(daily, user_id="bob"), user_name="Bob")
    joined = await page.post(ROOM, json={"token": a_token(daily, user_id="ada", user_name="Ada")})
    me = joined.json()["me"]
    assert (me["userId"], me["userName"]) == ("ada", "Ada")
    seen_of_bob = {"id": bob.id, "userId": "bob", "userName": "Bob"}
    assert joined.json()["others"] == [seen_of_bob]

    said = await page.post(f"{ROOM}/{me['id']}/say", json={"data": {"hello": 1}})
    assert said.status_code == 200
    assert (bob.inbox, bob.senders) == ([{"hello": 1}], [me["id"]])
    daily.say(bob, {"hello": 2})
    daily.say(bob, {"hello": 3})
    looked = (await page.get(f"{ROOM}/{me['id']}", params={"heard": 1})).json()
    news = [{"data": {"hello": 3}, "fromId": bob.id}]
    assert looked == {"others": [seen_of_bob], "messages": news, "out": None}

    too_large = await page.post(f"{ROOM}/{me['id']}/say", json={"data": {"text": "x" * 4096}})
    assert too_large.status_code == 400
    to_nobody = await page.post(f"{ROOM}/{me['id']}/say", json={"data": {}, "to": "nobody"})
    assert to_nobody.status_code == 400
    await page.delete(f"{ROOM}/{me['id']}")
    assert [one.id for one in daily.book.get("team").present()] == [bob.id]
    assert daily.asked == [], "nothing of it is a request to Daily's API"


async def test_who_may_not_come_in_is_told_so_in_daily_js_words(
    daily: DailyStandIn, page: httpx.AsyncClient, clock: FakeClock
) -> None:
    async def why(**wish: Any) -> str:
        answer = await page.post(ROOM, json=wish)
        assert answer.status_code == 403
        return str(answer.json()["why"])

    assert await why() == "no-room"
    a_room(daily, max_participants=1, exp=int(clock.now()) + 60)
    assert await why() == "not-allowed"
    assert await why(token="forged") == "not-allowed"
    daily.join("team", a_token(daily))
    assert await why(token=a_token(daily)) == "meeting-full"
    clock.advance(61)
    assert await why(token=a_token(daily)) == "exp-room"


@pytest.mark.parametrize("why", ["ejected", "exp-token", "exp-room", "no-room"])
async def test_whoever_is_put_out_is_told_why(
    daily: DailyStandIn, page: httpx.AsyncClient, clock: FakeClock, why: str
) -> None:
    exp = int(clock.now()) + 60
    room = {"exp": exp, "eject_at_room_exp": True} if why == "exp-room" else {}
    a_room(daily, **room)
    token = {"exp": exp, "eject_at_token_exp": True} if why == "exp-token" else {}
    joined = await page.post(ROOM, json={"token": a_token(daily, user_id="ada", **token)})
    me = joined.json()["me"]["id"]
    if why == "ejected":
        daily.eject("team", [me], [], ban=False)
    elif why == "no-room":
        daily.delete("team")
    else:
        clock.advance(61)
    assert (await page.get(f"{ROOM}/{me}")).json()["out"] == why
    assert (await page.post(f"{ROOM}/{me}/say", json={"data": {}})).status_code == 400


async def test_pages_of_any_origin_may_come(daily: DailyStandIn, page: httpx.AsyncClient) -> None:
    asking = {"Origin": "http://127.0.0.1:5173", "Access-Control-Request-Method": "POST"}
    allowed = await page.options(ROOM, headers=asking)
    assert allowed.headers["access-control-allow-origin"] == "*"
    api = await page.options("/v1/rooms", headers=asking)
    assert "access-control-allow-origin" not in api.headers
