"""Whole sessions whose rooms are on Daily's stand-in: who gets in, who is seen, what goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from greenroom.errors import SessionEnded, StillQueued
from greenroom.ports.launcher import ExitCause
from greenroom.ports.rooms import Party, Shape
from greenroom.rooms.daily.rooms import READY_FOR_S
from greenroom.rooms.daily.tokens import user_id_of
from greenroom.session.model import EndReason, Presence, Session, Stage
from greenroom.session.policy import UNLIMITED
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import DailyStandIn, Fault, JoinRefused, Participant
from greenroom.testing.daily.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from greenroom.wire.link import RoomKind
from tests.conftest import House
from tests.daily.conftest import WEBHOOK_SECRET

SESSION = "/api/voice/session"


async def started(web: httpx.AsyncClient) -> dict[str, Any]:
    answer = await web.post(SESSION, json={})
    assert answer.status_code in (200, 201), answer.text
    body: dict[str, Any] = answer.json()
    return body


def user_in(daily: DailyStandIn, room: dict[str, Any], **more: Any) -> Participant:
    """The page joins, by what it was told."""
    return daily.join(room["name"], room["token"], **more)


async def bot_in(house: House, daily: DailyStandIn, session_id: str) -> Participant:
    """The bot joins, by what its welcome tells it."""
    spec = await house.parts.entrance.bot(await house.session(session_id))
    return daily.join(spec.name, spec.token)


async def a_call(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> tuple[Session, Participant, Participant]:
    """A session in which both are in the room, as Daily's webhooks told."""
    body = await started(web)
    session_id = body["session"]["sessionId"]
    bot = await bot_in(house, daily, session_id)
    user = user_in(daily, body["session"]["room"])
    await daily.webhooks.deliver()
    session = await house.session(session_id)
    assert session.stage is Stage.ACTIVE
    return session, user, bot


def events(house: House, outcome: str) -> float:
    counted: float = house.parts.metrics.room_events.labels(outcome=outcome)._value.get()
    return counted


async def over(house: House, session: Session) -> None:
    """The bot's process ends, and what follows is carried out."""
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    await house.launcher.exit(session.launch_id, ExitCause.ENDED)
    await house.until(lambda s: s.stage is Stage.ENDED, session.id)


# ---- coming in


