"""Sessions whose bots are agents on Pipecat Cloud: full pools, late agents, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from greenroom import assembly
from greenroom.elsewhere import COLD_JOIN_S
from greenroom.errors import AgentsFull, MachineFull
from greenroom.hub.memory import MemoryHub
from greenroom.launch.pipecat_cloud.capacity import AGENT_QUOTAS
from greenroom.outbound.sender import HttpSender
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import Store
from greenroom.rooms.local import LocalRooms
from greenroom.service.purse import Money
from greenroom.service.reports import Way
from greenroom.session.cost import cost_of
from greenroom.session.facts import Outcome
from greenroom.session.model import EndReason, Limits, Session, Stage
from greenroom.session.policy import UNLIMITED
from greenroom.session.prices import MICRO
from greenroom.testing.clock import FakeClock
from greenroom.testing.deployments import Fault
from greenroom.wire.handover import handed_over
from greenroom.wire.link import Offer, Report, ReportKind, RoomKind
from tests.daily.house import a_domain, rooms_on
from tests.launch.cloud import Cloud, a_cloud

WITHIN_S = 10.0


@dataclass
class House:
    whole: assembly.House
    cloud: Cloud
    clock: FakeClock

    async def start(self, user: str = "ada", **more: Any) -> Session:
        return (await self.whole.parts.sessions.start(user, None, **more)).session

    async def session(self, session_id: str) -> Session:
        return await self.whole.parts.store.get(session_id)

    async def agents(self, number: int) -> None:
        """Wait until so many agents run."""
        async with asyncio.timeout(WITHIN_S):
            while len(self.cloud.active) != number:
                await asyncio.sleep(0.01)

    async def event(self, session_id: str, type_: str) -> dict[str, Any]:
        """Wait for the first event of this type."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                events = await self.whole.parts.store.events_after(session_id, 0, 100)
                found = [event.data for event in events if event.type == type_]
                if found:
                    return found[0]
                await asyncio.sleep(0.01)

    async def until(self, session_id: str, stage: Stage) -> Session:
        async with asyncio.timeout(WITHIN_S):
            while (session := await self.session(session_id)).stage is not stage:
                await asyncio.sleep(0.01)
        return session


@contextlib.asynccontextmanager
async def a_house(
    store: Store,
    plan: assembly.Plan,
    folder: Path,
    rooms: Rooms | None = None,
    clock: FakeClock | None = None,
    **cloud: Any,
) -> AsyncIterator[House]:
    clock = clock or FakeClock()
    async with a_cloud(folder, clock, **cloud) as carrying:
        adapters = assembly.Adapters(
            store,
            MemoryHub(),
            clock,
            carrying.launcher,
            rooms or LocalRooms([], allow_loopback=True),
            HttpSender([]),
            carrying.capacity,
        )
        whole = assembly.assemble(adapters, plan)
        runs = (whole.dispatcher.run, whole.waiting_room.run, whole.reconciler.follow_exits)
        tasks = [asyncio.create_task(run()) for run in runs]
        yield House(whole, carrying, clock)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    limits = Limits(join_s=COLD_JOIN_S)
    return replace(
        plan,
        quotas=replace(UNLIMITED, machine=AGENT_QUOTAS),
        money=Money(),
        assistants=[replace(one, limits=limits) for one in plan.assistants],
    )


