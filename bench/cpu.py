"""What a call costs in CPU, beside Pipecat's development runner with the same bot file.

    .venv/bin/python bench/cpu.py
    .venv/bin/python bench/cpu.py --py-spy PATH   # where it goes; pip install py-spy, anywhere

Both servers run, each with one call of its own (``bench/caller.py``); they are measured by turns.
In a window of a few seconds we take the CPU time (user and system, children included) of every
process: of Greenroom the bot, the server, and the supervisor with its zygotes; of the runner its
one process. Silent: nobody speaks. Talking: the caller says a colour and the bot repeats it, by
turns; how much of it was heard is shown too, for whoever says nothing is cheap.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.where import shares, stacks_of
from tests.e2e.server import Server, eventually

ROOT = Path(__file__).parents[1]
BOT = ROOT / "examples" / "observed" / "bot.py"
COLOUR = "red"
# One turn each: the colour is said and understood after a second, the answer takes another.
TURN_S = 3.0
GREETED_S = 4.0
PROFILE_S = 21.0
UP_WITHIN_S = 30.0
CALLED_WITHIN_S = 40.0
_RUN = "from pipecat.runner.run import main; main()"

Parts = dict[str, float]


@dataclass
class Side:
    """One of the two that are compared: its processes by their part, its caller, its samples."""

    name: str
    processes: Callable[[], dict[str, list[psutil.Process]]]
    caller: asyncio.subprocess.Process
    samples: dict[str, list[Parts]] = field(default_factory=dict)
    heard_ms: list[float] = field(default_factory=list)

    async def ask(self, line: str) -> str:
        """Have the caller do something; returns what it says."""
        assert self.caller.stdin is not None
        assert self.caller.stdout is not None
        self.caller.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(10):
            return (await self.caller.stdout.readline()).decode().strip()


def cpu_s(processes: list[psutil.Process]) -> float:
    """User and system time of these processes so far, and of the children that they waited for."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


async def measure(side: Side, mode: str, window_s: float) -> None:
    """One window: the share of a core that each part took, in percent."""
    processes = side.processes()
    await side.ask("heard")
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    before = {part: cpu_s(each) for part, each in processes.items()}
    for turn in range(round(window_s / TURN_S)):
        if mode == "talking":
            await side.ask(f"say {COLOUR}")
        await asyncio.sleep(began_s + (turn + 1) * TURN_S - loop.time())
    took_s = loop.time() - began_s
    parts = {part: 100 * (cpu_s(each) - before[part]) / took_s for part, each in processes.items()}
    side.samples.setdefault(mode, []).append(parts)
    heard_ms = float(await side.ask("heard"))
    if mode == "talking":
        side.heard_ms.append(heard_ms / (1000 * window_s) * 100)


@contextlib.asynccontextmanager
async def a_caller(door: str, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A caller that is connected and has been greeted."""
    caller = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "bench" / "caller.py"), door, url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert caller.stdout is not None
    try:
        async with asyncio.timeout(CALLED_WITHIN_S):
            while (line := await caller.stdout.readline()) != b"connected\n":
                if not line:
                    raise RuntimeError(f"the caller of {url} could not connect")
        await asyncio.sleep(GREETED_S)
        yield caller
    finally:
        caller.kill()
        await caller.wait()


@contextlib.asynccontextmanager
async def greenroom() -> AsyncIterator[Side]:
    """``greenroom serve`` with one call."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    server = Server(
        state_dir,
        str(BOT),
        GREENROOM_ALLOW_LOOPBACK_MEDIA="true",
        GREENROOM_IDLE_S="900",
        GREENROOM_MAX_DURATION_S="900",
    )
    await server.start()
    try:
        await server.ready()
        async with a_caller("greenroom", server.url) as caller:
            yield Side("Greenroom", lambda: _parts(server), caller)
    finally:
        with contextlib.suppress(AssertionError):
            await server.stop()
        server.kill_family()
        shutil.rmtree(state_dir)


