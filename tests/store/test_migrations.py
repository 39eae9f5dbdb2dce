"""Upgrading a database: on both kinds, all or nothing, once, and never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from greenroom.errors import BadSetting
from greenroom.store import SQLITE_FILE, database_at
from greenroom.store.database import Database
from greenroom.store.migrate import Standing, head
from greenroom.store.tables import metadata
from greenroom.testing.postgres_server import PostgresServer
from greenroom.testing.store_contract import a_session, create
from tests.next_version import NextVersion


@dataclass
class Fresh:
    """A database without any table, and a way to look into it from outside."""

    database: Database
    engine: AsyncEngine

    async def run(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def has_the_next_table(self) -> bool:
        async with self.engine.connect() as connection:
            return await connection.run_sync(
                lambda c: c.dialect.has_table(c, "of_the_next_version")
            )


@pytest.fixture(params=["sqlite", "postgres"])
async def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fresh]:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = server.new_database()
        url: str | None = server.url(name)
        address = server.url(name).replace("postgresql", "postgresql+asyncpg")
    else:
        url, address = None, f"sqlite+aiosqlite:///{tmp_path / SQLITE_FILE}"
    engine = create_async_engine(address)
    yield Fresh(database_at(url, tmp_path), engine)
    await engine.dispose()
    if request.param == "postgres":
        server.drop_database(name)


async def test_what_is_missing_is_applied_once(fresh: Fresh) -> None:
    before = await fresh.database.schema()
    assert (before.standing, before.missing[-1]) == (Standing.EMPTY, head())
    assert (await fresh.database.upgrade()).before == before
    assert (await fresh.database.schema()).standing is Standing.CURRENT
    assert (await fresh.database.upgrade()).before.missing == ()


async def test_migrations_make_what_the_tables_say(fresh: Fresh) -> None:
    await fresh.database.upgrade()

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with fresh.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_two_upgrades_at_once_are_one(fresh: Fresh) -> None:
    done = await asyncio.gather(*(fresh.database.upgrade() for _ in range(4)))
    found = sorted(upgraded.before.standing for upgraded in done)
    assert found == [Standing.CURRENT] * 3 + [Standing.EMPTY]


async def test_sessions_survive_an_upgrade(fresh: Fresh, next_version: NextVersion) -> None:
    await fresh.database.upgrade()
    store = await fresh.database.open()
    stored = await create(store, a_session(), [], [])
    await store.close()
    next_version()
    assert (await fresh.database.schema()).standing is Standing.OLDER
    upgraded = await fresh.database.upgrade()
    assert upgraded.before.missing == ("9999",)
    assert await fresh.has_the_next_table()
    store = await fresh.database.open()
    assert await store.get(stored.id) == stored
    await store.close()


async def test_a_migration_that_fails_changes_nothing(
    fresh: Fresh, next_version: NextVersion
) -> None:
    await fresh.database.upgrade()
    next_version('raise RuntimeError("in the middle")')
    with pytest.raises(RuntimeError, match="in the middle"):
        await fresh.database.upgrade()
    assert (await fresh.database.schema()).standing is Standing.OLDER
    assert not await fresh.has_the_next_table()


async def test_a_newer_schema_is_refused_and_left_alone(fresh: Fresh) -> None:
    await fresh.database.upgrade()
    await fresh.run("UPDATE alembic_version SET version_num = '9999'")
    assert (await fresh.database.schema()).standing is Standing.NEWER
    for refused in (fresh.database.upgrade, fresh.database.open):
        with pytest.raises(BadSetting, match=r"newer Greenroom.* 9999"):
            await refused()
    assert (await fresh.database.schema()).revision == "9999"
