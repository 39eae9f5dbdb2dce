"""SQLite: one file, WAL, one writer at a time, readers never waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from greenroom.store.migrate import upgrade
from greenroom.store.sql import SqlStore

BUSY_TIMEOUT_MS = 5_000
POOL_TIMEOUT_S = 10.0


async def open_sqlite(
    path: Path,
    *,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    pool_timeout_s: float = POOL_TIMEOUT_S,
) -> SqlStore:
    """Open (and make, and migrate) the store in a file.

    Args:
        path: The database's file; its folder is made if need be.
        busy_timeout_ms: How long to wait for another process's lock.
        pool_timeout_s: How long to wait for one's turn.

    Returns:
        The store, ready.

    Raises:
        BadSetting: The file was written by a newer Greenroom.
    """
    address = f"sqlite+aiosqlite:///{path}"
    await asyncio.to_thread(_make, path)
    # Waiting for the one writer's place is the pool's business, and fair; no lock is fought over.
    writer = _engine(address, "BEGIN IMMEDIATE", 1, busy_timeout_ms, pool_timeout_s)
    reader = _engine(address, "BEGIN", 4, busy_timeout_ms, pool_timeout_s)
    return SqlStore(writer=writer, reader=reader)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # what was said stands in it; SQLite's other files take its mode
    upgrade(f"sqlite:///{path}")


def _engine(
    address: str, begin: str, pool_size: int, busy_timeout_ms: int, pool_timeout_s: float
) -> AsyncEngine:
    engine = create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        hide_parameters=True,  # an error's message would repeat what was said
    )
    _prepare(engine.sync_engine, begin, busy_timeout_ms)
    return engine


def _prepare(engine: Engine, begin: str, busy_timeout_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        # The driver's own BEGIN comes too late for a write lock; we say it ourselves below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            # NORMAL in WAL loses nothing to a killed process; only a power cut may cost the
            # last commits (https://www.sqlite.org/pragma.html#pragma_synchronous).
            "synchronous=NORMAL",
            f"busy_timeout={busy_timeout_ms}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
