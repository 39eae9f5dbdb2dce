"""How fast and how light a bot process is: python bench/fork.py [--real].

Measures, from the supervisor's side of a zygote: the preload, order → the bot's code runs (one
after the other, and eight at once), the private memory (USS) of each, and what a look at it costs.
``--real`` adds the real bot host with Pipecat and the built-in bot; its link leads nowhere, so the
memory is that of a bot that dials.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from greenroom.launch import kernel
from greenroom.launch.forking import ForkingHatchery
from greenroom.launch.reaper import Reaper
from greenroom.wire.process import BotSpec

ONE_BY_ONE = 20
AT_ONCE = 8
SETTLED_S = 1.5


@dataclass
class Figures:
    """What was measured of one host."""

    preload_s: float = 0.0
    alone_ms: list[float] = field(default_factory=list)
    together_ms: list[float] = field(default_factory=list)
    at_start_mb: float = 0.0
    settled_mb: float = 0.0
    look_ms: float = 0.0


@dataclass
class Launched:
    """A bot process that has said that it runs."""

    pid: int
    took_ms: float
    line: asyncio.StreamWriter


async def launch(hatchery: ForkingHatchery, bot: str, directory: Path, name: str) -> Launched:
    """From the order to the first progress."""
    began_s = time.perf_counter()
    ours, theirs = socket.socketpair()
    with theirs:
        hatched = await hatchery.hatch(name, bot, theirs, directory / f"{name}.log")
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    spec = BotSpec(
        launch_id=name, session_id="s", bot=bot, link_url="ws://127.0.0.1:9/link", secret="none"
    )
    writer.write(spec.to_json().encode() + b"\n")
    await reader.readline()
    return Launched(hatched.pid, 1000 * (time.perf_counter() - began_s), writer)


def private_mb(pid: int) -> float:
    """USS."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


async def let_go(launched: Launched) -> None:
    """Kill the bot."""
    kernel.kill_group(launched.pid, signal.SIGKILL)
    launched.line.close()
    await asyncio.sleep(0.02)


async def measure(host: str, bot: str) -> Figures:
    """All figures of one host."""
    figures, reaper = Figures(), Reaper()
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reaper.collect)
    with tempfile.TemporaryDirectory(prefix="gr-") as name:
        directory = Path(name)
        hatchery = ForkingHatchery(host, directory, 60.0, reaper)
        began_s = time.perf_counter()
        await hatchery.warm(bot)
        figures.preload_s = time.perf_counter() - began_s
        for number in range(ONE_BY_ONE):
            launched = await launch(hatchery, bot, directory, f"alone-{number}")
            figures.alone_ms.append(launched.took_ms)
            await let_go(launched)
        names = [f"together-{number}" for number in range(AT_ONCE)]
        together = await asyncio.gather(*(launch(hatchery, bot, directory, n) for n in names))
        figures.together_ms = [launched.took_ms for launched in together]
        figures.at_start_mb = statistics.median(private_mb(each.pid) for each in together)
        await asyncio.sleep(SETTLED_S)
        began_s = time.perf_counter()
        figures.settled_mb = statistics.median(private_mb(each.pid) for each in together)
        figures.look_ms = 1000 * (time.perf_counter() - began_s) / AT_ONCE
        for each in together:
            await let_go(each)
        hatchery.close()
        await asyncio.sleep(0.1)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true", help="also the real host, with Pipecat")
    hosts = {"trivial": ("greenroom.testing.hosts", "none")}
    if parser.parse_args().real:
        hosts["Pipecat, built-in bot"] = ("greenroom.bot.process", "greenroom.bot.cards")
    table = Table(title="fork → the bot's code runs")
    for column in ("host", "preload s", "alone ms p50 / max", "8 at once ms p50 / max"):
        table.add_column(column, justify="right")
    for column in ("USS at start MB", f"USS after {SETTLED_S} s MB", "look at USS ms"):
        table.add_column(column, justify="right")
    for name, (host, bot) in hosts.items():
        figures = asyncio.run(measure(host, bot))
        table.add_row(
            name,
            f"{figures.preload_s:.2f}",
            f"{statistics.median(figures.alone_ms):.1f} / {max(figures.alone_ms):.1f}",
            f"{statistics.median(figures.together_ms):.1f} / {max(figures.together_ms):.1f}",
            f"{figures.at_start_mb:.1f}",
            f"{figures.settled_mb:.1f}",
            f"{figures.look_ms:.2f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
