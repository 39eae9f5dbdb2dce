"""One run elsewhere: people live, providers fail, and the verdict is read from their books."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from greenroom.api.identity import Identity
from greenroom.testing.daily import Fault as DailyFault
from greenroom.testing.deployments import Fault as CloudFault
from greenroom.testing.postgres_server import PostgresServer
from tests.chaos.elsewhere import verdict
from tests.chaos.elsewhere.gate import Gate, Way
from tests.chaos.elsewhere.house import HouseElsewhere
from tests.chaos.elsewhere.people import Visitor
from tests.chaos.elsewhere.plan import Fault
from tests.chaos.elsewhere.providers import COLD_START_S, MAX_AGENTS
from tests.chaos.plan import Misfortune
from tests.chaos.run import LIMITS, PROMISES, Result, Run
from tests.chaos.spans import Spans
from tests.chaos.verdict import complaints

PEOPLE = 6
# An agent has to begin, and to be seen in its room, by whichever way that is told.
LIMITS_ELSEWHERE = {**LIMITS, "GREENROOM_JOIN_S": "8", "GREENROOM_PAUSE_S": "5"}
# The server's clock may be wrong by minutes, or it refuses what others sign: so it is not moved
# further than this in all.
_JUMP_MOST_S, _AHEAD_MOST_S, _BACK_MOST_S = 60.0, 200.0, 4.0
_AWAY_MOST_S, _FROZEN_MOST_S = 5.0, 4.0
_LATER_THAN_CLIENTS_S = 8.5
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class _Aimed:
    """What waits for a call of Pipecat Cloud's, or a path of Daily's."""

    cloud: CloudFault | None = None
    daily: DailyFault | None = None


# The faults that are answers; ``times`` is made of the strength.
_ANSWERS = {
    Fault.START_FAILS: _Aimed(CloudFault("start", 503)),
    Fault.START_LOST: _Aimed(CloudFault("start", 500, late=True)),
    Fault.START_LATE: _Aimed(CloudFault("start", None, delay_s=_LATER_THAN_CLIENTS_S)),
    Fault.START_429: _Aimed(CloudFault("start", 429)),
    Fault.STOP_FAILS: _Aimed(CloudFault("stop", 500)),
    Fault.STOP_LOST: _Aimed(CloudFault("stop", 502, late=True)),
    Fault.LIST_FAILS: _Aimed(CloudFault("list", 500)),
    Fault.ROOMS_FAIL: _Aimed(daily=DailyFault(500)),
    Fault.ROOMS_LOST: _Aimed(daily=DailyFault(502, done=True)),
    Fault.ROOMS_LATE: _Aimed(daily=DailyFault(None, delay_s=5.5)),
    Fault.ROOMS_429: _Aimed(daily=DailyFault(429)),
}


class RunElsewhere(Run):
    """As `Run`, with providers that fail.

    Args:
        house: Opened.
        seed: Of the people's dice.
        tell: Is given one line for each thing that happens.
    """

    _house: HouseElsewhere

    def __init__(self, house: HouseElsewhere, seed: int, tell: Callable[[str], None]) -> None:
        super().__init__(house, seed, tell)
        self._troubles: set[asyncio.Task[None]] = set()
        self._outlived = verdict.Outlived(0, 0.0)

    async def _invite(self, identity: Identity) -> Sequence[Visitor]:
        house = self._house
        return [
            Visitor(f"person-{n}", house.server.url, identity, self._seed, house.providers.daily)
            for n in range(PEOPLE)
        ]

    async def _strike(self, m: Misfortune[Any]) -> None:
        house = self._house
        match m.fault:
            case Fault.KILL_SERVER:
                await self._out(house.restart_after(signal.SIGKILL))
            case Fault.TERM_SERVER:
                await self._out(house.restart_after(signal.SIGTERM))
            case Fault.FREEZE_SERVER:
                await self._out(house.freeze_server(1 + m.strength * _FROZEN_MOST_S))
            case Fault.DATABASE_AWAY:
                await self._out(house.take_database(1 + m.strength * _AWAY_MOST_S))
            case Fault.CLOCK_FORWARD:
                left_s = _AHEAD_MOST_S - house.server_time.offset_s
                house.move_clock(min(left_s, 3 + m.strength * _JUMP_MOST_S))
            case Fault.CLOCK_BACK:
                house.move_clock(-(0.5 + m.strength * _BACK_MOST_S))
            case Fault.CUT_LINES:
                house.lines.cut(None if m.strength > 0.8 else m.victim)
            case Fault.KILL_AGENT | Fault.STOP_AGENT:
                kill = m.fault is Fault.KILL_AGENT
                if (agent := house.victim(m.victim)) is not None:
                    number = signal.SIGKILL if kill else signal.SIGSTOP
                    house.providers.nursery.signal(agent, number)
            case Fault.HANG_AGENT:
                await self._people[int(m.victim * len(self._people))].hang_bot()
            case Fault.ROOM_TAKEN | Fault.ROOM_PUBLIC:
                self._spoil_a_room(m)
            case _:
                self._trouble(m)

    def _spoil_a_room(self, m: Misfortune[Any]) -> None:
        daily = self._house.providers.daily
        if rooms := list(daily.book.rooms.values()):
            room = rooms[int(m.victim * len(rooms))]
            if m.fault is Fault.ROOM_TAKEN:
                daily.delete(room.name)
            else:
                room.privacy = "public"

    # ---- what providers do

    def _trouble(self, m: Misfortune[Any]) -> None:
        providers, post = self._house.providers, self._house.providers.post
        for_s = 1 + m.strength * _AWAY_MOST_S
        match m.fault:
            case Fault.SILENT_LINES:
                # Whoever is not heard says nothing that could be late: the lines are the agents'.
                self._for_a_while(self._shut(self._house.lines, Way.SILENT, for_s))
            case Fault.CLOUD_AWAY | Fault.CLOUD_SILENT:
                way = Way.AWAY if m.fault is Fault.CLOUD_AWAY else Way.SILENT
                no_stop = providers.no_stop
                self._for_a_while(self._shut(providers.cloud_gate, way, for_s, no_stop))
            case Fault.DAILY_AWAY | Fault.DAILY_SILENT:
                way = Way.AWAY if m.fault is Fault.DAILY_AWAY else Way.SILENT
                no_rooms = providers.no_rooms
                self._for_a_while(self._shut(providers.daily_gate, way, for_s, no_rooms))
            case Fault.COLD_STARTS:
                cold_s = 1 + m.strength * 8
                self._for_a_while(self._deployed("cold_start_s", cold_s, COLD_START_S, 4 * for_s))
            case Fault.POOL_FULL:
                most = max(1, len(self._house.agents()))
                self._for_a_while(self._deployed("max_agents", most, MAX_AGENTS, 2 * for_s))
            case Fault.NO_STOP:
                # One of them hears nothing either: it can only be waited for.
                if (agent := self._house.victim(m.victim)) is not None:
                    providers.nursery.signal(agent, signal.SIGSTOP)
                self._for_a_while(self._no_stop(None if m.victim < 0.5 else False, 4 * for_s))
            case Fault.EVENTS_LATE:
                post.held_until, post.backwards = time.monotonic() + for_s, True
            case Fault.EVENTS_TWICE:
                post.twice += 1 + int(m.strength * 20)
            case Fault.EVENTS_MISSING:
                post.lost += 1 + int(m.strength * 4)
            case _:
                self._answer(_ANSWERS[m.fault], 1 + int(m.strength * 3))

    def _answer(self, aimed: _Aimed, times: int) -> None:
        providers = self._house.providers
        if aimed.cloud is not None:
            again_s = 3 * times if aimed.cloud.status == 429 else None
            # Of late starts one at a time: each keeps somebody waiting for all of its join time.
            times = 1 if aimed.cloud.delay_s else times
            providers.cloud.order(replace(aimed.cloud, times=times, retry_after_s=again_s))
        if aimed.daily is not None:
            providers.daily.faults.order(replace(aimed.daily, times=times))

    def _for_a_while(self, trouble: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(trouble)
        self._troubles.add(task)
        task.add_done_callback(self._troubles.discard)

    async def _shut(self, gate: Gate, way: Way, for_s: float, spans: Spans | None = None) -> None:
        with spans.during() if spans else contextlib.nullcontext():
            async with gate.being(way):
                await asyncio.sleep(for_s)

    async def _deployed(self, what: str, value: float, usual: float, for_s: float) -> None:
        setattr(self._house.providers.deployment, what, value)
        await asyncio.sleep(for_s)
        setattr(self._house.providers.deployment, what, usual)

    async def _no_stop(self, stops: bool | None, for_s: float) -> None:
        with self._house.providers.no_stop.during():
            self._house.providers.deployment.stops = stops
            await asyncio.sleep(for_s)
            self._house.providers.deployment.stops = True

    # ---- looking

    async def _watch(self) -> None:
        """Nothing that the books do not tell afterwards."""
        await asyncio.Event().wait()

    async def _until_nobody_lives(self) -> None:
        """Troubles end, and whoever could be stopped is, and rooms are closed."""
        await asyncio.gather(*self._troubles)
        self._house.providers.cloud.faults.clear()
        self._house.providers.daily.faults.clear()
        with contextlib.suppress(TimeoutError):  # who could not be stopped is the verdict's
            async with asyncio.timeout(verdict.AGENT_LATE_S + verdict.ROOM_LATE_S):
                while self._house.agents() or verdict.rooms_left_open(self._rooms(), time.time()):
                    await asyncio.sleep(_LOOK_EVERY_S)

    def _rooms(self) -> list[Any]:
        return list(self._house.providers.daily.book.rooms.values())

    async def _complaints(self) -> list[str]:
        found, house = await self._house.found(), self._house
        books = verdict.Books(
            rooms=self._rooms(),
            agents=list(house.providers.cloud.sessions.values()),
            diary=found.diary,
            sessions=found.sessions,
            out=house.outages.all,
            no_rooms=house.providers.no_rooms.all,
            no_stop=house.providers.no_stop.all,
            now=time.time(),
        )
        self._outlived = verdict.outlived(books)
        return [*complaints(found, PROMISES), *verdict.complaints(books)]

    def _noted(self) -> list[str]:
        one = self._outlived
        agents = len(self._house.providers.cloud.sessions)
        return [f"{one.agents} of {agents} agents could not be stopped: {one.seconds:.0f} s"]


async def run(
    folder: Path,
    seed: int,
    misfortunes: Iterable[Misfortune[Fault]],
    postgres: PostgresServer | None,
    tell: Callable[[str], None],
    limits: Mapping[str, str] = LIMITS_ELSEWHERE,
) -> Result:
    """A whole run."""
    async with HouseElsewhere(folder, limits, postgres).open() as house:
        await house.providers.tell(f"{house.server.url}/daily/webhook")
        return await RunElsewhere(house, seed, tell).result(misfortunes)
