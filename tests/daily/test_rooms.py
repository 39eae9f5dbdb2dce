"""Rooms on Daily: what all rooms do, and each misfortune that Daily may have for us."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jwt
import pytest

from greenroom.errors import RoomNotPrivate, RoomsRefused, RoomsUnavailable
from greenroom.ports.rooms import Party, Rooms
from greenroom.rooms.daily.client import DailyClient
from greenroom.rooms.daily.rooms import DailyRooms
from greenroom.rooms.daily.shape import AHEAD_S, Recording
from greenroom.rooms.daily.tokens import user_id_of
from greenroom.rooms.local import LocalRooms
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused, Limits
from greenroom.testing.rooms_contract import (
    BOT,
    NAME,
    USER,
    RoomsContract,
    RoomsThatTellContract,
)
from tests.daily.house import DailyPeople, rooms_on


def daily_claims(token: str | None, key: str) -> dict[str, Any]:
    """A token's claims, whose times are another clock's."""
    claims: dict[str, Any] = jwt.decode(token or "", key, ["HS256"], {"verify_iat": False})
    return claims


class TestDailyRooms(RoomsThatTellContract):
    """Rooms on Daily, as the stand-in plays it."""


class TestLocalRooms(RoomsContract):
    """Rooms on this machine."""

    @pytest.fixture
    def rooms(self) -> Rooms:
        return LocalRooms([], allow_loopback=True)


# ---- what a room is like


async def test_a_room_is_private_and_for_two_and_has_nothing_that_nobody_asked_for(
    rooms: DailyRooms, daily: DailyStandIn, clock: FakeClock
) -> None:
    await rooms.ensure(NAME)
    room = daily.book.get(NAME)
    assert room.privacy == "private"
    assert room.properties == {
        "exp": clock.now() + AHEAD_S,
        "eject_at_room_exp": True,
        "max_participants": 2,
        "enforce_unique_user_ids": True,
        "enable_knocking": False,
        "enable_prejoin_ui": False,
        "enable_screenshare": False,
        "enable_chat": False,
        "start_video_off": True,
    }


async def test_recording_is_on_only_where_it_is_asked_for(
    daily: DailyStandIn, clock: FakeClock
) -> None:
    asked = rooms_on(daily, clock, recording=Recording.CLOUD_AUDIO_ONLY)
    await asked.ensure(NAME)
    assert daily.book.get(NAME).properties["enable_recording"] == "cloud-audio-only"
    # Who does not ask for it any more takes it away from a room that is there.
    not_asked = rooms_on(daily, clock)
    await not_asked.ensure(NAME)
    assert "enable_recording" not in daily.book.get(NAME).properties
    await asked.aclose()
    await not_asked.aclose()


async def test_tokens_make_nobody_an_owner_and_eject_at_their_end(
    rooms: DailyRooms, daily: DailyStandIn
) -> None:
    says = [
        daily_claims((await rooms.admit(NAME, guest)).token, daily.api_key) for guest in (USER, BOT)
    ]
    assert [(one["o"], one["ejt"], one["r"], one["u"]) for one in says] == [
        (False, True, NAME, "ada"),
        (False, True, NAME, "cards"),
    ]
    assert [one["exp"] for one in says] == [int(USER.until), int(BOT.until)]
    assert says[0]["ud"] != says[1]["ud"]
    assert all(len(one["ud"]) <= 36 for one in says)
    assert ("POST", "/meeting-tokens") not in daily.asked  # we sign them ourselves


async def test_a_session_of_one_call_asks_daily_for_little(
    rooms: DailyRooms, daily: DailyStandIn
) -> None:
    await rooms.ensure(NAME)
    await rooms.admit(NAME, BOT)
    await rooms.admit(NAME, USER)
    assert daily.asked == [("POST", "/rooms"), ("GET", "/")]


# ---- misfortune


async def test_two_creators_meet_and_make_one_room(daily: DailyStandIn, clock: FakeClock) -> None:
    servers = [rooms_on(daily, clock) for _ in range(4)]
    await asyncio.gather(*(server.ensure(NAME) for server in servers))
    assert list(daily.book.rooms) == [NAME]
    assert daily.book.get(NAME).privacy == "private"
    for server in servers:
        await server.aclose()


@pytest.mark.parametrize("done", [False, True], ids=["before it was made", "after"])
async def test_a_500_in_the_middle_of_get_or_create_is_made_good_by_the_next_try(
    rooms: DailyRooms, daily: DailyStandIn, *, done: bool
) -> None:
    daily.faults.order(Fault(500, "POST", "/rooms", done=done))
    with pytest.raises(RoomsUnavailable):
        await rooms.ensure(NAME)
    await rooms.ensure(NAME)
    assert daily.book.get(NAME).privacy == "private"


async def test_a_500_between_found_and_changed_is_made_good_by_the_next_try(
    rooms: DailyRooms, daily: DailyStandIn, people: DailyPeople
) -> None:
    await rooms.ensure(NAME)
    people.open_to_all(NAME)
    daily.faults.order(Fault(500, "POST", f"/rooms/{NAME}"))
    with pytest.raises(RoomsUnavailable):
        await rooms.ensure(NAME)
    assert daily.book.get(NAME).privacy == "public"  # and nobody was let in
    await rooms.ensure(NAME)
    assert daily.book.get(NAME).privacy == "private"


async def test_a_room_that_stays_public_is_refused(
    rooms: DailyRooms, daily: DailyStandIn, people: DailyPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rooms.ensure(NAME)
    people.open_to_all(NAME)
    monkeypatch.setattr(daily.book, "update", lambda name, wish: daily.book.get(name))
    people.wait(10)  # what was ready then is looked at again
    with pytest.raises(RoomNotPrivate) as refused:
        await rooms.admit(NAME, USER)
    assert (refused.value.code, refused.value.retryable) == ("room_not_private", False)


async def test_a_wrong_or_revoked_key_is_refused_with_a_code(
    rooms: DailyRooms, daily: DailyStandIn, clock: FakeClock
) -> None:
    wrong = rooms_on(daily, clock, api_key="f" * 64)
    with pytest.raises(RoomsRefused, match="GREENROOM_DAILY_API_KEY") as refused:
        await wrong.ensure(NAME)
    assert refused.value.code == "rooms_refused"
    assert "ffff" not in str(refused.value)
    await wrong.aclose()
    spec = await rooms.admit(NAME, USER)
    daily.api_keys.clear()
    with pytest.raises(RoomsRefused):
        await rooms.ensure(NAME)
    with pytest.raises(JoinRefused, match="bad_token"):
        daily.join(NAME, spec.token)


async def test_a_key_of_another_domain_is_refused(daily: DailyStandIn, clock: FakeClock) -> None:
    elsewhere = rooms_on(daily, clock, domain="acme")
    with pytest.raises(RoomsRefused, match="GREENROOM_DAILY_DOMAIN"):
        await elsewhere.admit(NAME, USER)
    await elsewhere.aclose()


async def test_too_many_requests_say_when_to_come_back(
    rooms: DailyRooms, daily: DailyStandIn, clock: FakeClock
) -> None:
    daily.faults.order(Fault(429, times=None, until=clock.now() + 60))
    with pytest.raises(RoomsUnavailable) as told:
        await rooms.ensure(NAME)
    assert told.value.retry_after_s == 60
    clock.advance(60)
    await rooms.ensure(NAME)


async def test_a_room_that_is_taken_away_meanwhile_is_made_again(
    rooms: DailyRooms, daily: DailyStandIn
) -> None:
    await rooms.ensure(NAME)
    daily.delete(NAME)
    await rooms.ensure(NAME)
    assert daily.book.get(NAME).privacy == "private"


async def test_a_room_that_is_deleted_just_before_its_user_comes_is_made_again(
    rooms: DailyRooms, daily: DailyStandIn
) -> None:
    """Found by chaos: 404 to the ejection of their older page was a 500 to the newer one."""
    await rooms.ensure(NAME)
    await rooms.admit(NAME, USER)  # it was new; from now on an older page may be there
    daily.delete(NAME)
    spec = await rooms.admit(NAME, USER)
    assert daily.join(NAME, spec.token).present


@pytest.mark.parametrize("ahead_s", [-120.0, 300.0])
async def test_a_room_is_closed_also_by_a_server_whose_clock_is_wrong(
    daily: DailyStandIn, clock: FakeClock, ahead_s: float
) -> None:
    """Found by chaos: what is past for us may be minutes ahead for Daily."""
    ours = FakeClock()
    ours.advance(clock.now() - ours.now() + ahead_s)
    rooms = rooms_on(daily, ours)
    await rooms.ensure(NAME)
    spec = await rooms.admit(NAME, USER)
    await rooms.close(NAME)
    with pytest.raises(JoinRefused, match="expired"):
        daily.join(NAME, spec.token)


async def test_a_token_is_good_for_nothing_once_its_room_is_closed(
    rooms: DailyRooms, daily: DailyStandIn
) -> None:
    spec = await rooms.admit(NAME, USER)
    await rooms.close(NAME)
    with pytest.raises(JoinRefused, match="expired"):
        daily.join(NAME, spec.token)


async def test_requests_leave_no_faster_than_daily_takes_them(clock: FakeClock) -> None:
    """Twenty rooms at once: in real time, under the real limits."""
    daily = DailyStandIn(now=time.time, limits=Limits())
    client = DailyClient("http://d/v1", daily.api_key, transport=httpx.ASGITransport(daily.app))
    busy = DailyRooms(client, daily.api_key, FakeClock(time.time()))
    await asyncio.gather(*(busy.ensure(f"room-{number}") for number in range(24)))
    assert len(daily.book.rooms) == 24
    await busy.aclose()
    await daily.close()


def test_an_id_stands_for_one_party_in_one_room(rooms: DailyRooms) -> None:
    user = user_id_of(NAME, Party.USER)
    assert rooms.party_of(NAME, user) is Party.USER
    assert rooms.party_of("voice-bob-0123456789ab", user) is None
    assert rooms.party_of(NAME, "bot") is None
