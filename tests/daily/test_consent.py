"""Where a conversation may be recorded nobody comes in who has not agreed, by whatever door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from greenroom.rooms.daily.rooms import DailyRooms
from greenroom.rooms.daily.shape import Recording
from greenroom.session.inputs import BotExited
from greenroom.session.model import EndReason
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn
from greenroom.wire.keys import Scope
from tests.conftest import House
from tests.daily.house import rooms_on
from tests.daily.test_group_calls import SESSION, People, people
from tests.vapi.conftest import key_of

__all__ = ["people"]

AGREED = {"recordingConsent": True}


@pytest.fixture
async def rooms(daily: DailyStandIn, clock: FakeClock) -> AsyncIterator[DailyRooms]:
    """Rooms in which Daily may record."""
    made = rooms_on(daily, clock, recording=Recording.CLOUD_AUDIO_ONLY)
    yield made
    await made.aclose()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_page_is_told_and_no_session_begins_without_consent(
    house: House, people: People
) -> None:
    assert (await people["ada"].get("/api/voice/config")).json()["records"] is True
    for body in ({}, {"recordingConsent": False}, {"body": AGREED}):
        refused = await people["ada"].post(SESSION, json=body)
        assert code_of(refused) == (403, "consent_needed")
        assert refused.json()["facts"] == {"field": "recordingConsent"}
    assert await house.parts.store.unended() == []
    assert house.refused("consent_needed") == 3
    house.clock.advance(5)
    begun = await people["ada"].post(SESSION, json=AGREED)
    assert begun.status_code == 201
    session = await house.session(begun.json()["session"]["sessionId"])
    assert session.consents == {"ada": house.clock.now()}
    # What is on record need not be said again: a page that reloads, or presses again.
    house.clock.advance(5)
    assert (await people["ada"].post(SESSION, json={})).json()["reused"] is True
    assert (await people["ada"].post(f"{SESSION}/{session.id}/room")).status_code == 200
    assert (await house.session(session.id)).consents == session.consents


async def test_who_began_before_anything_was_recorded_agrees_when_they_come_in_again(
    house: House, people: People, rooms: DailyRooms
) -> None:
    rooms.records = False
    house.sessions._starting._records = False  # as a server that was started otherwise
    begun = (await people["ada"].post(SESSION, json=AGREED)).json()["session"]["sessionId"]
    assert (await house.session(begun)).consents == {}, "nothing was to be agreed to"
    rooms.records = house.sessions._starting._records = True
    room = f"{SESSION}/{begun}/room"
    assert code_of(await people["ada"].post(room)) == (403, "consent_needed")
    assert code_of(await people["ada"].post(SESSION, json={})) == (403, "consent_needed")
    assert (await people["ada"].post(room, json=AGREED)).status_code == 200
    assert (await people["ada"].post(SESSION, json={})).status_code == 200
    assert set((await house.session(begun)).consents) == {"ada"}


async def test_a_room_that_is_opened_before_its_session_lets_nobody_in_without_consent(
    house: House, people: People, daily: DailyStandIn
) -> None:
    room = "/api/voice/room"
    for body in (None, {}, {"recordingConsent": False}):
        assert code_of(await people["ada"].post(room, json=body)) == (403, "consent_needed")
    assert daily.book.rooms == {}
    opened = await people["ada"].post(room, json=AGREED)
    assert opened.status_code == 200
    assert opened.json()["token"]
    # Its session's start asks again, and from then on it is on record.
    assert code_of(await people["ada"].post(SESSION, json={})) == (403, "consent_needed")
    assert (await people["ada"].post(SESSION, json=AGREED)).status_code == 201
    assert (await people["ada"].post(room)).json()["reused"] is True


async def test_a_room_whose_session_has_no_consent_yet_asks_for_it(
    house: House, people: People, rooms: DailyRooms
) -> None:
    rooms.records = False
    house.sessions._starting._records = False  # as a server that was started otherwise
    begun = (await people["ada"].post(SESSION, json={})).json()["session"]["sessionId"]
    rooms.records = house.sessions._starting._records = True
    room = "/api/voice/room"
    assert code_of(await people["ada"].post(room)) == (403, "consent_needed")
    assert (await house.session(begun)).consents == {}
    assert (await people["ada"].post(room, json=AGREED)).status_code == 200
    assert (await house.session(begun)).consents == {"ada": house.clock.now()}
    assert (await people["ada"].post(room)).status_code == 200


async def test_in_a_group_call_each_agrees_for_themselves(house: House, people: People) -> None:
    begun = (await people["ada"].post(SESSION, json={"group": {}, **AGREED})).json()
    session_id = begun["session"]["sessionId"]
    room = f"{SESSION}/{session_id}/room"
    assert code_of(await people["bob"].post(room)) == (403, "consent_needed")
    assert [one.user_id for one in _people_of(await house.session(session_id))] == ["ada"]
    assert (await people["bob"].post(room, json=AGREED)).status_code == 200
    assert set((await house.session(session_id)).consents) == {"ada", "bob"}
    assert (await people["bob"].post(room)).status_code == 200


def _people_of(session: Any) -> Any:
    return session.group_call.people


@pytest.mark.parametrize(
    ("path", "without", "agreed"),
    [
        ("/start", {"createDailyRoom": True}, {"body": AGREED}),
        ("/v1/public/cards/start", {"createDailyRoom": True}, {"body": AGREED}),
        ("/call/web", {"assistantId": "cards"}, {"metadata": AGREED}),
        ("/call/web", {"assistantId": "cards"}, {"assistantOverrides": {"metadata": AGREED}}),
        ("/api/bot/join", {"sessionUserId": "eve"}, AGREED),
    ],
)
async def test_other_front_doors_say_it_in_what_they_have(
    house: House,
    web: httpx.AsyncClient,
    path: str,
    without: dict[str, Any],
    agreed: dict[str, Any],
) -> None:
    headers = {**await key_of(house, Scope.START), "x-greenroom-user": "eve"}
    refused = await web.post(path, json=without, headers=headers)
    body = refused.json()
    assert refused.status_code == 403
    assert "consent_needed" in (body.get("reason"), body.get("code"))
    assert await house.parts.store.unended() == []
    begun = await web.post(path, json={**without, **agreed}, headers=headers)
    assert begun.status_code in (200, 201), begun.text
    (session,) = await house.parts.store.unended()
    assert set(session.consents) == {"eve"}


async def _over(house: House, session_id: str) -> None:
    session = await house.sessions.stop(session_id, None, EndReason.KICKED)
    await house.sessions.apply(session_id, BotExited(session.launch_id, True, "ended", ""))


async def test_consent_is_exported_and_erased_with_its_user(
    house: House, people: People, web: httpx.AsyncClient
) -> None:
    own = (await people["ada"].post(SESSION, json=AGREED)).json()["session"]["sessionId"]
    call = (await people["bob"].post(SESSION, json={"group": {}, **AGREED})).json()
    of_bob = call["session"]["sessionId"]
    await people["ada"].post(f"{SESSION}/{of_bob}/room", json=AGREED)
    for session_id in (own, of_bob):
        await _over(house, session_id)
    web.headers["authorization"] = f"Bearer {house.parts.identity.operator_token('ops', 60)}"
    told = (await web.get("/api/operator/data?user=ada")).text.splitlines()
    found = [json.loads(line) for line in told]
    session = next(one for one in found if one["kind"] == "session")
    assert session["recordingConsentAt"] == session["startedAt"]
    consent = next(one for one in found if one["kind"] == "consent")
    assert (consent["sessionId"], consent["at"]) == (of_bob, session["recordingConsentAt"])
    assert (await web.delete("/api/operator/data?user=ada")).status_code == 200
    assert (await house.session(own)).consents == {}
    assert set((await house.session(of_bob)).consents) == {"bob"}
