"""One run: people live, misfortune strikes, everybody goes home, and the verdict is read."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection

from greenroom.api.identity import Identity
from greenroom.session.model import Stage
from greenroom.session.rates import Rate
from greenroom.testing.postgres_server import PostgresServer
from tests.chaos.bot import LEAST_TURN_S, TURN_USD
from tests.chaos.house import House
from tests.chaos.people import NO_CODE, Person
from tests.chaos.plan import Fault, Misfortune
from tests.chaos.verdict import LATE_S, Promises, complaints
from tests.e2e.server import eventually

PEOPLE = 7
MOST_AT_ONCE = 4
SESSION_USD = 0.10
LIMITS = {
    "GREENROOM_BUDGET_SESSION_USD": str(SESSION_USD),
    "GREENROOM_METERING_S": "1",
    "GREENROOM_JOIN_S": "6",
    "GREENROOM_MAX_DURATION_S": "14",
    "GREENROOM_IDLE_S": "5",
    "GREENROOM_PAUSE_S": "4",
    "GREENROOM_PERSISTENCE_S": "3",
    "GREENROOM_DRAIN_S": "2",
    "GREENROOM_QUEUE_S": "6",
    "GREENROOM_LIVE_LIMIT": str(MOST_AT_ONCE),
    "GREENROOM_QUEUE_LIMIT": "3",
    "GREENROOM_USER_DAY_LIMIT": "none",
    "GREENROOM_USER_COOLDOWN_S": "0",
    "GREENROOM_DAY_LIMIT": "none",
    # What is tried here is the discipline, not this machine.
    "GREENROOM_MOST_CPU_SHARE": "none",
    # People here are in more of a hurry than people.
    **{f"GREENROOM_{rate.upper()}_PER_MIN": "none" for rate in Rate},
}
PROMISES = Promises(
    most_at_once=MOST_AT_ONCE,
    session_usd=SESSION_USD,
    report_usd=TURN_USD,
    usd_per_s=TURN_USD / LEAST_TURN_S,
    metering_s=1.0,
)
_WATCH_EVERY_S = 1.0
# The longest deadline, an ending that has to be forced, and a look at what lives.
_ALL_OVER_WITHIN_S = 40.0
_DATABASE_AWAY_MOST_S = 6.0
_FROZEN_MOST_S = 4.0
_JUMP_MOST_S = 3_600.0
_BACK_MOST_S = 4.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went.

    Attributes:
        wrong: Every promise that was broken.
        answers: How people were answered.
        log: The server's.
        noted: What is to be told beside.
    """

    wrong: list[str]
    answers: Counter[str]
    log: str
    noted: list[str]


