"""What the control plane carries: python bench/control_plane.py [--records 1000000].

On SQLite and on PostgreSQL, side by side in one run: starts a second, state changes a second
(reports of bots), what it costs to find the deadlines that are due, and the same with a million
ended sessions on record, which must make no difference. Then the memory of a server for each live
session, with its bot's link open. The launcher is a fake, so that no bot's work is counted; store,
service, dispatcher, API and links are the real ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import uvicorn
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from websockets.asyncio.client import ClientConnection, connect

from greenroom.api.app import build_app
from greenroom.assembly import Adapters, House, Plan, assemble
from greenroom.hub.memory import MemoryHub
from greenroom.logs import configure_logs
from greenroom.main import SystemClock
from greenroom.outbound.sender import HttpSender
from greenroom.rooms.local import LocalRooms
from greenroom.service.names import Keyring
from greenroom.service.reports import Way
from greenroom.service.sessions import Assistant
from greenroom.session.inputs import BotExited
from greenroom.session.model import Limits, Session
from greenroom.session.policy import UNLIMITED
from greenroom.store import database_at
from greenroom.store import tables as t
from greenroom.testing.launcher import FakeLauncher
from greenroom.testing.postgres_server import a_postgres_server
from greenroom.wire.link import BotLevel, Hello, Report, ReportKind

SECRET = "b" * 32
ROUNDS = 10
STARTS_A_ROUND = 100
CHANGES_A_ROUND = 300
AT_ONCE = 32
LOOKS = 200
LIVE = 200
FOR_MEMORY = 500
EVENTS_EACH = 3
DAYS = 30


@dataclass
class Figures:
    """What was measured on one database."""

    starts_alone_per_s: list[float] = field(default_factory=list)
    starts_per_s: list[float] = field(default_factory=list)
    changes_per_s: list[float] = field(default_factory=list)
    due_ms: list[float] = field(default_factory=list)
    next_ms: list[float] = field(default_factory=list)


def plan() -> Plan:
    """A house whose limits never bite."""
    return Plan(
        secret=SECRET,
        anonymous=True,
        assistants=[Assistant("bench", "bench", "Bench", Limits(join_s=3600, idle_s=3600))],
        link_url="ws://127.0.0.1:1/link",
        memory_limit_bytes=1 << 29,
        hosts=["*"],
        quotas=UNLIMITED,
    )


@contextlib.asynccontextmanager
async def a_house(url: str | None, folder: Path) -> AsyncIterator[House]:
    """A house on this database, its dispatcher running."""
    database = database_at(url, folder)
    await database.upgrade()
    store = await database.open()
    adapters = Adapters(
        store,
        MemoryHub(),
        SystemClock(),
        FakeLauncher(),
        LocalRooms([], allow_loopback=True),
        HttpSender([]),
    )
    house = assemble(adapters, plan())
    dispatching = asyncio.create_task(house.dispatcher.run())
    try:
        yield house
    finally:
        dispatching.cancel()
        await asyncio.gather(dispatching, return_exceptions=True)
        await store.close()


class Load:
    """What is done to a house, and how long it takes."""

    def __init__(self, house: House, name: str) -> None:
        self._house = house
        self._name = name
        self._made = 0
        self._seq: dict[str, int] = {}

    async def start(self) -> Session:
        """A new user's new session."""
        self._made += 1
        started = await self._house.parts.sessions.start(f"{self._name}-{self._made}", None)
        return started.session

    async def report(self, session: Session) -> None:
        """One state change: the bot's next report, with an event of its own."""
        seq = self._seq[session.id] = self._seq.get(session.id, 0) + 1
        report = Report(seq=seq, at_ms=0, kind=ReportKind.APP, data={"type": "app.x", "data": {}})
        await self._house.parts.reports.take(Way.LINK, session.launch_id, session.id, report)

    async def end(self, session: Session) -> None:
        """The bot's process is gone."""
        gone = BotExited(session.launch_id, clean=True, code="bot_exited", message="")
        await self._house.parts.sessions.apply(session.id, gone)


