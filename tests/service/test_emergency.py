"""FAILURES 24: the stop button. What it promises on real stores, and who may press it."""

from __future__ import annotations

import asyncio

import pytest

from greenroom.errors import Halted, Unavailable
from greenroom.ports.audit import Act
from greenroom.ports.launcher import ExitCause
from greenroom.session.model import EndReason, Stage
from tests.conftest import House
from tests.service.test_service import a_call


async def test_stop_all_ends_every_session_and_tells_every_page_why(house: House) -> None:
    calls = [await a_call(house, user) for user in ("ada", "bob", "eve")]
    obeying = asyncio.create_task(_obey(house))
    stopped = await house.emergency.stop("The bill is on fire.")
    obeying.cancel()
    assert (stopped.ended, stopped.left) == (3, 0)
    for session_id in calls:
        session = await house.session(session_id)
        assert (session.stage, session.reason) == (Stage.ENDED, EndReason.EMERGENCY)
        *_, last = await house.parts.store.events_after(session_id, 0, 100)
        assert last.type == "voice.session.end"
        assert last.data["reason"] == "emergency"
        assert last.data["message"].endswith("the people in charge: The bill is on fire.")


async def test_nothing_begins_until_resume_not_even_in_another_house(house: House) -> None:
    await house.emergency.stop("fire")
    for _ in range(2):
        with pytest.raises(Halted, match="fire"):
            await house.sessions.start("ada", None)
    assert house.refused("halted") == 2
    assert await house.launcher.halted()
    assert (await house.emergency.resume(), await house.emergency.resume()) == (True, False)
    await house.sessions.start("ada", None)
    await house.until_true(lambda: len(house.launcher.orders) == 1)


async def test_of_starts_that_meet_the_button_no_bot_is_left_or_comes_later(house: House) -> None:
    """A property: after stop-all returned, no new bot process appears until resume."""
    obeying = asyncio.create_task(_obey(house))

    admitted: list[int] = []

    async def start(number: int) -> None:
        for again in range(number, 400, 10):  # until the button is pressed
            try:
                await house.sessions.start(f"user-{again}", None)
            except Halted:
                return
            admitted.append(again)

    starting = [asyncio.create_task(start(number)) for number in range(10)]
    await house.until_true(lambda: len(house.launcher.orders) >= 3)
    stopped = await house.emergency.stop("")
    launched = set(house.launcher.orders)
    await asyncio.gather(*starting)
    assert stopped.left == 0
    assert 0 < len(admitted) < 400, "the button fell among the starts"
    await house.until_true(lambda: not house.launcher._alive)
    assert set(house.launcher.orders) == launched
    assert await house.parts.store.unended() == []
    obeying.cancel()


async def test_a_launch_that_was_due_is_not_carried_out_after_the_button(house: House) -> None:
    """The launcher is away when the session starts; it comes back after everything was stopped."""
    house.launcher.broken = True
    session = (await house.sessions.start("ada", None)).session
    failed = house.parts.metrics.effects_failed.labels(kind="launch_bot")
    await house.until_true(lambda: failed._value.get() == 1)
    await house.parts.store.halt("fire", 0.0)
    house.launcher.broken = False
    house.clock.advance(15)
    house.parts.hub.publish("effects")
    ended = await house.until(lambda s: s.stage is Stage.ENDED, session.id)
    assert ended.reason is EndReason.EMERGENCY
    assert house.launcher.orders == {}


async def test_a_session_stopped_before_its_launch_does_not_wait_for_an_exit(house: House) -> None:
    """FAILURES 13: stop is pressed while starting."""
    house.launcher.broken = True
    session = (await house.sessions.start("ada", None)).session
    # From here on its next try has its time, which is before the clock's next one.
    failed = house.parts.metrics.effects_failed.labels(kind="launch_bot")
    await house.until_true(lambda: failed._value.get() >= 1)
    await house.sessions.stop(session.id, "ada")
    house.launcher.broken = False
    house.clock.advance(15)
    house.parts.hub.publish("effects")
    await house.until(lambda s: s.stage is Stage.ENDED, session.id)
    assert house.launcher.orders == {}


async def test_a_brake_pulled_from_outside_is_put_on_record(house: House) -> None:
    """By ``greenroom stop-all --force``, which asks neither server nor database."""
    session_id = await a_call(house)
    obeying = asyncio.create_task(_obey(house))
    await house.launcher.halt("by force")
    await house.emergency.look()
    obeying.cancel()
    assert (await house.session(session_id)).reason is EndReason.EMERGENCY
    halt = await house.parts.store.halted()
    assert halt is not None
    assert halt.reason == "by force"
    (entry,) = await house.parts.store.audit.listed(limit=10)
    assert (entry.act, entry.actor.name) == (Act.STOP_ALL, "stop-all --force")
    assert entry.detail == {"reason": "by force"}
    await house.emergency.resume()
    await house.emergency.look()
    assert await house.emergency.halted() is None


async def test_a_stop_that_the_server_died_in_is_finished_by_the_next(house: House) -> None:
    session_id = await a_call(house)
    await house.parts.store.halt("fire", 0.0)
    await house.emergency.look()
    session = await house.session(session_id)
    assert (session.reason, session.end_note) == (EndReason.EMERGENCY, "fire")


async def test_without_a_database_bots_are_ended_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await a_call(house)
    launch_id = (await house.session(session_id)).launch_id

    async def away(*_: object) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(house.parts.store, "halt", away)
    with pytest.raises(Unavailable):
        await house.emergency.stop("fire")
    assert [call[0] for call in house.launcher.ended] == [launch_id]
    assert await house.launcher.halted()


async def _obey(house: House) -> None:
    """Let every bot end that is told to, as real ones do. Until cancelled."""
    done = 0
    while True:
        await house.until_true(lambda done=done: len(house.launcher.ended) > done)  # type: ignore[misc]
        launch_id = house.launcher.ended[done][0]
        done += 1
        if launch_id in house.launcher._alive:
            await house.launcher.exit(launch_id, ExitCause.ENDED, None)
