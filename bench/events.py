"""How fast an event reaches a browser, and how fast one reaches them all.

    .venv/bin/python bench/events.py --sockets 1,1000,10000

A real server over SQLite; a bot whose reports come by its link, and then by signed webhook, one
each 20 ms; and browsers in a process of their own, one socket for each session, all but one of them
idle: their sessions have nothing to tell, and they get heartbeats. Measured is the time from the
report's leaving the bot to the event's arrival in the browser: over the link or as a request,
through the record's transaction, and out again.

Then one event for everybody. Bare Starlette, on the same uvicorn with the same options, sends the
same bytes to as many sockets in the same run, by turns; the ratio says how much of its speed is
left. “The same” is the one ephemeral event by which stop-everything tells all pages why; “each its
own” are as many different events as there are sessions, made and sent without the store. The last
lines are stop-everything itself: the word to the pages, and the end of every session, in a
transaction of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.streams.clients import Clients, allow_many_files
from bench.streams.servers import SECRET, Server, greenroom, starlette

from greenroom.service.names import Keyring
from greenroom.service.reports import Way
from greenroom.testing.reporter import Reporter
from greenroom.wire.link import BotLevel, Hello, Report, ReportKind

# Tickets are good for half a minute.
OPENED_AT_ONCE = 500
REPORT_EVERY_S = 0.02
WITHIN_S = 240.0
# On two slow cores a session's end takes 12 ms, with its deadlines, effects and events.
ENDED_WITHIN_S = 0.06
ACTS = {"the same": "tell_all", "each its own": "tell_each"}
ANSWER = {"question": "6 × 7", "value": 42, "correct": True, "expected": 42, "right": 1, "asked": 1}


@dataclass
class Figures:
    """What was measured with so many sockets. Times in milliseconds."""

    sockets: int
    event_ms: dict[Way, list[float]] = field(default_factory=dict)
    idle_cpu_share: float = 0.0
    socket_kb: float = 0.0
    broadcast_ms: dict[str, list[float]] = field(default_factory=dict)
    stop_ms: dict[str, float] = field(default_factory=dict)

    def ratio(self, name: str) -> float:
        """Starlette's time by Greenroom's, medians: 1 is as fast."""
        theirs = statistics.median(self.broadcast_ms[f"{name}, Starlette"])
        return theirs / statistics.median(self.broadcast_ms[f"{name}, Greenroom"])


class Bot:
    """One bot's link, by hand."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.last_seq = 0

    @classmethod
    async def dial(cls, port: int, launch_id: str) -> Bot:
        """Dial, be welcomed, and say that bot and user are there."""
        secret = Keyring(SECRET).launch_secret(launch_id)
        headers = {"Authorization": f"Bearer {secret}", "X-Greenroom-Launch": launch_id}
        url = f"ws://127.0.0.1:{port}/link"
        bot = cls(await connect(url, additional_headers=headers, proxy=None, compression=None))
        await bot._socket.send(Hello(launch_id=launch_id, pid=1, level=BotLevel.ATTACHED).to_json())
        await bot._socket.recv()
        await bot.report(ReportKind.BOT_JOINED, {"level": "attached"})
        await bot.report(ReportKind.USER_JOINED, {"participant": "page-0001"})
        return bot

    async def report(self, kind: ReportKind, data: dict[str, object]) -> float:
        """Report, and wait for the acknowledgement; returns when it left."""
        self.last_seq += 1
        text = Report(seq=self.last_seq, at_ms=0, kind=kind, data=data).to_json()
        left_s = time.monotonic()
        await self._socket.send(text)
        await self._socket.recv()
        return left_s


# ---- measuring


