"""The house under trial: its server, its database, its clock, its line to the bots, its bots."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
import psutil
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from greenroom.launch.child import BOT_NAME, SPARE_NAME
from greenroom.session.model import Session
from greenroom.store import database_at
from greenroom.store import tables as t
from greenroom.store.rows import from_row
from greenroom.testing.postgres_server import PostgresServer
from tests.chaos.bot import PIDS_ENV
from tests.chaos.link import BadLine
from tests.chaos.server import CLOCK_ENV
from tests.chaos.verdict import Found
from tests.chaos.watch import POSTGRES_DIARY, SQLITE_DIARY, Entry, Outages, ServerTime
from tests.e2e.server import Server, eventually

_BOT = str(Path(__file__).with_name("bot.py"))
# A server that is up needs this long to have found its bots and to have looked at its deadlines.
SETTLES_S = 2.0
_READY_WITHIN_S = 30.0


class ChaosServer(Server):
    """``greenroom serve`` whose clock we can move."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.server", "serve"]

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process


class House:
    """Everything that can be mistreated, and what is left of it afterwards.

    Args:
        folder: An empty folder.
        limits: ``GREENROOM_*`` of this run.
        postgres: A server with an empty database; SQLite if None.
    """

    def __init__(
        self, folder: Path, limits: Mapping[str, str], postgres: PostgresServer | None
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._postgres = postgres
        self._database = postgres.new_database() if postgres else ""
        self.is_out = asyncio.Lock()
        self.outages = Outages()
        self.server_time = ServerTime()
        self.line = BadLine(lambda: f"ws://127.0.0.1:{self.server.port}/link")
        self._bot: str | None = _BOT
        self.server = ChaosServer(folder)

    # ---- its life

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Everything is up; afterwards nothing is left, whatever happened."""
        (self._folder / "pids").mkdir()
        self._clock_file.write_text("0")
        await database_at(self._url, self._folder).upgrade()
        await self._keep_diary()
        try:
            self.server = ChaosServer(self._folder, self._bot, **await self._settings())
            await self.server.start()
            await self.server.ready()
            yield self
        finally:
            self.server.kill_family()
            await self._close()

    async def _close(self) -> None:
        await self.line.close()

    async def _settings(self) -> dict[str, str]:
        chaos = {
            PIDS_ENV: str(self._folder / "pids"),
            CLOCK_ENV: str(self._clock_file),
            "GREENROOM_LINK_URL": await self._line_to_bots(),
            "GREENROOM_SECRET": "c" * 32,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return {
            **chaos,
            **self._limits,
            **({"GREENROOM_DATABASE_URL": self._url} if self._url else {}),
        }

    async def _line_to_bots(self) -> str:
        return await self.line.open()

    @property
    def _url(self) -> str | None:
        return self._postgres.url(self._database) if self._postgres else None

    @property
    def _clock_file(self) -> Path:
        return self._folder / "clock"

    @property
    def _sqlite_file(self) -> Path:
        return self._folder / "greenroom.db"

    async def _keep_diary(self) -> None:
        if self._postgres is None:
            with contextlib.closing(sqlite3.connect(self._sqlite_file)) as db:
                db.executescript(SQLITE_DIARY)
            return
        assert self._url is not None
        engine = create_async_engine(self._url.replace("postgresql://", "postgresql+asyncpg://", 1))
        async with engine.begin() as db:
            raw = (await db.get_raw_connection()).driver_connection
            assert raw is not None
            await raw.execute(POSTGRES_DIARY)
        await engine.dispose()

    # ---- what can be done to it

    async def restart_after(self, *signals: signal.Signals) -> None:
        """End the server by these signals, half a second apart, and start it again."""
        with self.outages.during():
            for number in signals:
                with contextlib.suppress(ProcessLookupError):
                    self.server.process.send_signal(number)
                await asyncio.sleep(0.5)
            await asyncio.to_thread(self.server.process.wait, 40)
            await self.server.start()
            await self._settled()

    async def freeze_server(self, for_s: float) -> None:
        """Stop the server's process for a while, as a paused container or a swapped-out one is."""
        with self.outages.during():
            self.server.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(for_s)
            self.server.process.send_signal(signal.SIGCONT)
            await self._settled()

    async def take_database(self, for_s: float) -> None:
        """Nobody can write (SQLite), or nobody answers at all (PostgreSQL), for a while."""
        with self.outages.during():
            if self._postgres is None:
                await asyncio.to_thread(self._lock_sqlite, for_s)
            else:
                await self._freeze_postgres(for_s)
            await self._settled()

    def _lock_sqlite(self, for_s: float) -> None:
        with contextlib.closing(sqlite3.connect(self._sqlite_file, timeout=10)) as db:
            db.isolation_level = None
            db.execute("BEGIN EXCLUSIVE")
            time.sleep(for_s)
            db.execute("ROLLBACK")

    async def _freeze_postgres(self, for_s: float) -> None:
        assert self._postgres is not None
        main = psutil.Process(self._postgres.pid)
        frozen = [main, *main.children(recursive=True)]
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        await asyncio.sleep(for_s)
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def kill_kin(self, module: str) -> None:
        """Kill whoever of the server's family runs this module; what it has forked does not."""
        for process in self.server.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if module in process.cmdline() and process.name() not in (BOT_NAME, SPARE_NAME):
                    process.kill()

    def move_clock(self, by_s: float) -> None:
        """The server's clock jumps; the bots' and the supervisor's do not."""
        self.server_time.move(by_s)
        self._clock_file.write_text(str(self.server_time.offset_s))

    async def _settled(self) -> None:
        """Wait until the server says that it is ready, and a moment for it to look around."""
        async with httpx.AsyncClient(base_url=self.server.url, timeout=5, trust_env=False) as http:
            async with asyncio.timeout(_READY_WITHIN_S):
                while not await _is_ready(http):
                    await asyncio.sleep(0.05)
        await asyncio.sleep(SETTLES_S)

    # ---- what is left of it

    def bots(self) -> dict[int, str]:
        """Living bots that have come as far as their own code: their session by process id."""
        living = {}
        for process in self.server.bots():
            path = self._folder / "pids" / str(process.pid)
            # Empty: it is being written at this moment.
            if path.exists() and (session_id := path.read_text()):
                living[process.pid] = session_id
        return living

    async def stages(self) -> dict[str, tuple[str, float]]:
        """Of each session the last stage, and when it was entered by the machine's clock."""
        return {e.session_id: (e.stage, e.at) for e in (await self.found()).diary}

    async def nobody_lives(self, within_s: float) -> None:
        """Every bot's process is gone. Spares, which wait for a session, are no bots."""
        await eventually(lambda: not self.bots(), within_s, "bots without a session live")

    async def found(self) -> Found:
        """The record and the diary, read from the database itself."""
        url = self._url or f"sqlite:///{self._sqlite_file}"
        driver = url.replace("postgresql://", "postgresql+asyncpg://", 1).replace(
            "sqlite://", "sqlite+aiosqlite://", 1
        )
        engine = create_async_engine(driver)
        async with engine.connect() as db:
            rows = (await db.execute(t.sessions.select())).mappings().all()
            sessions: list[Session] = [from_row(row) for row in rows]
            wanted = "SELECT session_id, user_id, stage, at FROM chaos_diary ORDER BY n"
            diary = [Entry(*row) for row in await db.execute(text(wanted))]
            numbers: dict[str, list[int]] = {}
            ordered = "SELECT session_id, seq FROM events ORDER BY session_id, seq"
            for session_id, seq in await db.execute(text(ordered)):
                numbers.setdefault(session_id, []).append(seq)
            spent = await db.scalar(select(func.coalesce(func.sum(t.spend.c.micro_usd), 0)))
        await engine.dispose()
        return Found(sessions, diary, numbers, int(spent or 0), self.outages, self.server_time)


async def _is_ready(http: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await http.get("/readyz")).is_success
    return False
