"""Every deadline on a real store: at its second, after a sleep, a jump of the clock, a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from greenroom import assembly
from greenroom.hub.memory import MemoryHub
from greenroom.outbound.sender import HttpSender
from greenroom.rooms.local import LocalRooms
from greenroom.service.sessions import Assistant
from greenroom.session import inputs as i
from greenroom.session.model import DeadlineKind, EndReason, Limits, PauseCause, Session, Stage
from greenroom.session.policy import Quotas
from greenroom.store.sqlite import open_sqlite
from greenroom.testing.launcher import FakeLauncher
from tests.conftest import SECRET, House

HOUR_S = 3600.0
Prepare = Callable[[House], Awaitable[str]]


async def report(house: House, session_id: str, content: i.BotReport) -> None:
    session = await house.session(session_id)
    event = i.Reported(session.launch_id, session.report_seq + 1, content)
    await house.sessions.apply(session_id, event)


async def connecting(house: House) -> str:
    return (await house.sessions.start("ada", None)).session.id


async def active(house: House) -> str:
    session_id = await connecting(house)
    await house.sessions.apply(session_id, i.Offer("page-1"))
    await report(house, session_id, i.BotJoined())
    await report(house, session_id, i.UserJoined("page-1"))
    return session_id


async def lively(house: House) -> str:
    """Somebody says something every minute, for nine minutes."""
    session_id = await active(house)
    for _ in range(9):
        house.clock.advance(60)
        await report(house, session_id, i.UserSpeech(speaking=True))
    house.clock.advance(-540)
    return session_id


async def paused(house: House) -> str:
    session_id = await active(house)
    await house.sessions.apply(session_id, i.Pause(PauseCause.USER))
    return session_id


async def lingering(house: House) -> str:
    session_id = await active(house)
    await report(house, session_id, i.UserLeft("page-1"))
    return session_id


async def ending(house: House) -> str:
    session_id = await active(house)
    await house.sessions.stop(session_id, None)
    return session_id


async def queued(house: House) -> str:
    await house.sessions.start("bob", None)
    return (await house.sessions.start("ada", None, wait=True)).session.id


# The table of DESIGN: which clock, from when, after how long, and what the end is called. With the
# hard limit far away where it would come first: a pause of ten minutes ends at eleven.
LONG = Limits(max_duration_s=7200)
TABLE = [
    (DeadlineKind.JOIN, Limits(), connecting, 30, EndReason.NO_SHOW),
    (DeadlineKind.HARD, Limits(), lively, 600, EndReason.MAX_DURATION),
    (DeadlineKind.IDLE, Limits(), active, 120, EndReason.IDLE),
    (DeadlineKind.PAUSE, LONG, paused, 600, EndReason.PAUSED_TOO_LONG),
    (DeadlineKind.LINGER, Limits(), lingering, 300, EndReason.LEFT),
    (DeadlineKind.ENDING, Limits(), ending, 5, EndReason.USER),
    (DeadlineKind.QUEUE, Limits(), queued, 300, EndReason.QUEUE_TIMEOUT),
]
EACH = pytest.mark.parametrize(
    ("kind", "limits", "prepare", "after_s", "reason"), TABLE, ids=[row[0] for row in TABLE]
)


@pytest.fixture
def quotas() -> Quotas:
    return Quotas(live=1, user_cooldown_s=None, day=None, user_day=None)


async def begun(house: House, limits: Limits, prepare: Prepare) -> tuple[str, float]:
    """The session, and how far the clock has come before it counts."""
    house.parts.catalogue.bounds.given["cards"] = Assistant(
        "cards", "greenroom.bot.cards", "C", limits
    )
    return await prepare(house), house.clock.now()


def is_over(session: Session, kind: DeadlineKind) -> bool:
    """An end is asked for, except where it is forced or there was nothing to end."""
    forced = kind in (DeadlineKind.ENDING, DeadlineKind.QUEUE)
    return session.stage is (Stage.ENDED if forced else Stage.ENDING)


@EACH
async def test_at_its_second_and_not_before(
    house: House,
    kind: DeadlineKind,
    limits: Limits,
    prepare: Prepare,
    after_s: float,
    reason: EndReason,
) -> None:
    session_id, _ = await begun(house, limits, prepare)
    house.clock.advance(after_s - 0.01)
    await house.timekeeper.tick()
    before = await house.session(session_id)
    assert not is_over(before, kind)
    house.clock.advance(0.02)
    await house.timekeeper.tick()
    after = await house.session(session_id)
    assert is_over(after, kind)
    assert after.reason is reason


@EACH
async def test_a_laptop_that_slept_for_an_hour_ends_what_is_overdue_at_once(
    house: House,
    kind: DeadlineKind,
    limits: Limits,
    prepare: Prepare,
    after_s: float,
    reason: EndReason,
) -> None:
    """FAILURES 21: the machine's clock jumps; a laptop sleeps for an hour."""
    session_id, _ = await begun(house, limits, prepare)
    house.clock.advance(HOUR_S)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).reason is not None
    house.clock.advance(6)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).stage is Stage.ENDED