async def test_a_start_says_where_to_join_by_what(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    body = await started(web)
    room = body["session"]["room"]
    assert room["kind"] == "daily"
    assert room["name"].startswith("voice-guest-")
    assert room["url"] == f"https://stand-in.daily.co/{room['name']}"
    says = daily.read_token(room["token"])
    assert (says["room_name"], says["is_owner"], says["eject_at_token_exp"]) == (
        room["name"],
        False,
        True,
    )
    limits = (await house.session(body["session"]["sessionId"])).limits
    longest_s = limits.join_s + limits.max_duration_s + limits.ending_s
    assert says["exp"] > house.clock.now() + longest_s  # it never ends within a call
    # Only who joins is told a token; whoever looks is not.
    seen = (await web.get(f"{SESSION}/{body['session']['sessionId']}")).json()["room"]
    assert seen == {**room, "token": None}
    assert (await web.get("/api/voice/config")).json()["roomKind"] == "daily"


async def test_no_offer_is_taken_where_nobody_would_answer_it(
    house: House, web: httpx.AsyncClient
) -> None:
    offer = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0"}
    refused = await web.post(SESSION, json={"offer": offer})
    assert (refused.status_code, refused.json()["code"]) == (400, "unsupported_transport")
    assert await house.parts.store.unended() == []  # and nothing was started for it
    session_id = (await started(web))["session"]["sessionId"]
    for path, body in (
        (f"{SESSION}/{session_id}/offer", offer),
        ("/api/offer", {"sdp": "v=0", "type": "offer"}),
    ):
        answer = await web.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_transport")
    candidates = {"offerId": "offer-0001", "candidates": []}
    late = await web.patch(f"{SESSION}/{session_id}/offer", json=candidates)
    assert (late.status_code, late.json()["code"]) == (400, "unsupported_transport")


async def test_stock_clients_of_daily_are_told_room_and_token(
    daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    assert (await web.get("/status")).json()["transports"] == ["daily"]
    answer = (await web.post("/start", json={"createDailyRoom": True, "body": {}})).json()
    name = answer["dailyRoom"].rsplit("/", 1)[-1]
    assert daily.join(name, answer["dailyToken"]).user_id == user_id_of(name, Party.USER)
    webrtc = await web.post("/start", json={"transport": "webrtc"})
    assert (webrtc.status_code, webrtc.json()["code"]) == (400, "unsupported_transport")


async def test_a_bots_welcome_names_room_and_token_of_its_own(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    body = await started(web)
    session = await house.session(body["session"]["sessionId"])
    spec = await house.parts.entrance.bot(session)
    assert (spec.kind, spec.url) == (RoomKind.DAILY, body["session"]["room"]["url"])
    says = daily.read_token(spec.token or "")
    assert (says["user_id"], says["user_name"], says["is_owner"]) == (
        user_id_of(session.room, Party.BOT),
        "cards",
        False,
    )


async def test_the_page_may_load_dailys_code_and_nobody_elses(web: httpx.AsyncClient) -> None:
    policy = (await web.get("/healthz")).headers["content-security-policy"]
    assert "script-src 'self' https://c.daily.co" in policy
    assert set(re.findall(r"//([^ ;]*)", policy)) == {
        *("c.daily.co", "*.daily.co", "prod-ks.pluot.blue")  # the last is Daily's, too
    }


# ---- being seen


@pytest.mark.usefixtures("webhook")
async def test_webhooks_make_a_call_active_and_let_it_linger(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    session, user, _ = await a_call(house, daily, web)
    assert session.participant == user.id
    daily.leave(user)
    await daily.webhooks.deliver()
    assert (await house.session(session.id)).stage is Stage.LINGERING
    room = (await web.post(f"{SESSION}/{session.id}/room")).json()
    back = user_in(daily, room)
    await daily.webhooks.deliver()
    session = await house.session(session.id)
    assert (session.stage, session.participant) == (Stage.ACTIVE, back.id)


@pytest.mark.usefixtures("webhook")
async def test_a_reloading_page_is_not_locked_out_by_its_ghost_nor_thought_gone(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    """FAILURES 8: two places in the room, and the ghost sits in one of them."""
    session, ghost, bot = await a_call(house, daily, web)
    again = await started(web)
    assert again["reused"]
    page = user_in(daily, again["session"]["room"])
    assert (ghost.present, page.present, bot.present) == (False, True, True)
    # That the ghost left is told last, as it happens.
    await daily.webhooks.deliver(order=lambda due: due[::-1])
    session = await house.session(session.id)
    assert (session.stage, session.participant) == (Stage.ACTIVE, page.id)


@pytest.mark.usefixtures("webhook")
async def test_events_come_twice_late_and_in_the_wrong_order(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    """FAILURES 15, by the door of Daily's webhooks."""
    session, first, _ = await a_call(house, daily, web)
    clock.advance(1)
    daily.leave(first)
    clock.advance(1)
    second = user_in(daily, (await web.post(f"{SESSION}/{session.id}/room")).json())
    clock.advance(20)
    await daily.webhooks.deliver(order=lambda due: due[::-1], twice=True)
    session = await house.session(session.id)
    assert (session.stage, session.participant) == (Stage.ACTIVE, second.id)
    assert events(house, "nothing_new") > 0
    # One that left before its coming was told was never there.
    daily.leave(second)
    third = user_in(daily, (await web.post(f"{SESSION}/{session.id}/room")).json())
    daily.leave(third)
    await daily.webhooks.deliver(order=lambda due: due[::-1])
    session = await house.session(session.id)
    assert (session.stage, session.user_presence) == (Stage.LINGERING, Presence.GONE)


async def test_looking_tells_the_same_where_no_webhook_comes(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    body = await started(web)
    session_id = body["session"]["sessionId"]
    user = user_in(daily, body["session"]["room"])
    await bot_in(house, daily, session_id)
    look = house.parts.attendance.look
    await look()
    assert (await house.session(session_id)).stage is Stage.CONNECTING  # presence is late
    clock.advance(15)
    await look()
    session = await house.session(session_id)
    assert (session.stage, session.participant) == (Stage.ACTIVE, user.id)
    daily.leave(user)
    for stage in (Stage.ACTIVE, Stage.ACTIVE, Stage.LINGERING):  # once missed is not gone
        assert (await house.session(session_id)).stage is stage
        clock.advance(15)
        await look()
    assert (await house.session(session_id)).stage is Stage.LINGERING
    assert daily.asked.count(("GET", "/presence")) == 5  # one for all rooms, at each look


@pytest.mark.usefixtures("webhook")
async def test_what_is_seen_late_does_not_undo_what_was_told(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    session, user, _ = await a_call(house, daily, web)
    await house.parts.attendance.look()  # nobody is there yet, by presence
    await house.parts.attendance.look()
    assert (await house.session(session.id)).stage is Stage.ACTIVE
    clock.advance(16)
    daily.leave(user)
    await daily.webhooks.deliver()
    await house.parts.attendance.look()  # they are there still, by presence
    assert (await house.session(session.id)).stage is Stage.LINGERING


async def test_nobody_is_looked_for_where_nobody_talks(house: House, daily: DailyStandIn) -> None:
    await house.parts.attendance.look()
    assert daily.asked == []


@pytest.mark.usefixtures("webhook")
async def test_who_calls_themselves_bot_is_the_user_and_no_bot_joined(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    body = await started(web)
    user_in(daily, body["session"]["room"], user_name="bot")
    await daily.webhooks.deliver()
    clock.advance(15)
    await house.parts.attendance.look()
    session = await house.session(body["session"]["sessionId"])
    assert session.bot_presence is Presence.AWAITED
    assert session.user_presence is Presence.PRESENT


async def test_a_token_for_another_room_opens_none(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    """FAILURES 25."""
    mine = (await started(web))["session"]["room"]
    web.cookies.clear()
    theirs = (await started(web))["session"]["room"]
    assert mine["name"] != theirs["name"]
    with pytest.raises(JoinRefused, match="wrong_room"):
        daily.join(theirs["name"], mine["token"])
    # And nobody is given a token for somebody else's.
    sessions = await house.parts.store.unended()
    other = next(one for one in sessions if one.room == mine["name"])
    answer = await web.post(f"{SESSION}/{other.id}/room")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# ---- ending


@pytest.mark.usefixtures("webhook")
async def test_a_kick_empties_the_room_and_refuses_the_next_token(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    session, user, bot = await a_call(house, daily, web)
    token = (await web.post(f"{SESSION}/{session.id}/room")).json()["token"]
    user = daily.join(session.room, token)
    await house.sessions.stop(session.id, None, EndReason.KICKED)
    refused = await web.post(f"{SESSION}/{session.id}/room")
    assert (refused.status_code, refused.json()["code"]) == (410, "session_ended")
    await over(house, session)
    await house.until_true(lambda: not user.present and not bot.present)
    with pytest.raises(JoinRefused, match="expired"):
        daily.join(session.room, token)


@pytest.mark.usefixtures("webhook")
async def test_a_close_that_comes_late_does_not_end_the_next_call(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    session, *_ = await a_call(house, daily, web)
    daily.faults.order(Fault(503, "POST", f"/rooms/{session.room}", times=1))
    await house.sessions.stop(session.id, None)
    await over(house, session)
    failed = house.parts.metrics.effects_failed.labels(kind="close_room")
    await house.until_true(lambda: failed._value.get() == 1)
    body = await started(web)
    assert body["session"]["room"]["name"] == session.room
    user = user_in(daily, body["session"]["room"])
    clock.advance(10)
    house.parts.hub.publish("effects")
    async with asyncio.timeout(10):
        while any(kind == "close_room" for _, kind in await _due(house)):
            await asyncio.sleep(0.01)
    assert user.present


@pytest.mark.usefixtures("webhook")
async def test_who_only_waits_for_the_next_call_does_not_keep_the_room_open(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    """Found by chaos: whoever waits may never come in, and then nobody closes it."""
    session, user, _ = await a_call(house, daily, web)
    await house.sessions.stop(session.id, None)
    house.whole.waiting_room._admission.quotas = replace(UNLIMITED, live=0)
    waiting = await web.post(SESSION, json={"wait": True})
    assert waiting.json()["session"]["status"] == "queued"
    await over(house, session)
    await house.until_true(lambda: not user.present)


@pytest.mark.usefixtures("webhook")
async def test_a_token_that_took_too_long_leaves_no_room_open(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    """Found by chaos: a page was let in by a session that was over when its room was ready."""
    before, *_ = await a_call(house, daily, web)
    await house.sessions.stop(before.id, None)
    await over(house, before)
    await house.until_true(lambda: is_closed(daily, before.room, clock))
    clock.advance(READY_FOR_S)
    with pytest.raises(SessionEnded):
        await house.parts.entrance.user(before)
    await house.until_true(lambda: is_closed(daily, before.room, clock))


@pytest.mark.usefixtures("webhook")
async def test_a_room_that_is_kept_after_its_session_has_ended_is_closed_again(
    house: House,
    daily: DailyStandIn,
    web: httpx.AsyncClient,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by chaos: whoever keeps rooms has read a moment ago which are in use."""
    session, *_ = await a_call(house, daily, web)
    keep = house.parts.rooms.keep

    async def keep_late(shapes: Mapping[str, Shape]) -> None:
        await house.sessions.stop(session.id, None)
        await over(house, session)
        await house.until_true(lambda: is_closed(daily, session.room, clock))
        await keep(shapes)
        assert not is_closed(daily, session.room, clock)

    monkeypatch.setattr(house.parts.rooms, "keep", keep_late)
    await house.parts.attendance.look()
    await house.until_true(lambda: is_closed(daily, session.room, clock))


def is_closed(daily: DailyStandIn, room: str, clock: FakeClock) -> bool:
    """Nobody is in it, and nobody can come in."""
    book = daily.book.get(room)
    return not book.present() and book.properties["exp"] <= clock.now()


async def _due(house: House) -> list[tuple[str, str]]:
    due = await house.parts.store.effects.due_kinds(house.clock.now() + 60)
    return [(session_id, kind.value) for session_id, kind in due]


async def test_a_waiting_user_gets_no_token_before_their_turn(
    house: House, web: httpx.AsyncClient
) -> None:
    body = await started(web)
    session = await house.session(body["session"]["sessionId"])
    with pytest.raises(StillQueued):
        await house.parts.entrance.user(replace(session, stage=Stage.QUEUED))


# ---- misfortune


@pytest.mark.parametrize(
    ("status", "code", "http"), [(500, "rooms_unavailable", 503), (429, "rooms_unavailable", 503)]
)
async def test_a_daily_that_is_away_refuses_the_start_and_leaves_nothing_running(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, *, status: int, code: str, http: int
) -> None:
    """429 for a minute: nobody waits so long for a token; the answer says when to come back."""
    until = house.clock.now() + 60
    daily.faults.order(Fault(status, times=None, until=until))
    answer = await web.post(SESSION, json={})
    assert (answer.status_code, answer.json()["code"]) == (http, code)
    assert answer.json()["retryable"] is True
    if status == 429:
        assert answer.headers["Retry-After"] == "60"
    reasons = {(one.stage, one.reason) for one in await house.parts.store.unended()}
    assert reasons <= {(Stage.ENDING, EndReason.LAUNCH_FAILED)}
    # A minute later everything is as ever, and no bot was launched for the first.
    house.clock.advance(61)
    house.parts.hub.publish("effects")
    body = await started(web)
    new = await house.session(body["session"]["sessionId"])
    await house.until_true(lambda: new.launch_id in house.launcher.orders)
    assert list(house.launcher.orders) == [new.launch_id]


async def test_a_500_in_the_middle_of_get_or_create_is_not_noticed(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    daily.faults.order(Fault(500, "POST", "/rooms", done=True))
    body = await started(web)
    assert user_in(daily, body["session"]["room"]).present
    assert len(daily.book.rooms) == 1


async def test_a_revoked_key_refuses_the_start_with_a_code(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    daily.api_keys.clear()
    answer = await web.post(SESSION, json={})
    assert (answer.status_code, answer.json()["code"]) == (502, "rooms_refused")
    assert daily.api_key not in answer.text
    assert house.launcher.orders == {}


async def test_a_room_that_somebody_made_public_is_private_before_its_user_is_let_in(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    body = await started(web)
    name = body["session"]["room"]["name"]
    daily.book.get(name).privacy = "public"
    stranger = daily.join(name)
    clock.advance(15)
    room = (await web.post(f"{SESSION}/{body['session']['sessionId']}/room")).json()
    assert daily.book.get(name).privacy == "private"
    assert not stranger.present
    assert user_in(daily, room).present


async def test_a_bot_that_links_again_needs_no_daily(
    house: House, daily: DailyStandIn, web: httpx.AsyncClient
) -> None:
    body = await started(web)
    session = await house.session(body["session"]["sessionId"])
    daily.faults.order(Fault(503, times=None))
    there = await house.parts.entrance.bot(replace(session, bot_presence=Presence.PRESENT))
    assert (there.name, there.token) == (session.room, None)


# ---- the webhook's door


async def post(
    web: httpx.AsyncClient, clock: FakeClock, body: bytes, **headers: str
) -> httpx.Response:
    """As Daily would, but for what the test does wrong."""
    timestamp = str(int(clock.now() * 1000))
    signed = {
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(WEBHOOK_SECRET, timestamp, body),
    }
    return await web.post("/daily/webhook", content=body, headers={**signed, **headers})


def joined(room: str, **more: Any) -> bytes:
    payload = {"room": room, "session_id": "c1", "user_id": user_id_of(room, Party.USER), **more}
    return json.dumps({"type": "participant.joined", "id": "e1", "payload": payload}).encode()


async def test_the_test_post_is_answered_at_once(web: httpx.AsyncClient) -> None:
    answer = await web.post("/daily/webhook", content=b'{"test": "test"}')
    assert (answer.status_code, answer.json()) == (200, {"outcome": "test"})


async def test_an_unknown_room_a_stranger_and_nonsense_are_taken_and_counted(
    house: House, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    room = (await started(web))["session"]["room"]["name"]
    for body, outcome in (
        (joined("voice-nobody-0123456789ab"), "unknown_room"),
        (joined(room, user_id=None, user_name="bot"), "stranger"),
        (joined(room, session_id=""), "malformed"),
        (b'{"type": "recording.started", "payload": {}}', "other"),
        (b"\xff no JSON", "malformed"),
    ):
        answer = await post(web, clock, body)
        assert (answer.status_code, answer.json()) == (200, {"outcome": outcome})
    assert events(house, "malformed") == 2
    (session,) = await house.parts.store.unended()
    assert session.user_presence is Presence.AWAITED


async def test_nothing_unsigned_forged_or_stale_is_believed(
    house: House, web: httpx.AsyncClient, clock: FakeClock
) -> None:
    room = (await started(web))["session"]["room"]["name"]
    body = joined(room)
    old = str(int((clock.now() - 3_600) * 1000))
    stale = {TIMESTAMP_HEADER: old, SIGNATURE_HEADER: signature(WEBHOOK_SECRET, old, body)}
    for headers, code in (
        ({SIGNATURE_HEADER: "Zm9yZ2Vk"}, "bad_signature"),
        ({SIGNATURE_HEADER: "nonsense"}, "bad_signature"),
        ({TIMESTAMP_HEADER: "yesterday"}, "bad_signature"),
        (stale, "stale_message"),
    ):
        answer = await post(web, clock, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    (session,) = await house.parts.store.unended()
    assert session.user_presence is Presence.AWAITED
