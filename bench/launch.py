"""How fast a bot is there, and what one costs that waits: python bench/launch.py [--rounds 20].

Beside LiveKit Agents' own process pool (``make bench-setup`` installs it, apart from everything
else) and a plain spawn, all in turns, round by round. What “ready” means for each:

* Greenroom: from `LocalLauncher.start` in the server, over the supervisor, until the bot's
  connection arrives at the link: models loaded, loop running, the launch known. The real
  supervisor and bot host with the built-in bot: Silero, PocketSphinx, the voice.
* LiveKit: from `ProcPool.launch_job` until the first line of the entrypoint, by the job's own
  clock: Silero loaded, loop running, the job known. No recogniser, and no connection yet.
* plain spawn: from the start of an interpreter until Pipecat, Silero and PocketSphinx are loaded
  and a loop runs. It knows of no session yet.

Memory is USS: what a process shares with nobody. A waiting process has no session.
``--no-peers`` measures Greenroom alone; ``BENCH_BOT`` names another bot than the built-in one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from greenroom.launch.child import BOT_NAME, SPARE_NAME
from greenroom.launch.connection import Connection
from greenroom.launch.local import LocalLauncher
from greenroom.launch.protocol import Ping, Pong
from greenroom.launch.state import StateDir
from greenroom.ports.launcher import LaunchOrder

ROUNDS = 20
WAITING = 4
WAITING_ROUNDS = 3
SETTLED_S = 0.5
WITHIN_S = 30.0
PEERS = Path(__file__).parent / "peers"
BENCH_PYTHON = Path(__file__).parent.parent / ".venv-bench" / "bin" / "python"
BOT = os.environ.get("BENCH_BOT", "greenroom.bot.assistant")

Samples = defaultdict[str, list[float]]


class Ours:
    """Greenroom's launcher with a supervisor of its own, and a link that takes note of who dials.

    Args:
        state_dir: Where its supervisor lives.
        spares: As of `LocalLauncher`.
    """

    def __init__(self, state_dir: Path, spares: int) -> None:
        self._launcher = LocalLauncher(state_dir, spares=spares)
        self._spares = spares
        self._number = 0
        self._dialled: asyncio.Future[int] | None = None
        self._link = socket.create_server(("127.0.0.1", 0))
        self._link.setblocking(False)
        self._callers: list[socket.socket] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, spares: int) -> AsyncIterator[Ours]:
        """From a supervisor with the bot preloaded to nothing left."""
        with tempfile.TemporaryDirectory(prefix="gr-") as directory:
            ours = cls(Path(directory), spares)
            loop = asyncio.get_running_loop()
            loop.add_reader(ours._link, ours._take_note)
            try:
                await ours._launcher.warm(BOT)
                yield ours
            finally:
                await ours._launcher.shutdown()
                loop.remove_reader(ours._link)
                ours._link.close()

    async def launch(self) -> dict[str, float]:
        """One bot from the order to its connection; then it is ended."""
        await self.settled()
        before = {"waiting_mb": (await self.waiting())[0]} if self._spares else {}
        self._number += 1
        self._dialled = asyncio.get_running_loop().create_future()
        began_ns = time.monotonic_ns()
        await self._launcher.start(self._order())
        async with asyncio.timeout(WITHIN_S):
            took_ms = (await self._dialled - began_ns) / 1e6
        await asyncio.sleep(SETTLED_S)
        busy_mb = uss_mb((await self._launcher.living())[0].pid)
        await self._launcher.end(f"launch-{self._number}", polite_s=0, term_s=0)
        async with asyncio.timeout(WITHIN_S):
            while await self._launcher.living():
                await asyncio.sleep(0.01)
        self._callers.pop().close()
        return {**before, "ms": took_ms, "busy_mb": busy_mb}

    async def waiting(self) -> list[float]:
        """The private memory of each spare, when there is no bot."""
        await self.settled()
        await asyncio.sleep(SETTLED_S)
        kin = (await self._supervisor()).children(recursive=True)
        spares = [process for process in kin if process.name() == SPARE_NAME]
        assert len(spares) == self._spares
        assert not [process for process in kin if process.name() == BOT_NAME]
        return [uss_mb(spare.pid) for spare in spares]

    async def settled(self) -> None:
        """Wait until every spare waits."""
        async with asyncio.timeout(WITHIN_S):
            while (await self._pong()).spares < self._spares:
                await asyncio.sleep(0.02)

    def _take_note(self) -> None:
        """Somebody dials: that is all; the bot is ended before it gives up waiting for more."""
        at_ns = time.monotonic_ns()
        self._callers.append(self._link.accept()[0])
        if self._dialled is not None and not self._dialled.done():
            self._dialled.set_result(at_ns)

    def _order(self) -> LaunchOrder:
        return LaunchOrder(
            launch_id=f"launch-{self._number}",
            session_id="session",
            bot=BOT,
            link_url=f"ws://127.0.0.1:{self._link.getsockname()[1]}/link",
            secret="none",
            join_within_s=60.0,
            wall_clock_s=600.0,
            memory_limit_bytes=512 * 1024 * 1024,
        )

    async def _pong(self) -> Pong:
        connection = await Connection.open(StateDir(self._launcher.state_dir))
        try:
            return await connection.ask(Ping(), Pong)
        finally:
            await connection.close()

    async def _supervisor(self) -> psutil.Process:
        return psutil.Process((await self._pong()).pid)


class LiveKit:
    """`bench/peers/livekit_pool.py` in its own environment."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[LiveKit]:
        """From its forkserver to nothing left."""
        process = await asyncio.create_subprocess_exec(
            str(BENCH_PYTHON),
            "-c",  # a script would be imported again by each of its processes
            "import asyncio, livekit_pool; asyncio.run(livekit_pool.main())",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=PEERS,  # where its forkserver finds the agent's module, to preload it
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            async with asyncio.timeout(WITHIN_S):
                await process.wait()

    async def ask(self, command: str) -> dict[str, float]:
        """One command; see there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n".encode())
        async with asyncio.timeout(WITHIN_S):
            answer = await self._process.stdout.readline()
        figures: dict[str, float] = json.loads(answer)
        return figures


async def spawn() -> dict[str, float]:
    """One fresh interpreter, from nothing to ready."""
    began_ns = time.monotonic_ns()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PEERS / "plain_spawn.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        while (said := await process.stdout.readline()) not in (b"ready\n", b""):
            pass
    assert said, "the plain spawn did not come up"
    figures = {"ms": (time.monotonic_ns() - began_ns) / 1e6, "busy_mb": uss_mb(process.pid)}
    process.kill()
    await process.wait()
    return figures


async def measure(rounds: int, *, peers: bool, waiting_rounds: int = WAITING_ROUNDS) -> Samples:
    """All figures, the contenders taking turns; the first round of each is not counted."""
    samples: Samples = defaultdict(list)
    for _ in range(waiting_rounds):
        await _measure_waiting(samples, peers=peers)
    async with contextlib.AsyncExitStack() as stack:
        on_demand = await stack.enter_async_context(Ours.running(0))
        warm = await stack.enter_async_context(Ours.running(1))
        livekit = await stack.enter_async_context(LiveKit.running()) if peers else None
        for number in range(rounds + 1):
            turn = {"ours on_demand": await on_demand.launch(), "ours warm": await warm.launch()}
            if livekit is not None:
                turn["livekit on_demand"] = await livekit.ask("on_demand")
                turn["livekit warm"] = await livekit.ask("warm")
                turn["spawn on_demand"] = await spawn()
            _note(samples, turn if number else {})
    return samples


async def _measure_waiting(samples: Samples, *, peers: bool) -> None:
    """Each contender by itself, with some processes that wait and none that does anything."""
    async with Ours.running(WAITING) as ours:
        samples["ours many waiting_mb"] += await ours.waiting()
    if peers:
        async with LiveKit.running() as livekit:
            each = await livekit.ask(f"waiting {WAITING}")
            samples["livekit many waiting_mb"] += each.values()


def _note(samples: Samples, turn: dict[str, dict[str, float]]) -> None:
    for name, figures in turn.items():
        for figure, value in figures.items():
            samples[f"{name} {figure}"].append(value)


def uss_mb(pid: int) -> float:
    """Memory that this process shares with nobody."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


ROWS = (
    # what, its unit, its name among the samples, and the most that ours may be of LiveKit's
    ("on demand: order → ready", "ms", "on_demand ms", 0.3),
    ("warm: order → ready", "ms", "warm ms", 1.0),
    ("USS of one that waits alone", "MB", "warm waiting_mb", 0.3),
    ("USS of each of four that wait", "MB", "many waiting_mb", 0.3),
    ("USS with a job, made on demand", "MB", "on_demand busy_mb", None),
    ("USS with a job, was warm", "MB", "warm busy_mb", None),
)


def as_table(samples: Samples) -> Table:
    """Medians, the quarter to three quarters in brackets, and ours as a part of LiveKit's."""
    rounds = len(samples["ours warm ms"])
    table = Table(title=f"a bot that is ready, {rounds} rounds: median (quartiles; worst)")
    for column in ("what", "", "Greenroom", "LiveKit Agents", "plain spawn", "ratio", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, unit, figure, target in ROWS:
        ours, livekit, spawned = (
            samples.get(f"{who} {figure}", []) for who in ("ours", "livekit", "spawn")
        )
        ratio = statistics.median(ours) / statistics.median(livekit) if livekit else None
        table.add_row(
            what,
            unit,
            *map(spread, (ours, livekit, spawned)),
            f"{ratio:.2f}" if ratio is not None else "–",
            f"≤ {target:g}" if target is not None else "",
        )
    return table


def spread(values: list[float]) -> str:
    """Median, quartiles and the worst; a dash for nothing measured."""
    if not values:
        return "–"
    if len(values) < 4:
        return f"{statistics.median(values):.1f}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} ({low:.1f}–{high:.1f}; {max(values):.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-peers", action="store_true", help="Greenroom alone")
    parser.add_argument("--json", type=Path, help="also keep every sample in this file")
    args = parser.parse_args()
    if not args.no_peers and not BENCH_PYTHON.exists():
        sys.exit("LiveKit Agents is not there: make bench-setup; or leave it out: --no-peers")
    samples = asyncio.run(measure(args.rounds, peers=not args.no_peers))
    if args.json:
        args.json.write_text(json.dumps(samples, indent=1))
    console = Console(width=150)
    console.print(as_table(samples))
    console.print((__doc__ or "").split("\n\n", 1)[1].split("``--no-peers``")[0])


if __name__ == "__main__":
    main()