async def measure(sockets: int, reports: int, rounds: int, console: Console) -> Figures:
    """Everything with so many sockets, on a server of its own."""
    figures = Figures(sockets)
    ours, theirs = Server(greenroom), Server(starlette)
    our_pages, their_pages = Clients(), Clients()
    try:
        with console.status(f"{sockets} sockets: opening"):
            launches = ours.ask("start", sockets)
            before_mb = ours.private_mb
            for first in range(0, sockets, OPENED_AT_ONCE):
                count = min(OPENED_AT_ONCE, sockets - first)
                our_pages.open(ours.port, ours.ask("tickets", first, count))
            figures.socket_kb = (ours.private_mb - before_mb) * 1024 / sockets
            their_pages.open(theirs.port, ["hello"] * sockets)
        with console.status(f"{sockets} sockets: events"):
            await asyncio.sleep(1.0)
            figures.idle_cpu_share = await _cpu_share(ours)
            figures.event_ms = await _events(ours.port, launches[sockets // 2], our_pages, reports)
        with console.status(f"{sockets} sockets: broadcasts"):
            for _ in range(rounds):
                _broadcast(figures, "the same", (ours, our_pages), (theirs, their_pages))
        with console.status(f"{sockets} sockets: stopping everything"):
            figures.stop_ms = _stop(ours, our_pages, sockets)
        with console.status(f"{sockets} sockets: broadcasts"):
            for _ in range(rounds):
                _broadcast(figures, "each its own", (ours, our_pages), (theirs, their_pages))
    finally:
        for part in (our_pages, their_pages, ours, theirs):
            part.end()
    return figures


async def _cpu_share(server: Server) -> float:
    """What its process uses of a core while nothing happens."""
    before_s, began_s = server.cpu_s, time.monotonic()
    await asyncio.sleep(5.0)
    return (server.cpu_s - before_s) / (time.monotonic() - began_s)


async def _events(
    port: int, launch_id: str, pages: Clients, reports: int
) -> dict[Way, list[float]]:
    bot = await Bot.dial(port, launch_id)
    told: dict[str, Any] = {"type": "app.answer", "data": ANSWER}
    by_link = await _times(lambda: bot.report(ReportKind.APP, told), pages, reports)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        secret = Keyring(SECRET).launch_secret(launch_id)
        poster = Reporter(client, launch_id, secret, last_seq=bot.last_seq)

        async def post() -> float:
            poster.add(ReportKind.APP, **told)
            left_s = time.monotonic()
            await poster.post()
            return left_s

        return {Way.LINK: by_link, Way.WEBHOOK: await _times(post, pages, reports)}


async def _times(report: Callable[[], Awaitable[float]], pages: Clients, count: int) -> list[float]:
    times_ms = []
    for _ in range(count):
        await asyncio.sleep(REPORT_EVERY_S)
        pages.expect(1, '"app.answer"')
        left_s = await report()
        (at_s,) = pages.arrived(WITHIN_S)
        times_ms.append((at_s - left_s) * 1000)
    return times_ms


def _broadcast(
    figures: Figures, name: str, ours: tuple[Server, Clients], theirs: tuple[Server, Clients]
) -> None:
    """Greenroom and then Starlette, with the same bytes, until the last socket has them."""
    server, pages = ours
    pages.expect(figures.sockets, '"voice.')
    began_s, texts = server.ask(ACTS[name])
    _note(figures, f"{name}, Greenroom", began_s, pages)
    server, pages = theirs
    pages.expect(figures.sockets, '"voice.')
    began_s = server.ask("broadcast", texts)
    _note(figures, f"{name}, Starlette", began_s, pages)


def _note(figures: Figures, name: str, began_s: float, pages: Clients) -> None:
    last_s = max(pages.arrived(WITHIN_S))
    figures.broadcast_ms.setdefault(name, []).append((last_s - began_s) * 1000)


def _stop(server: Server, pages: Clients, sockets: int) -> dict[str, float]:
    """When the last page knew why, and when the last page had its session's end."""
    times_ms = {}
    pages.expect(2 * sockets, "in charge")  # so say the word to all, and each session's end
    began_s = server.ask("stop_everything")
    at_s = sorted(pages.arrived(WITHIN_S + sockets * ENDED_WITHIN_S))
    times_ms["told why"] = (at_s[sockets - 1] - began_s) * 1000
    times_ms["ended"] = (at_s[-1] - began_s) * 1000
    return times_ms


# ---- showing


def show(all_figures: Sequence[Figures], console: Console) -> None:
    """The tables."""
    table = Table(title="report leaves the bot → event in the browser")
    columns = ("sockets", "by", "p50", "p99", "slowest", "idle CPU", "memory a socket")
    for name in columns:
        table.add_column(name, justify="right")
    for figures in all_figures:
        for way, times_ms in figures.event_ms.items():
            values = sorted(times_ms)
            p99 = values[min(len(values) - 1, int(0.99 * len(values)))]
            table.add_row(
                f"{figures.sockets:,}",
                way.value,
                *(f"{v:.1f} ms" for v in (statistics.median(values), p99, values[-1])),
                f"{100 * figures.idle_cpu_share:.0f} % of a core",
                f"{figures.socket_kb:.0f} kB",
            )
    console.print(table)
    table = Table(title="to all sockets, until the last one has it: median (least … most)")
    for name in ("sockets", "event", "Greenroom", "bare Starlette", "ratio"):
        table.add_column(name, justify="right")
    for figures in all_figures:
        for name in ACTS:
            table.add_row(
                f"{figures.sockets:,}",
                name,
                _spread(figures.broadcast_ms[f"{name}, Greenroom"]),
                _spread(figures.broadcast_ms[f"{name}, Starlette"]),
                f"{figures.ratio(name):.2f}",
            )
    console.print(table)
    for figures in all_figures:
        told, ended = figures.stop_ms["told why"], figures.stop_ms["ended"]
        console.print(
            f"stop-everything, {figures.sockets:,} sessions: every page knows why after "
            f"{told:.0f} ms, and has its session's end after {ended / 1000:.1f} s"
        )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ms ({min(values):.1f} … {max(values):.1f})"


def main(
    sockets: Annotated[str, typer.Option(help="How many, with commas.")] = "1,1000",
    reports: Annotated[int, typer.Option(help="Events measured with each.")] = 500,
    rounds: Annotated[int, typer.Option(help="Broadcasts measured with each.")] = 20,
) -> None:
    """Measure events to browsers, and print tables.

    Example: .venv/bin/python bench/events.py --sockets 1,1000,10000
    """
    console = Console(width=120)
    files = allow_many_files()
    wanted = [int(part) for part in sockets.split(",")]
    if max(wanted) + 100 > files:
        console.print(f"this machine allows {files} open files a process: fewer sockets, please")
        raise typer.Exit(2)
    found = [asyncio.run(measure(count, reports, rounds, console)) for count in wanted]
    show(found, console)


if __name__ == "__main__":
    typer.run(main)
