"""Group calls on Daily's stand-in: who gets in, who is seen, and what pauses meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from greenroom.api.app import build_app
from greenroom.session.model import PauseCause, Presence, Session, Stage
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused, Participant
from tests.conftest import House
from tests.daily.test_own_rooms import opened
from tests.daily.test_sessions import bot_in, over

SESSION, PAUSE, MUTE = "/api/voice/session", "/api/voice/pause", "/api/voice/mute"
PAUSED = frozenset({PauseCause.GROUP_CALL})


class People:
    """Signed-in users, each with a client of their own."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._clients: dict[str, httpx.AsyncClient] = {}

    def __getitem__(self, user: str) -> httpx.AsyncClient:
        if user not in self._clients:
            name, _, tenant = user.partition("@")
            token = self._house.parts.identity.token_for(name, 3_600, tenant or None)
            transport = httpx.ASGITransport(build_app(self._house.parts), client=("127.0.0.1", 1))
            self._clients[user] = httpx.AsyncClient(
                transport=transport,
                base_url="http://127.0.0.1",
                headers={"Authorization": f"Bearer {token}"},
            )
        return self._clients[user]

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


@pytest.fixture
async def people(house: House) -> AsyncIterator[People]:
    """Anybody, by their name: ``ada``, or ``ada@acme`` of another tenant."""
    made = People(house)
    yield made
    await made.aclose()


async def a_call(people: People, **group: Any) -> dict[str, Any]:
    answer = await people["ada"].post(SESSION, json={"group": group})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def room_for(people: People, user: str, session_id: str) -> dict[str, Any]:
    answer = await people[user].post(f"{SESSION}/{session_id}/room")
    assert answer.status_code == 200, answer.text
    room: dict[str, Any] = answer.json()
    return room


def join(daily: DailyStandIn, room: dict[str, Any], **more: Any) -> Participant:
    return daily.join(room["name"], room["token"], **more)


async def events(house: House, session_id: str, kind: str) -> list[dict[str, Any]]:
    told = await house.parts.store.events_after(session_id, 0, 100)
    return [event.data for event in told if event.type == kind]


async def a_voice_session(house: House, daily: DailyStandIn, people: People) -> Session:
    """Ada talks, alone with her assistant."""
    body = (await people["ada"].post(SESSION, json={})).json()["session"]
    await bot_in(house, daily, body["sessionId"])
    join(daily, body["room"])
    await daily.webhooks.deliver()
    session = await house.session(body["sessionId"])
    assert session.stage is Stage.ACTIVE
    return session


async def until_paused(house: House, session: Session, *causes: PauseCause) -> Session:
    wanted = frozenset(causes)
    return await house.until(lambda one: one.pause_causes == wanted, session.id)


# ---- the room


async def test_its_room_is_private_for_as_many_as_asked_and_has_cameras(
    house: House, daily: DailyStandIn, people: People
) -> None:
    body = await a_call(people, maxParticipants=4)
    session = body["session"]
    assert (session["kind"], session["maxParticipants"]) == ("group", 4)
    assert session["room"]["name"].startswith("group-ada-")
    room = daily.book.get(session["room"]["name"])
    assert room.privacy == "private"
    assert room.properties["max_participants"] == 4
    assert room.properties["start_video_off"] is False
    says = daily.read_token(session["room"]["token"])
    assert (says["is_owner"], says["permissions"]) == (False, {"cs": "v,a"})
    again = (await people["ada"].post(SESSION, json={"group": {}})).json()
    assert (again["reused"], again["session"]["sessionId"]) == (True, session["sessionId"])
    bot = await house.parts.entrance.bot(await house.session(session["sessionId"]))
    assert bot.video
    assert daily.read_token(bot.token or "")["permissions"] == {"cs": "v,a"}


async def test_voice_only_no_token_lets_a_camera_on(
    house: House, daily: DailyStandIn, people: People
) -> None:
    """The bot's program may ask for one: its token does not let it send a picture."""
    alone = (await people["bob"].post("/api/bot/join", json={"voiceOnly": False})).json()
    call = {"group": {}, "body": {"voiceOnly": True}}
    group = (await people["ada"].post(SESSION, json=call)).json()["session"]
    for session_id in (alone["sessionId"], group["sessionId"]):
        spec = await house.parts.entrance.bot(await house.session(session_id))
        says = daily.read_token(spec.token or "")
        assert (spec.video, says["permissions"]) == (False, {"cs": "a"})
        assert says["start_video_off"] is True
    assert daily.read_token((await opened(people["bob"]))["token"])["permissions"] == {"cs": "a"}


