"""The store's contract on SQLite, and what is SQLite's own."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from greenroom.errors import BadSetting, Unavailable
from greenroom.ports.store import Store
from greenroom.store.sqlite import open_sqlite
from greenroom.store.tables import metadata
from greenroom.testing.store_contract import StoreContract, a_session


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "state" / "greenroom.db")
    yield opened
    await opened.close()


class TestSqlite(StoreContract):
    pass


async def test_what_is_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    first = await open_sqlite(path)
    stored = await first.create(a_session(), [], [])
    await first.close()
    second = await open_sqlite(path)
    assert await second.get(stored.id) == stored
    await second.close()


async def test_only_its_owner_reads_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    store = await open_sqlite(path)
    await store.create(a_session(), [], [])
    for name in ("greenroom.db", "greenroom.db-wal"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600  # noqa: ASYNC240
    await store.close()


async def test_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    await (await open_sqlite(path)).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    await (await open_sqlite(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(BadSetting, match="newer Greenroom"):
        await open_sqlite(path)


async def test_whose_turn_does_not_come_finds_the_database_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    store = await open_sqlite(path, busy_timeout_ms=300, pool_timeout_s=0.1)
    await store.create(a_session(), [], [])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    writes = (store.put_ticket(f"d{n}", "ses_1", "ada", 1.0) for n in range(3))
    errors = await asyncio.gather(*writes, return_exceptions=True)
    connection.close()
    assert [type(error) for error in errors] == [Unavailable] * 3
    await store.close()


async def test_a_locked_database_is_unavailable_and_then_back(tmp_path: Path) -> None:
    path = tmp_path / "greenroom.db"
    store = await open_sqlite(path, busy_timeout_ms=50)
    await store.create(a_session(), [], [])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable):
        await store.put_ticket("d", "ses_1", "ada", 1.0)
    connection.execute("ROLLBACK")
    connection.close()
    await store.put_ticket("d", "ses_1", "ada", 1.0)
    await store.close()
