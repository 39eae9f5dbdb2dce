"""SQLite: one file, WAL, one writer at a time, readers never waiting."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from greenroom.errors import BadSetting
from greenroom.store.database import Upgraded
from greenroom.store.migrate import Schema, Standing, refuse_newer, schema_of, upgrade
from greenroom.store.sql import SqlStore
from greenroom.store.transactions import InThreads

log = structlog.get_logger("greenroom.store")

BUSY_TIMEOUT_MS = 5_000
# How long a call waits for those before it.
PLACE_WITHIN_S = 10.0
READERS = 4


async def open_sqlite(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> SqlStore:
    """Open (and make, and upgrade) the store in a file; see `SqliteDatabase.open`."""
    return await SqliteDatabase(path, busy_timeout_ms=busy_timeout_ms).open()


class SqliteDatabase:
    """Implements `greenroom.store.database.Database` in one file.

    Args:
        path: The database's file; its folder is made if need be.
        busy_timeout_ms: How long to wait for another process's lock.
    """

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return f"SQLite, {self._path}"

    @property
    def upgraded_on_start(self) -> bool:
        """See `Database.upgraded_on_start`. The file is this server's alone."""
        return True

    async def open(self) -> SqlStore:
        """See `Database.open`. An older file is upgraded first, and copied before that."""
        upgraded = await self.upgrade()
        if upgraded.backup is not None:
            log.info("database.upgraded", backup=upgraded.backup)
        await asyncio.to_thread(self._use_wal)
        db = InThreads(
            self._engine("BEGIN IMMEDIATE", 1),
            self._engine("BEGIN", READERS),
            readers=READERS,
            place_within_s=PLACE_WITHIN_S,
        )
        return SqlStore(db)

    async def schema(self) -> Schema:
        """See `Database.schema`. A file that is not there is not made."""
        return await asyncio.to_thread(self._schema)

    async def upgrade(self) -> Upgraded:
        """See `Database.upgrade`."""
        return await asyncio.to_thread(self._upgrade)

    def _schema(self) -> Schema:
        with self._connected() if self._path.exists() else _memory() as connection:
            return schema_of(connection)

    def _upgrade(self) -> Upgraded:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # What was said stands in it; SQLite's other files take its mode.
        self._path.touch(mode=0o600)
        with self._connected() as connection:
            # The write lock first: of two that upgrade at once, the second finds it done.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            schema = schema_of(connection)
            refuse_newer(schema)
            older = schema.standing is Standing.OLDER
            backup = _copy_beside(self._path) if older else None
            upgrade(connection)
            connection.exec_driver_sql("COMMIT")
        return Upgraded(schema, str(backup) if backup else None)

    def _use_wal(self) -> None:
        """Switch the file to WAL, which it stays in.

        By one connection, before there are others: of two that switch at once, each holds what
        the other waits for, and SQLite refuses one without waiting.
        """
        with self._connected() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of one's own that begins and commits only when told to."""
        busy_timeout_s = self._busy_timeout_ms / 1000
        engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": busy_timeout_s},
        )
        try:
            with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise BadSetting(
                f"The database {self._path} cannot be used: {error.orig}. Is it a database, may "
                "it be written, and is nobody else upgrading it?"
            ) from error
        finally:
            engine.dispose()

    def _engine(self, begin: str, pool_size: int) -> Engine:
        engine = create_engine(
            f"sqlite:///{self._path}",
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,  # they may end up in a log, and transcripts are among them
        )
        _prepare(engine, begin, self._busy_timeout_ms)
        return engine


@contextlib.contextmanager
def _memory() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _copy_beside(path: Path) -> Path:
    """Copy a database, as the last commit left it, into a dated file of its owner's alone."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    copy = path.with_name(f"{path.stem}-{stamp}.backup{path.suffix}")
    copy.touch(mode=0o600, exist_ok=False)
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def _prepare(engine: Engine, begin: str, busy_timeout_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        # The driver's own BEGIN comes too late for a write lock; we say it ourselves below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            # NORMAL in WAL loses nothing to a killed process; only a power cut may cost the
            # last commits (https://www.sqlite.org/pragma.html#pragma_synchronous).
            "synchronous=NORMAL",
            f"busy_timeout={busy_timeout_ms}",
            "foreign_keys=ON",
            # What is deleted is overwritten: people are told that their words are gone.
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