@pytest.mark.parametrize("places", [2, 11])
async def test_for_too_many_or_too_few_it_is_refused(
    house: House, people: People, *, places: int
) -> None:
    body = {"group": {"maxParticipants": places}}
    refused = await people["ada"].post(SESSION, json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert refused.json()["facts"] == {"field": "group.maxParticipants", "most": 10}
    assert await house.parts.store.unended() == []


# ---- who gets in


@pytest.mark.usefixtures("webhook")
async def test_people_come_by_tokens_of_their_own_and_are_who_those_say(
    house: House, daily: DailyStandIn, people: People
) -> None:
    """FAILURES 25: identities come from tokens, and never from names."""
    call = await a_call(people)
    session_id = call["session"]["sessionId"]
    await bot_in(house, daily, session_id)
    join(daily, call["session"]["room"], user_name="bob")
    bob = join(daily, await room_for(people, "bob", session_id), user_name="ada")
    await daily.webhooks.deliver()
    session = await house.session(session_id)
    assert session.stage is Stage.ACTIVE
    came = await events(house, session_id, "voice.participant.joined")
    assert [(one["userId"], one["first"], one["present"]) for one in came] == [
        ("ada", True, 1),
        ("bob", True, 2),
    ]
    # They see it, each other and its events; nobody else does.
    shown = (await people["bob"].get(f"{SESSION}/{session_id}")).json()
    assert [(one["userId"], one["present"]) for one in shown["participants"]] == [
        ("ada", True),
        ("bob", True),
    ]
    # Only the host's page is asked to carry out tools.
    for user, own in (("ada", True), ("bob", False)):
        ticket = (await people[user].post(f"{SESSION}/{session_id}/ticket")).json()["ticket"]
        assert (await house.sessions.redeem(ticket))[1] is own
    for path, user in (("", "eve"), ("/ticket", "eve"), ("", "bob@acme")):
        method = "POST" if path else "GET"
        answer = await people[user].request(method, f"{SESSION}/{session_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    # It is its host's to end, to pause, and nobody's to mute for all.
    assert (await people["bob"].delete(f"{SESSION}/{session_id}")).status_code == 404
    muted = {"sessionId": session_id, "isMuted": True, "timestamp": 1}
    assert (await people["ada"].post(MUTE, json=muted)).json()["code"] == "bad_request"
    daily.leave(bob)
    await daily.webhooks.deliver()
    (gone,) = await events(house, session_id, "voice.participant.left")
    assert (gone["userId"], gone["present"]) == ("bob", 1)


async def test_only_those_who_are_invited_get_a_token(people: People) -> None:
    call = await a_call(people, invited=["bob"])
    path = f"{SESSION}/{call['session']['sessionId']}/room"
    assert (await people["bob"].post(path)).status_code == 200
    for user in ("eve", "bob@acme"):
        refused = await people[user].post(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@pytest.mark.usefixtures("webhook")
async def test_a_full_call_says_so_and_lets_those_back_who_are_in_it(
    daily: DailyStandIn, people: People
) -> None:
    call = await a_call(people, maxParticipants=3)
    session_id = call["session"]["sessionId"]
    ghost = join(daily, call["session"]["room"])
    join(daily, await room_for(people, "bob", session_id))
    await daily.webhooks.deliver()
    refused = await people["eve"].post(f"{SESSION}/{session_id}/room")
    assert (refused.status_code, refused.json()["code"]) == (409, "call_full")
    assert join(daily, await room_for(people, "ada", session_id)).present
    assert not ghost.present


async def test_a_token_for_one_call_opens_no_other(daily: DailyStandIn, people: People) -> None:
    first = await a_call(people)
    room = await room_for(people, "bob", first["session"]["sessionId"])
    await people["ada"].delete(f"{SESSION}/{first['session']['sessionId']}")
    second = await a_call(people)
    assert second["session"]["room"]["name"] != room["name"]
    with pytest.raises(JoinRefused, match="wrong_room"):
        daily.join(second["session"]["room"]["name"], room["token"])


# ---- coming and going


@pytest.mark.usefixtures("webhook")
async def test_alone_for_a_while_it_leaves_and_a_rejoin_is_no_first_time(
    house: House, daily: DailyStandIn, people: People, clock: FakeClock
) -> None:
    """FAILURES 7: the bot greets whoever comes for the first time, and them once."""
    call = await a_call(people)
    session_id = call["session"]["sessionId"]
    await bot_in(house, daily, session_id)
    ada = join(daily, call["session"]["room"])
    bob = join(daily, await room_for(people, "bob", session_id))
    await daily.webhooks.deliver()
    daily.leave(ada)
    await daily.webhooks.deliver()
    assert (await house.session(session_id)).stage is Stage.ACTIVE
    daily.leave(bob)
    await daily.webhooks.deliver()
    alone = await house.session(session_id)
    assert (alone.stage, alone.user_presence) == (Stage.LINGERING, Presence.GONE)
    back = join(daily, await room_for(people, "bob", session_id))
    await daily.webhooks.deliver()
    assert (await house.session(session_id)).stage is Stage.ACTIVE
    came = await events(house, session_id, "voice.participant.joined")
    assert [one["first"] for one in came] == [True, True, False]
    daily.leave(back)
    await daily.webhooks.deliver()
    clock.advance(alone.limits.persistence_s + 1)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).reason == "left"


async def test_looking_finds_the_same_where_no_webhook_comes(
    house: House, daily: DailyStandIn, people: People, clock: FakeClock
) -> None:
    call = await a_call(people)
    session_id = call["session"]["sessionId"]
    await bot_in(house, daily, session_id)
    join(daily, call["session"]["room"])
    bob = join(daily, await room_for(people, "bob", session_id))
    look = house.parts.attendance.look
    clock.advance(15)
    await look()
    came = await events(house, session_id, "voice.participant.joined")
    assert [one["userId"] for one in came] == ["ada", "bob"]
    daily.leave(bob)
    for _ in range(3):
        clock.advance(15)
        await look()
    (gone,) = await events(house, session_id, "voice.participant.left")
    assert gone["userId"] == "bob"
    assert (await house.session(session_id)).stage is Stage.ACTIVE


# ---- one place at a time


@pytest.mark.usefixtures("webhook")
async def test_a_group_call_pauses_its_users_own_session_and_gives_it_back_as_it_was(
    house: House, daily: DailyStandIn, people: People
) -> None:
    """FAILURES 12: muted or not, paused by its user or not."""
    voice = await a_voice_session(house, daily, people)
    muted = {"sessionId": voice.id, "isMuted": True, "timestamp": 1}
    await people["ada"].post(MUTE, json=muted)
    await people["ada"].post(PAUSE, json={"sessionId": voice.id, "paused": True})
    call = await a_call(people)
    await until_paused(house, voice, PauseCause.USER, PauseCause.GROUP_CALL)
    await bot_in(house, daily, call["session"]["sessionId"])
    join(daily, call["session"]["room"])
    await daily.webhooks.deliver()
    await people["ada"].post(PAUSE, json={"sessionId": voice.id, "paused": False})
    lift = {"sessionId": voice.id, "paused": False, "cause": "group_call"}
    assert (await people["ada"].post(PAUSE, json=lift)).status_code == 200  # another tab's call
    assert (await house.session(voice.id)).pause_causes == PAUSED
    ended = await house.session(call["session"]["sessionId"])
    await house.sessions.stop(ended.id, None)
    await over(house, ended)
    back = await until_paused(house, voice)
    assert (back.stage, back.muted) == (Stage.ACTIVE, True)


@pytest.mark.usefixtures("webhook")
async def test_so_it_does_for_a_guest_whose_page_tells_nobody(
    house: House, daily: DailyStandIn, people: People
) -> None:
    voice = await a_voice_session(house, daily, people)
    call = (await people["bob"].post(SESSION, json={"group": {}})).json()["session"]
    room = await room_for(people, "ada", call["sessionId"])
    assert (await house.session(voice.id)).pause_causes == frozenset()  # not there yet
    ada = join(daily, room)
    await daily.webhooks.deliver()
    await until_paused(house, voice, PauseCause.GROUP_CALL)
    daily.leave(ada)
    await daily.webhooks.deliver()
    assert (await until_paused(house, voice)).stage is Stage.ACTIVE


@pytest.mark.usefixtures("webhook")
async def test_a_session_that_begins_during_a_call_begins_paused(
    house: House, daily: DailyStandIn, people: People
) -> None:
    call = await a_call(people)
    join(daily, call["session"]["room"])
    await daily.webhooks.deliver()
    begun = (await people["ada"].post(SESSION, json={})).json()["session"]
    await until_paused(house, await house.session(begun["sessionId"]), PauseCause.GROUP_CALL)
    other = (await people["bob"].post(SESSION, json={})).json()["session"]
    launched = await house.session(other["sessionId"])
    await house.until_true(lambda: launched.launch_id in house.launcher.orders)
    assert (await house.session(launched.id)).pause_causes == frozenset()


@pytest.mark.usefixtures("webhook")
async def test_a_room_that_cannot_be_closed_keeps_nobody_from_their_own_session(
    house: House, daily: DailyStandIn, people: People
) -> None:
    voice = await a_voice_session(house, daily, people)
    call = (await a_call(people))["session"]
    join(daily, call["room"])
    await daily.webhooks.deliver()
    await until_paused(house, voice, PauseCause.GROUP_CALL)
    daily.faults.order(Fault(503, "POST", f"/rooms/{call['room']['name']}", times=None))
    await house.sessions.stop(call["sessionId"], None)
    await over(house, await house.session(call["sessionId"]))
    await until_paused(house, voice)
    assert (await house.session(call["sessionId"])).stage is Stage.ENDED


class TestOnThisMachine:
    """Rooms for two: there is no group call."""

    @pytest.fixture
    def rooms(self) -> None:
        return None

    async def test_it_is_refused_with_a_code(self, people: People) -> None:
        refused = await people["ada"].post(SESSION, json={"group": {}})
        assert (refused.status_code, refused.json()["code"]) == (400, "unsupported_transport")