@pytest.fixture
async def house(store: Store, plan: assembly.Plan, tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(store, plan, tmp_path) as house:
        yield house


async def test_an_agent_is_started_with_its_session_and_stopped_with_it(house: House) -> None:
    session = await house.start(body={"name": "Ada"})
    await house.agents(1)
    told = handed_over(house.cloud.active[0].body)
    assert told is not None
    assert (told.session.session_id, told.session.body) == (session.id, {"name": "Ada"})
    assert told.session.room.name == session.room
    starting = await house.event(session.id, "voice.bot.starting")
    assert starting == {"withinS": COLD_JOIN_S}, "what is left until the join deadline"
    await house.whole.parts.sessions.stop(session.id, "ada")
    await house.agents(0)
    ended = await house.until(session.id, Stage.ENDED)
    assert ended.reason is EndReason.USER


async def test_an_agent_gets_into_a_room_on_daily_by_a_token_of_its_own(
    store: Store, plan: assembly.Plan, tmp_path: Path
) -> None:
    clock = FakeClock()
    daily = a_domain(clock)
    async with a_house(store, plan, tmp_path, rooms_on(daily, clock), clock) as house:
        session = await house.start()
        await house.agents(1)
        told = handed_over(house.cloud.active[0].body)
        assert told is not None
        room = told.session.room
        assert (room.kind, room.name) == (RoomKind.DAILY, session.room)
        daily.join(room.name, room.token)
        await house.whole.parts.sessions.stop(session.id, "ada")
        await house.agents(0)
        await house.until(session.id, Stage.ENDED)


async def test_a_wrong_key_ends_the_session_at_once(house: House) -> None:
    house.cloud.stand_in.public_keys.clear()
    session = await house.start()
    ended = await house.until(session.id, Stage.ENDED)
    assert ended.reason is EndReason.LAUNCH_FAILED


async def test_429_for_a_minute_is_waited_out_and_others_are_told_at_once(house: House) -> None:
    house.cloud.stand_in.order(Fault("start", 429, retry_after_s=60))
    calls = house.cloud.stand_in.calls
    session = await house.start()
    async with asyncio.timeout(WITHIN_S):
        while house.cloud.capacity.load() is None:
            await asyncio.sleep(0.01)
    with pytest.raises(MachineFull):
        await house.start("grace")
    waiting = await house.start("edsger", wait=True)
    assert waiting.stage is Stage.QUEUED
    assert len(calls) == 1, "nothing is asked before its time"
    assert (await house.session(session.id)).stage is Stage.CONNECTING
    house.clock.advance(61)
    await house.agents(1)


async def test_who_would_wait_is_put_back_in_line_by_a_429(house: House) -> None:
    house.cloud.stand_in.order(Fault("start", 429, retry_after_s=60))
    session = await house.start(wait=True)
    assert session.stage is Stage.CONNECTING, "there seemed to be a place"
    assert (await house.until(session.id, Stage.QUEUED)).queue_position == 1
    later = await house.start("grace", wait=True)
    assert (later.stage, later.queue_position) == (Stage.QUEUED, 2)
    await house.whole.waiting_room.look()
    assert house.cloud.active == [], "nobody is let in before the time that they were told"
    house.cloud.deployment.max_agents = 1
    await house.cloud.capacity.look()
    house.cloud.capacity._full_until_s = 0.0
    await house.agents(1)
    assert (await house.session(later.id)).stage is Stage.QUEUED
    assert (await house.session(session.id)).stage is Stage.CONNECTING, "first come, first served"


async def test_who_would_not_wait_is_busy_at_once_when_429_lasts_too_long(house: House) -> None:
    house.cloud.stand_in.order(Fault("start", 429, retry_after_s=600))
    session = await house.start()
    offer = Offer(offer_id="offer-0001", participant="page-0001", sdp="v=0")
    with pytest.raises(AgentsFull):
        await house.whole.parts.sessions.connect(session.id, "ada", offer)
    assert (await house.until(session.id, Stage.ENDED)).reason is EndReason.BUSY
    assert house.cloud.active == []


async def test_a_429_keeps_nobodys_end_waiting(
    store: Store, plan: assembly.Plan, tmp_path: Path
) -> None:
    """Found by chaos: the room was closed only when the launch would have been tried again."""
    clock = FakeClock()
    daily = a_domain(clock)
    async with a_house(store, plan, tmp_path, rooms_on(daily, clock), clock) as house:
        house.cloud.stand_in.order(Fault("start", 429, retry_after_s=60))
        session = await house.start()
        async with asyncio.timeout(WITHIN_S):
            while not house.cloud.stand_in.calls:
                await asyncio.sleep(0.01)
        room = await house.whole.parts.entrance.user(session)
        user = daily.join(room.name, room.token)
        await house.whole.parts.sessions.stop(session.id, "ada")
        await house.until(session.id, Stage.ENDED)
        async with asyncio.timeout(WITHIN_S):
            while user.present:
                await asyncio.sleep(0.01)


async def test_a_launch_that_is_given_up_ends_its_session(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.service.dispatch.POLL_S", 0.01)
    house.cloud.stand_in.order(Fault("start", 500, times=100))
    session = await house.start()
    async with asyncio.timeout(WITHIN_S):
        while (await house.session(session.id)).stage is not Stage.ENDED:
            house.clock.advance(1.0)
            await asyncio.sleep(0.01)
    assert (await house.session(session.id)).reason is EndReason.LAUNCH_FAILED


@pytest.mark.parametrize(
    ("reports", "goes", "left_s"), [(False, False, 7_200), (True, True, 0), (True, False, 7_200)]
)
async def test_what_nobody_can_stop_or_tell_is_refused_and_billed_to_its_end(
    store: Store,
    plan: assembly.Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    reports: bool,
    goes: bool,
    left_s: int,
) -> None:
    """One that reports can be told that it is over, and goes, unless it hangs."""
    monkeypatch.setattr("greenroom.launch.pipecat_cloud.launcher.GOES_WITHIN_S", 0.0)
    async with a_house(store, plan, tmp_path, stops=False) as house:
        session = await house.start()
        await house.agents(1)
        taken = house.whole.parts.reports
        joined = Report(seq=1, at_ms=0, kind=ReportKind.BOT_JOINED, data={"level": "attached"})
        if reports:
            await taken.take(Way.WEBHOOK, session.launch_id, session.id, joined)
        if goes:
            house.cloud.agent.finish(house.cloud.active[0].id)
        await house.whole.parts.sessions.stop(session.id, "ada")
        ended = await house.until(session.id, Stage.ENDED)
        billed = ended.meter.quantities.get("container.seconds", 0) / MICRO
        assert billed == pytest.approx(left_s, abs=1)
        assert "container" in cost_of(ended).components or not left_s
        late = joined.model_copy(update={"seq": 2 if reports else 1})
        after = await taken.take(Way.WEBHOOK, session.launch_id, session.id, late)
        assert after.outcome in (Outcome.IGNORED, Outcome.FENCED), "what it says is of no use"
        assert (await house.session(session.id)).stage is Stage.ENDED


async def test_an_agent_whose_session_is_over_is_stopped_when_that_is_possible_again(
    house: House,
) -> None:
    """The reconciler's work: while it could not be stopped, its session had to end."""
    session = await house.start()
    await house.agents(1)
    fault = Fault("stop", 500, times=1_000_000)
    house.cloud.stand_in.order(fault)
    await house.whole.parts.sessions.stop(session.id, "ada")
    house.clock.advance(10)
    await house.whole.timekeeper.tick()
    assert (await house.session(session.id)).stage is Stage.ENDED
    await house.agents(1)
    fault.times = 0
    await house.whole.reconciler.look()
    await house.agents(0)