@EACH
async def test_a_clock_that_is_set_back_ends_nothing_and_loses_no_deadline(
    house: House,
    kind: DeadlineKind,
    limits: Limits,
    prepare: Prepare,
    after_s: float,
    reason: EndReason,
) -> None:
    """FAILURES 21, the other way round."""
    session_id, _ = await begun(house, limits, prepare)
    house.clock.advance(-HOUR_S)
    await house.timekeeper.tick()
    assert not is_over(await house.session(session_id), kind)
    await house.sessions.apply(session_id, i.Mute(muted=True, timestamp_ms=1))
    assert await house.parts.store.next_due_at() is not None
    house.clock.advance(HOUR_S + after_s + 0.01)
    await house.timekeeper.tick()
    assert is_over(await house.session(session_id), kind)


@EACH
async def test_a_restart_only_makes_it_due(
    house: House,
    sqlite_file: Path,
    kind: DeadlineKind,
    limits: Limits,
    prepare: Prepare,
    after_s: float,
    reason: EndReason,
) -> None:
    """FAILURES 20: another server on the same file, after the time has passed."""
    session_id, _ = await begun(house, limits, prepare)
    house.clock.advance(after_s + 0.01)
    store = await open_sqlite(sqlite_file)
    plan = assembly.Plan(SECRET, True, [], "ws://127.0.0.1:1/link", 1 << 29)
    rooms = LocalRooms([], allow_loopback=True)
    adapters = assembly.Adapters(
        store, MemoryHub(), house.clock, FakeLauncher(), rooms, HttpSender([])
    )
    await assembly.assemble(adapters, plan).timekeeper.tick()
    after = await store.get(session_id)
    assert is_over(after, kind)
    assert after.reason is reason
    await store.close()


@pytest.mark.parametrize(
    "act",
    [
        i.UserSpeech(speaking=False),
        i.BotSpeech(speaking=True),
        i.Transcript("user", "hello", final=True, turn=1),
        i.AppReport("app.answer"),
        i.Message("typed"),
        i.Mute(muted=True, timestamp_ms=5),
    ],
    ids=lambda act: type(act).__name__,
)
async def test_whoever_speaks_types_or_acts_is_not_idle(
    house: House, act: i.BotReport | i.Command
) -> None:
    session_id = await active(house)
    house.clock.advance(119)
    if isinstance(act, i.BotReport):
        await report(house, session_id, act)
    else:
        await house.sessions.apply(session_id, act)
    house.clock.advance(119)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).stage is Stage.ACTIVE
    house.clock.advance(2)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).reason is EndReason.IDLE


@pytest.mark.parametrize(
    "noise",
    [
        i.Usage("stt", 10.0, "audio_seconds"),
        i.BotError("stt_failed", "Once more.", fatal=False),
        i.Unreadable(),
    ],
    ids=lambda noise: type(noise).__name__,
)
async def test_what_merely_flows_keeps_nobody_awake(house: House, noise: i.BotReport) -> None:
    """FAILURES 9: no timer is kept alive by an idle stream of media."""
    session_id = await active(house)
    for _ in range(12):
        house.clock.advance(10)
        await report(house, session_id, noise)
    house.clock.advance(1)
    await house.timekeeper.tick()
    assert (await house.session(session_id)).reason is EndReason.IDLE


async def test_without_persistence_leaving_ends_at_once(house: House) -> None:
    session_id, _ = await begun(house, Limits(persistence_s=0), lingering)
    assert (await house.session(session_id)).reason is EndReason.LEFT


@pytest.mark.parametrize("quotas", [Quotas(live=None, day=None)], ids=["no limit of number"])
async def test_forgotten_tabs_are_ended_in_one_look(house: House, quotas: Quotas) -> None:
    """FAILURES 24: hard and idle limits hold, however many forgot their tab."""
    for number in range(30):
        await house.sessions.start(f"user-{number}", None)
    house.clock.advance(HOUR_S)
    while await house.timekeeper.tick():
        house.clock.advance(5)
    assert await house.parts.store.unended() == []


async def test_the_warning_is_an_event_and_the_bot_is_told(house: House) -> None:
    session_id = await lively(house)
    house.clock.advance(480)
    await house.timekeeper.tick()
    events = await house.parts.store.events_after(session_id, 0, 100)
    warnings = [e.data for e in events if e.type == "voice.session.warning"]
    assert warnings == [{"endsInS": pytest.approx(120)}]
    effects = await house.parts.store.effects.of(session_id)
    told = [e.payload["data"] for e in effects if e.payload.get("kind") == "warning"]
    assert told == [{"ends_in_s": pytest.approx(120)}]