class Run:
    """A house, its people and its misfortunes.

    Args:
        house: Opened.
        seed: Of the people's dice.
        tell: Is given one line for each thing that happens.
    """

    def __init__(self, house: House, seed: int, tell: Callable[[str], None]) -> None:
        self._house = house
        self._seed = seed
        self._tell = tell
        self._people: Sequence[Person] = []
        self._wrong: list[str] = []

    async def play(self, misfortunes: Iterable[Misfortune[Any]]) -> list[str]:
        """Let everything happen; returns every promise that was broken."""
        self._people = await self._invite(Identity("c" * 32, anonymous=True))
        async with asyncio.TaskGroup() as group:
            lives = [group.create_task(person.live()) for person in self._people]
            watch = group.create_task(self._watch())
            for misfortune in misfortunes:
                await asyncio.sleep(misfortune.after_s)
                self._tell(
                    f"{misfortune.fault} ({misfortune.strength:.2f}, {misfortune.victim:.2f})"
                )
                await self._strike(misfortune)
            for task in lives:
                task.cancel()
            await self._until_all_is_over()
            watch.cancel()
        return [*self._wrong, *await self._complaints()]

    async def _invite(self, identity: Identity) -> Sequence[Person]:
        sdp, url = await _an_offer(), self._house.server.url
        return [Person(f"person-{n}", url, identity, sdp, self._seed) for n in range(PEOPLE)]

    async def _complaints(self) -> list[str]:
        return complaints(await self._house.found(), PROMISES)

    async def result(self, misfortunes: Iterable[Misfortune[Any]]) -> Result:
        """Play, and read what came of it."""
        wrong = await self.play(misfortunes)
        log = self._house.server.log
        wrong += [f"the log says: {line}" for line in log.splitlines() if "uncaught" in line]
        answers: Counter[str] = Counter()
        for person in self._people:
            answers += person.answers
        wrong += [f"answered {a} {n} times" for a, n in answers.items() if _is_blunt(a)]
        return Result(wrong, answers, log, self._noted())

    def _noted(self) -> list[str]:
        return []

    async def _strike(self, m: Misfortune[Any]) -> None:
        house = self._house
        match m.fault:
            case Fault.KILL_SERVER:
                await self._out(house.restart_after(signal.SIGKILL))
            case Fault.TERM_SERVER:
                await self._out(house.restart_after(signal.SIGTERM))
            case Fault.TERM_SERVER_TWICE:
                await self._out(house.restart_after(signal.SIGTERM, signal.SIGTERM))
            case Fault.FREEZE_SERVER:
                await self._out(house.freeze_server(1 + m.strength * _FROZEN_MOST_S))
            case Fault.DATABASE_AWAY:
                await self._out(house.take_database(1 + m.strength * _DATABASE_AWAY_MOST_S))
            case Fault.KILL_BOT:
                self._signal_bot(m.victim, signal.SIGKILL)
            case Fault.STOP_BOT:
                self._signal_bot(m.victim, signal.SIGSTOP)
            case Fault.KILL_SUPERVISOR:
                house.kill_kin("greenroom.launch.supervisor")
            case Fault.KILL_ZYGOTE:
                house.kill_kin("greenroom.launch.zygote")
            case Fault.HANG_BOT:
                await self._people[int(m.victim * len(self._people))].hang_bot()
            case Fault.CUT_LINK:
                house.line.cut(None if m.strength > 0.8 else m.victim)
            case Fault.DUPLICATE_REPORTS:
                house.line.trouble(m.victim, duplicate=1 + int(m.strength * 5))
            case Fault.DELAY_REPORTS:
                house.line.trouble(m.victim, delay_s=0.2 + m.strength * 2)
            case Fault.REORDER_REPORTS:
                house.line.trouble(m.victim, swap=1 + int(m.strength * 3))
            case Fault.CLOCK_FORWARD:
                house.move_clock(5 + m.strength * _JUMP_MOST_S)
            case Fault.CLOCK_BACK:
                house.move_clock(-(0.5 + m.strength * _BACK_MOST_S))

    async def _out(self, trouble: object) -> None:
        async with self._house.is_out:
            await trouble  # type: ignore[misc]

    def _signal_bot(self, victim: float, number: signal.Signals) -> None:
        bots = self._house.server.bots()
        if bots:
            bots[int(victim * len(bots))].send_signal(number)

    async def _watch(self) -> None:
        """No bot outlives its session, at any moment at which somebody could have ended it."""
        late_since: dict[int, float] = {}
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            if self._house.is_out.locked():
                late_since.clear()
                continue
            bots, stages = self._house.bots(), await self._house.stages()
            if self._house.is_out.locked():
                continue
            over = {pid for pid, sid in bots.items() if stages[sid][0] == Stage.ENDED}
            late_since = {pid: late_since.get(pid, loop.time()) for pid in over}
            for pid, since in late_since.items():
                if loop.time() - since > LATE_S:
                    self._wrong.append(f"bot {pid} lives on after {bots[pid]} has ended")

    async def _until_all_is_over(self) -> None:
        """Nobody stops what is left: the deadlines have to."""

        async with asyncio.timeout(_ALL_OVER_WITHIN_S):
            while not all(
                stage == Stage.ENDED for stage, _ in (await self._house.stages()).values()
            ):
                await asyncio.sleep(0.2)
        await self._until_nobody_lives()

    async def _until_nobody_lives(self) -> None:
        await eventually(lambda: not self._house.bots(), LATE_S, "bots live on")


async def _an_offer() -> str:
    """An offer of audio from nowhere: it is answered, and never connects."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return "".join(line for line in sdp.splitlines(True) if "a=candidate" not in line)


async def run(
    folder: Path,
    seed: int,
    misfortunes: Iterable[Misfortune[Fault]],
    postgres: PostgresServer | None,
    tell: Callable[[str], None],
) -> Result:
    """A whole run."""
    async with House(folder, LIMITS, postgres).open() as house:
        return await Run(house, seed, tell).result(misfortunes)


def _is_blunt(answer: str) -> bool:
    return answer.startswith("500") or answer.endswith(NO_CODE)