def _lasting(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Without those that speak one sentence each: they are counted by whoever waited for them."""
    return [process for process in processes if _name(process) not in ("", "espeak-ng")]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _parts(server: Server) -> dict[str, list[psutil.Process]]:
    bots = server.bots()
    others = [process for process in _lasting(server.family()) if process not in bots]
    serving = [process for process in others if "serve" in process.cmdline()]
    return {
        "bot": bots,
        "server": serving,
        "supervisor, zygote": [process for process in others if process not in serving],
    }


@contextlib.asynccontextmanager
async def runner() -> AsyncIterator[Side]:
    """``pipecat.runner.run`` with one call, in the directory of the bot, as its users start it."""
    with _free_port() as port:
        pass
    process = psutil.Popen(
        [sys.executable, "-c", _RUN, "--host", "127.0.0.1", "--port", str(port), "-t", "webrtc"],
        cwd=BOT.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        await eventually(lambda: _listens(port), UP_WITHIN_S, "the runner does not listen")
        async with a_caller("pipecat", f"http://127.0.0.1:{port}") as caller:
            yield Side(
                "Pipecat's runner",
                lambda: {"the one process": _lasting([process, *process.children(recursive=True)])},
                caller,
            )
    finally:
        process.kill()
        process.wait(10)


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def compare(modes: list[str], times: int, window_s: float, console: Console) -> list[Side]:
    """Measure both, by turns."""
    async with runner() as theirs, greenroom() as ours:
        for mode in modes:
            for _ in track(range(times), mode, console=console):
                for side in (ours, theirs):
                    await measure(side, mode, window_s)
        return [ours, theirs]


async def profile(py_spy: str, modes: list[str], for_s: float, console: Console) -> None:
    """Where the time of our bot's process goes. Sampling slows it down: only shares are shown."""
    async with greenroom() as ours:
        for mode in modes:
            (bot,) = ours.processes()["bot"]
            sampling = asyncio.create_task(stacks_of(py_spy, bot.pid, for_s))
            await measure(ours, mode, for_s)
            table = Table(f"{mode}: time with Python's lock", "%")
            for name, share in shares(await sampling):
                table.add_row(name, f"{share:.1f}")
            console.print(table)


def show(sides: list[Side], mode: str, window_s: float, console: Console) -> None:
    """Medians and spread, each part by itself, and the sums beside each other."""
    times = len(sides[0].samples[mode])
    title = f"{mode}: % of one core, {times} windows of {window_s:g} s"
    table = Table("", "median", "lowest", "highest", title=title)
    sums = []
    for side in sides:
        samples = side.samples[mode]
        totals = [sum(sample.values()) for sample in samples]
        sums.append(statistics.median(totals))
        table.add_row(f"[bold]{side.name}", *_spread(totals))
        for part in samples[0] if len(samples[0]) > 1 else ():
            table.add_row(f"  {part}", *_spread([sample[part] for sample in samples]))
        if mode == "talking":
            table.add_row("  bot heard, % of the time", *_spread(side.heard_ms))
        table.add_section()
    table.add_row("[bold]ours / theirs", f"{sums[0] / sums[1]:.2f} ×", "", "")
    console.print(table)


def _spread(values: list[float]) -> list[str]:
    return [f"{value:.1f}" for value in (statistics.median(values), min(values), max(values))]


def main(
    times: Annotated[int, typer.Option(help="Windows of each kind.")] = 10,
    window_s: Annotated[float, typer.Option(help="Their length; whole turns of 3 s.")] = 6.0,
    mode: Annotated[str, typer.Option(help="silent, talking, or both.")] = "both",
    py_spy: Annotated[str, typer.Option(help="Path of py-spy: profile instead.")] = "",
) -> None:
    """Measure what a call costs.

    Example: .venv/bin/python bench/cpu.py --mode silent
    """
    console = Console()
    modes = ["silent", "talking"] if mode == "both" else [mode]
    if py_spy:
        asyncio.run(profile(py_spy, modes, PROFILE_S, console))
        return
    sides = asyncio.run(compare(modes, times, window_s, console))
    for each in modes:
        show(sides, each, window_s, console)


if __name__ == "__main__":
    typer.run(main)