async def rate(jobs: Sequence[Callable[[], Awaitable[Any]]], at_once: int) -> float:
    """Jobs a second, so many at a time."""
    left = iter(jobs)

    async def worker() -> None:
        for job in left:
            await job()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return len(jobs) / (time.perf_counter() - began)


async def cost_ms(look: Callable[[], Awaitable[Any]]) -> float:
    """One look, in milliseconds: the mean of many, since one is too short to be timed."""
    began = time.perf_counter()
    for _ in range(LOOKS):
        await look()
    return (time.perf_counter() - began) * 1000 / LOOKS


async def measure(house: House, name: str) -> Figures:
    """All figures of one database as it stands; what was started is ended again."""
    figures, load = Figures(), Load(house, name)
    store = house.parts.store
    live = [await load.start() for _ in range(LIVE)]
    for _ in range(ROUNDS):
        alone = [load.start for _ in range(STARTS_A_ROUND // 4)]
        figures.starts_alone_per_s.append(await rate(alone, 1))
        figures.starts_per_s.append(await rate([load.start] * STARTS_A_ROUND, AT_ONCE))
        reports = [partial(load.report, live[n % LIVE]) for n in range(CHANGES_A_ROUND)]
        figures.changes_per_s.append(await rate(reports, AT_ONCE))
        figures.due_ms.append(await cost_ms(lambda: store.due(time.time(), 500)))
        figures.next_ms.append(await cost_ms(store.next_due_at))
    for session in await store.unended():
        await load.end(session)
    return figures


# ---- a million sessions that are over


async def fill(url: str, count: int) -> None:
    """Copy one ended session, with its events, as often as wanted: in the database itself."""
    engine = create_async_engine(url)
    series = "generate_series(1, :n) AS many(i)"
    if engine.dialect.name == "sqlite":
        series = (
            "(WITH RECURSIVE many(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM many WHERE i < :n) "
            "SELECT i FROM many) AS many"
        )
    own = {
        "id": "'ses_' || many.i",
        "launch_id": "'lau_' || many.i",
        "user_id": "'user-' || (many.i % 5000)",
        "created_at": f"s.created_at - {DAYS * 86400.0} * many.i / :n",
        "last_seq": str(EVENTS_EACH),
    }
    columns = [column.name for column in t.sessions.columns]
    values = ", ".join(own.get(name, f"s.{name}") for name in columns)
    template = "(SELECT * FROM sessions WHERE stage = 'ended' LIMIT 1) AS s"
    sessions = (
        f"INSERT INTO sessions ({', '.join(columns)}) SELECT {values} FROM {template}, {series}"
    )
    events = (
        "INSERT INTO events (session_id, seq, at, type, data) "
        "SELECT 'ses_' || many.i, e.seq, e.at, e.type, e.data FROM "
        f"(SELECT * FROM events WHERE session_id = :t AND seq <= {EVENTS_EACH}) AS e, {series}"
    )
    async with engine.begin() as db:
        ended = "SELECT id FROM sessions WHERE stage = 'ended' LIMIT 1"
        name = (await db.execute(text(ended))).scalar_one()
        await db.execute(text(sessions), {"n": count})
        await db.execute(text(events), {"n": count, "t": name})
    async with engine.connect() as db:
        await db.execution_options(isolation_level="AUTOCOMMIT")
        await db.execute(text("ANALYZE"))
    await engine.dispose()


# ---- memory


def serve_for_memory(folder: str, url: str | None, pipe: Connection) -> None:
    """A server in a process of its own: tells its port, then its launches, on request."""
    configure_logs("warning", as_json=False)
    asyncio.run(_serve_for_memory(Path(folder), url, pipe))


async def _serve_for_memory(folder: Path, url: str | None, pipe: Connection) -> None:
    async with a_house(url, folder) as house:
        config = uvicorn.Config(build_app(house.parts), port=0, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send(server.servers[0].sockets[0].getsockname()[1])
        load = Load(house, "memory")
        while (count := await asyncio.to_thread(pipe.recv)) > 0:
            pipe.send([(await load.start()).launch_id for _ in range(count)])
        server.should_exit = True
        await serving


async def memory_kb(folder: Path, url: str | None) -> float:
    """Private memory of the server for each live session whose bot is linked, in KB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_for_memory, args=(str(folder), url, theirs))
    process.start()
    links: list[ClientConnection] = []
    try:
        port = await asyncio.to_thread(ours.recv)
        # The first hundred make whatever is made once.
        links += await _linked(ours, port, 100)
        before = psutil.Process(process.pid).memory_full_info().uss
        links += await _linked(ours, port, FOR_MEMORY)
        after = psutil.Process(process.pid).memory_full_info().uss
        ours.send(0)
    finally:
        for link in links:
            link.transport.abort()
        process.join(10)
        if process.is_alive():
            process.kill()
    return (after - before) / FOR_MEMORY / 1024


async def _linked(pipe: Connection, port: int, count: int) -> list[ClientConnection]:
    pipe.send(count)
    keyring = Keyring(SECRET)
    links = []
    for launch_id in await asyncio.to_thread(pipe.recv):
        headers = {
            "authorization": f"Bearer {keyring.launch_secret(launch_id)}",
            "x-greenroom-launch": launch_id,
        }
        link = await connect(
            f"ws://127.0.0.1:{port}/link", additional_headers=headers, proxy=None, compression=None
        )
        await link.send(Hello(launch_id=launch_id, pid=1, level=BotLevel.OBSERVED).to_json())
        assert json.loads(await link.recv())["type"] == "welcome"
        links.append(link)
    return links


# ---- the whole


async def bench(records: int, say: Callable[[str], None]) -> dict[str, Figures | float]:
    """Every figure, by the name of its column."""
    found: dict[str, Figures | float] = {}
    with a_postgres_server() as postgres, tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": None, "PostgreSQL": postgres.url(postgres.new_database())}
        for kind, url in urls.items():
            driver = (url or f"sqlite:///{folder}/greenroom.db").replace(
                "postgresql://", "postgresql+asyncpg://", 1
            )
            driver = driver.replace("sqlite://", "sqlite+aiosqlite://", 1)
            async with a_house(url, Path(folder)) as house:
                say(f"{kind}, empty")
                found[kind] = await measure(house, "empty")
            say(f"{kind}, writing {records:,} ended sessions")
            await fill(driver, records)
            async with a_house(url, Path(folder)) as house:
                say(f"{kind}, full")
                found[f"{kind}, {records:,} ended"] = await measure(house, "full")
        say("memory")
        with tempfile.TemporaryDirectory() as empty:
            found["memory"] = await memory_kb(Path(empty), None)
    return found


def show(found: dict[str, Figures | float], records: int) -> None:
    """The table, medians with their spread (least … most)."""
    table = Table(title=f"Control plane: median (least … most) of {ROUNDS} rounds")
    table.add_column("")
    columns = {name: one for name, one in found.items() if isinstance(one, Figures)}
    for name in columns:
        table.add_column(name, justify="right")
    rows = {
        "starts a second, one at a time": ("starts_alone_per_s", ".0f"),
        f"starts a second, {AT_ONCE} at a time": ("starts_per_s", ".0f"),
        f"state changes a second, {AT_ONCE} at a time": ("changes_per_s", ".0f"),
        "finding what is due, ms": ("due_ms", ".2f"),
        "finding when the next is due, ms": ("next_ms", ".2f"),
    }
    for title, (name, form) in rows.items():
        cells = []
        for figures in columns.values():
            values = getattr(figures, name)
            median, least, most = statistics.median(values), min(values), max(values)
            cells.append(f"{median:{form}} ({least:{form}} … {most:{form}})")
        table.add_row(title, *cells)
    console = Console()
    console.print(table)
    console.print(
        f"memory of the server for each live session with its link: {found['memory']:.0f} KB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000, help="ended sessions on record")
    args = parser.parse_args()
    configure_logs("warning", as_json=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("starting")
        found = asyncio.run(bench(args.records, lambda s: progress.update(task, description=s)))
    show(found, args.records)


if __name__ == "__main__":
    main()
