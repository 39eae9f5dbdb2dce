"""What the relay keeps: in one SQLite file, so that a restart loses nothing, within bounds.

Requests that wait and requests that have passed are kept in the same table. Those that passed,
kept only to be replayed, make room for those that wait; what waits is never thrown away for room:
its sender is told to come again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite

from greenroom.errors import Unavailable
from greenroom.relay.bounds import Bounds
from greenroom.wire.relay import Headers

_TABLE = """
CREATE TABLE IF NOT EXISTS kept (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    received_at REAL NOT NULL,
    method TEXT NOT NULL,
    query TEXT NOT NULL,
    headers TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    status INTEGER,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS kept_by_name ON kept (name, waiting, number, size_bytes);
CREATE INDEX IF NOT EXISTS kept_by_time ON kept (received_at);
"""
_COLUMNS = "number, received_at, method, query, headers, body, waiting, status"


class Full(Unavailable):
    """No more is kept for this address, or at all, until somebody listens."""

    code = "relay_full"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. ``headers`` without those of the connection."""

    method: str
    query: str
    headers: Headers
    body: bytes

    @property
    def size_bytes(self) -> int:
        """What it counts."""
        named = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.body) + len(self.query) + named


@dataclass(frozen=True, slots=True)
class Kept:
    """A request on record. ``status``: what was answered when it last passed, if it did."""

    number: int
    received_at: float
    request: Request
    waiting: bool
    status: int | None


class Keep:
    """The requests of all addresses. Make it with `open_keep`."""

    def __init__(self, db: aiosqlite.Connection, bounds: Bounds) -> None:
        self._db = db
        self._bounds = bounds
        self._adding = asyncio.Lock()

    async def add(self, name: str, request: Request, now: float) -> int:
        """Keep a request, waiting. Returns its number.

        Raises:
            Full: There is no room, even without what has passed.
        """
        # One at a time, so that two together do not pass a bound that each alone keeps.
        async with self._adding:
            await self._expire(now)
            await self._make_room(name, request.size_bytes)
            return await self._insert(name, request, now)

    async def _insert(self, name: str, request: Request, now: float) -> int:
        row = (
            name,
            now,
            request.method,
            request.query,
            json.dumps(request.headers),
            request.body,
            request.size_bytes,
        )
        async with self._db.execute(
            "INSERT INTO kept (name, received_at, method, query, headers, body, size_bytes, "
            "waiting) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            row,
        ) as cursor:
            number = cursor.lastrowid
        await self._db.commit()
        assert number is not None
        return number

    async def next_waiting(self, name: str, after: int) -> Kept | None:
        """The first that waits with a number above this one."""
        found = await self._fetch(
            "name = ? AND waiting = 1 AND number > ? ORDER BY number LIMIT 1", (name, after)
        )
        return found[0] if found else None

    async def passed(self, number: int, status: int) -> None:
        """It was answered; from now on it is kept only to be replayed."""
        await self._run("UPDATE kept SET waiting = 0, status = ? WHERE number = ?", status, number)

    async def replay(self, name: str, *, last: int, numbers: Sequence[int]) -> int:
        """Let requests of this name wait again. Returns how many."""
        chosen = [kept.number for kept in await self.last(name, last)] if last else []
        chosen += numbers
        marks = ", ".join("?" * len(chosen))
        # The marks are question marks; the numbers themselves are bound.
        return await self._run(
            f"UPDATE kept SET waiting = 1 WHERE name = ? AND number IN ({marks})",  # noqa: S608
            name,
            *chosen,
        )

    async def last(self, name: str, count: int) -> list[Kept]:
        """The newest so many, oldest first."""
        found = await self._fetch("name = ? ORDER BY number DESC LIMIT ?", (name, count))
        return found[::-1]

    async def waiting(self, name: str) -> tuple[int, int]:
        """How many wait, and their size in bytes."""
        return await self._count("name = ? AND waiting = 1", name)

    async def close(self) -> None:
        """Let go of the file."""
        await self._db.close()

    async def _expire(self, now: float) -> None:
        await self._run("DELETE FROM kept WHERE received_at < ?", now - self._bounds.kept_s)

    async def _make_room(self, name: str, size_bytes: int) -> None:
        bounds = self._bounds
        waiting, waiting_bytes = await self.waiting(name)
        if waiting + 1 > bounds.kept or waiting_bytes + size_bytes > bounds.kept_bytes:
            raise Full("Nobody listens, and no more is kept for this address. Come again later.")
        if not waiting and await self._names() >= bounds.addresses:
            raise Full("The relay keeps requests for too many addresses. Come again later.")
        while True:
            mine, mine_bytes = await self._count("name = ?", name)
            _, all_bytes = await self._count("1 = 1")
            fits = mine < bounds.kept and mine_bytes + size_bytes <= bounds.kept_bytes
            if fits and all_bytes + size_bytes <= bounds.all_bytes:
                return
            # Its own history first; another's only when all is full, and never what waits.
            if not await self._forget_oldest(None if fits else name):
                raise Full("The relay is full. Come again later.")

    async def _forget_oldest(self, name: str | None) -> bool:
        oldest = "SELECT number FROM kept WHERE waiting = 0 ORDER BY number LIMIT 1"
        named = "SELECT number FROM kept WHERE waiting = 0 AND name = ? ORDER BY number LIMIT 1"
        forget = f"DELETE FROM kept WHERE number = ({named if name else oldest})"  # noqa: S608
        return bool(await self._run(forget, *([name] if name else [])))

    async def _names(self) -> int:
        async with self._db.execute(
            "SELECT count(DISTINCT name) FROM kept WHERE waiting = 1"
        ) as cursor:
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def _count(self, where: str, *values: Any) -> tuple[int, int]:
        wanted = f"SELECT count(*), coalesce(sum(size_bytes), 0) FROM kept WHERE {where}"  # noqa: S608
        async with self._db.execute(wanted, values) as cursor:
            row = await cursor.fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def _fetch(self, where: str, values: Sequence[Any]) -> list[Kept]:
        wanted = f"SELECT {_COLUMNS} FROM kept WHERE {where}"  # noqa: S608
        async with self._db.execute(wanted, values) as cursor:
            return [_kept(row) for row in await cursor.fetchall()]

    async def _run(self, statement: str, *values: Any) -> int:
        async with self._db.execute(statement, values) as cursor:
            changed = cursor.rowcount
        await self._db.commit()
        return changed


async def open_keep(path: Path, bounds: Bounds) -> Keep:
    """Open the file, and make it if need be: readable by its owner alone."""
    await asyncio.to_thread(_make_file, path)
    db = await aiosqlite.connect(path, timeout=5.0)
    try:
        await db.execute("PRAGMA journal_mode=WAL")
        await db.execute("PRAGMA synchronous=NORMAL")
        await db.executescript(_TABLE)
    except sqlite3.Error:
        await db.close()
        raise
    return Keep(db, bounds)


def _make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)


def _kept(row: Sequence[Any]) -> Kept:
    number, received_at, method, query, headers, body, waiting, status = row
    pairs = [(name, value) for name, value in json.loads(headers)]
    return Kept(number, received_at, Request(method, query, pairs, body), bool(waiting), status)
