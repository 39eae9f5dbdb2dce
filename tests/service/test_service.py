"""The use cases on a real store: starts that meet, effects that fail, bots that vanish."""

from __future__ import annotations

import asyncio

import pytest

from greenroom.errors import Draining, Forbidden, NotFound, OfferConflict
from greenroom.ports.launcher import ExitCause
from greenroom.service.policies import POLICIES, Outside
from greenroom.service.reports import Way
from greenroom.session import inputs as i
from greenroom.session.model import EndReason, Limits, Stage
from greenroom.session.prices import METERING_S
from greenroom.wire.link import Offer, Report, ReportKind
from tests.conftest import House


async def a_call(house: House, user: str = "ada") -> str:
    """A session in which both are in the room; its id."""
    session = (await house.sessions.start(user, None)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    kinds = [(ReportKind.BOT_JOINED, {}), (ReportKind.USER_JOINED, {"participant": "page-0001"})]
    for seq, (kind, data) in enumerate(kinds, start=1):
        report = Report(seq=seq, at_ms=0, kind=kind, data=data)
        await house.parts.reports.take(Way.LINK, session.launch_id, session.id, report)
    return session.id


async def test_two_starts_at_once_are_one_launch_and_two_equal_answers(house: House) -> None:
    """FAILURES 1."""
    started = await asyncio.gather(*(house.sessions.start("ada", None) for _ in range(10)))
    assert len({s.session.id for s in started}) == 1
    assert sorted(s.reused for s in started) == [False] + [True] * 9
    await house.until_true(lambda: bool(house.launcher.orders))
    assert len(house.launcher.orders) == 1


async def test_a_start_while_the_bot_is_cold_launches_no_second_bot(house: House) -> None:
    """FAILURES 2."""
    first = await house.sessions.start("ada", None)
    await house.until_true(lambda: bool(house.launcher.orders))
    second = await house.sessions.start("ada", None)
    assert second.reused
    assert second.session.launch_id == first.session.launch_id
    assert len(house.launcher.orders) == 1


async def test_a_start_while_the_last_session_ends_is_a_new_session(house: House) -> None:
    """FAILURES 13: start is pressed while stopping."""
    first = await a_call(house)
    await house.sessions.stop(first, "ada")
    second = await house.sessions.start("ada", None)
    assert not second.reused
    assert second.session.id != first
    assert second.session.room == (await house.session(first)).room


async def test_the_launch_order_carries_the_launchs_own_secret(house: House) -> None:
    await house.sessions.start("ada", None)
    await house.until_true(lambda: bool(house.launcher.orders))
    (order,) = house.launcher.orders.values()
    assert house.parts.keyring.is_launch_secret(order.launch_id, order.secret)
    assert not house.parts.keyring.is_launch_secret("lau_other", order.secret)


async def test_a_launcher_that_is_away_is_tried_again(house: House) -> None:
    house.launcher.broken = True
    session = (await house.sessions.start("ada", None)).session
    failed = house.parts.metrics.effects_failed.labels(kind="launch_bot")
    await house.until_true(lambda: failed._value.get() >= 1)
    house.launcher.broken = False
    house.clock.advance(5)
    house.parts.hub.publish("effects")
    await house.until_true(lambda: session.launch_id in house.launcher.orders)


async def test_an_effect_that_always_fails_is_buried_in_sight(house: House) -> None:
    house.launcher.broken = True
    await house.sessions.start("ada", None)
    dead = house.parts.metrics.effects_dead.labels(kind="launch_bot")
    failed = house.parts.metrics.effects_failed.labels(kind="launch_bot")
    for attempt in range(1, POLICIES[Outside.LAUNCH_BOT].attempts + 1):
        await house.until_true(lambda attempt=attempt: failed._value.get() >= attempt)  # type: ignore[misc]
        house.clock.advance(15)
        house.parts.hub.publish("effects")
    await house.until_true(lambda: dead._value.get() == 1)


async def test_a_hung_bot_does_not_keep_its_own_end_waiting(house: House) -> None:
    """FAILURES 18. No link is up to tell it the end; the process is ended all the same."""
    session_id = await a_call(house)
    await house.sessions.stop(session_id, "ada")
    await house.until_true(lambda: bool(house.launcher.ended))
    assert house.launcher.ended[0][1:] == (Limits().polite_s, Limits().term_s)


async def test_what_is_typed_while_the_clock_stands_still_or_goes_back_is_told(
    house: House,
) -> None:
    session_id = await a_call(house)
    await house.sessions.message(session_id, "ada", "one")
    house.clock.advance(-60)
    await house.sessions.message(session_id, "ada", "two")
    effects = await house.parts.store.effects.of(session_id)
    assert [effect.payload["data"]["text"] for effect in effects] == ["one", "two"]


async def test_of_many_who_change_a_session_at_once_nobody_is_refused(house: House) -> None:
    session_id = await a_call(house)
    await asyncio.gather(*(house.sessions.message(session_id, "ada", f"{n}") for n in range(60)))
    assert len(await house.parts.store.effects.of(session_id)) == 60


async def test_stopping_twice_hurries(house: House) -> None:
    session_id = await a_call(house)
    for _ in range(2):
        await house.sessions.stop(session_id, "ada")
    await house.until_true(lambda: len(house.launcher.ended) == 2)
    assert [polite_s for _, polite_s, _ in house.launcher.ended] == [Limits().polite_s, 0.0]


async def test_commands_that_wait_for_a_link_keep_nobody_elses_effects_waiting(
    house: House,
) -> None:
    """One user switches the microphone on and off while the bot is not linked yet."""
    session = (await house.sessions.start("ada", None)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    for n in range(1, 202):
        await house.sessions.mute(session.id, "ada", muted=n % 2 == 1, timestamp_ms=n)
    other = (await house.sessions.start("bob", None)).session
    await house.until_true(lambda: other.launch_id in house.launcher.orders)


async def test_the_timekeeper_sleeps_while_a_command_waits_for_its_link(house: House) -> None:
    session = (await house.sessions.start("ada", None)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    await house.sessions.mute(session.id, "ada", muted=True, timestamp_ms=1)
    assert await house.parts.store.next_due_at() == session.created_at + METERING_S


async def test_the_exit_of_a_bot_ends_the_session_and_is_forgotten(house: House) -> None:
    session_id = await a_call(house)
    launch_id = (await house.session(session_id)).launch_id
    await house.launcher.exit(launch_id, ExitCause.SIGNALLED, None)
    session = await house.until(lambda s: s.stage is Stage.ENDED, session_id)
    assert session.reason is EndReason.BOT_CRASHED
    await house.until_true(lambda: not house.launcher._exits)


async def test_deadlines_are_carried_out_by_the_clock_alone(house: House) -> None:
    session_id = await a_call(house)
    assert await house.timekeeper.tick() == 0
    house.clock.advance(120)
    assert await house.timekeeper.tick() == 2  # it is billed, and it is idle
    assert (await house.session(session_id)).reason is EndReason.IDLE


async def test_a_laptop_that_slept_finds_its_session_over(house: House) -> None:
    """FAILURES 21."""
    session_id = await a_call(house)
    house.clock.advance(3600)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).stage is Stage.ENDING
    house.clock.advance(5)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).stage is Stage.ENDED


async def test_a_bot_that_vanished_without_a_word_is_lost(house: House) -> None:
    """FAILURES 5 and 20: the record says that a bot is there."""
    session_id = await a_call(house)
    house.launcher.vanish((await house.session(session_id)).launch_id)
    await house.reconciler.look()
    assert (await house.session(session_id)).stage is Stage.ACTIVE, "its exit may be on its way"
    await house.reconciler.look()
    session = await house.session(session_id)
    assert (session.stage, session.reason) == (Stage.ENDED, EndReason.LOST)


async def test_a_process_without_a_session_is_ended(house: House) -> None:
    """FAILURES 20: orphans end."""
    session_id = await a_call(house)
    launch_id = (await house.session(session_id)).launch_id
    gone = i.BotExited(launch_id, clean=True, code="bot_exited", message="")
    await house.sessions.apply(session_id, gone)
    await house.reconciler.look()
    assert [call[0] for call in house.launcher.ended] == [launch_id]


async def test_nobody_becomes_another_user_by_saying_so(house: House) -> None:
    """FAILURES 25."""
    session_id = await a_call(house)
    with pytest.raises(NotFound):
        await house.sessions.get(session_id, "eve")
    with pytest.raises(NotFound):
        await house.sessions.stop(session_id, "eve")
    offer = Offer(offer_id="offer-0001", participant="page-0002", sdp="v=0")
    with pytest.raises(OfferConflict):
        await house.sessions.connect(session_id, "eve", offer)


async def test_a_ticket_opens_one_session_once(house: House) -> None:
    """FAILURES 26."""
    session_id = await a_call(house)
    ticket = await house.sessions.ticket(await house.session(session_id))
    session, own = await house.sessions.redeem(ticket)
    assert (session.id, own) == (session_id, True)
    for_a_guest = await house.sessions.ticket(session, "bob")
    assert (await house.sessions.redeem(for_a_guest))[1] is False
    with pytest.raises(Forbidden):
        await house.sessions.redeem(ticket)
    old = await house.sessions.ticket(await house.session(session_id))
    house.clock.advance(60)
    with pytest.raises(Forbidden):
        await house.sessions.redeem(old)


async def test_while_draining_running_sessions_are_found_and_none_is_begun(house: House) -> None:
    """FAILURES 23."""
    session_id = await a_call(house)
    house.sessions.refuse_new()
    assert (await house.sessions.start("ada", None)).session.id == session_id
    with pytest.raises(Draining):
        await house.sessions.start("bob", None)
    assert house.refused("draining") == 1


async def test_rooms_are_the_same_for_one_user_and_nobody_elses(house: House) -> None:
    keyring = house.parts.keyring
    assert keyring.room_for("ada", "cards") == keyring.room_for("ada", "cards")
    assert keyring.room_for("ada", "cards") != keyring.room_for("adb", "cards")
    assert keyring.room_for("ada/../é", "cards").startswith("voice-ada-")
    assert len(keyring.room_for("x" * 255, "cards")) <= 128
