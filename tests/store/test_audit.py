"""The audit log only grows, whoever writes into the database: its own triggers see to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from greenroom.ports.audit import Act
from greenroom.ports.store import Store
from greenroom.store import database_at
from greenroom.store import tables as t
from greenroom.store.database import Database
from greenroom.testing.store_contract import a_key, an_entry

_EVERYWHERE = (
    "UPDATE audit SET outcome = 'done'",
    "UPDATE audit SET actor = 'nobody' WHERE id = 1",
    "UPDATE audit SET actor = 'nobody' WHERE false",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE id = 1",
)
_ROW = "(1, 0, 'operator', 'eve', 'house.stop', '', 'done', '{}')"
_INTO = "INTO audit (id, at, actor_kind, actor, act, target, outcome, detail) VALUES"
_TRIES = {
    "sqlite": (
        *(statement for statement in _EVERYWHERE if "false" not in statement),
        f"REPLACE {_INTO} {_ROW}",
        f"INSERT OR REPLACE {_INTO} {_ROW}",
        f"INSERT {_INTO} {_ROW} ON CONFLICT (id) DO UPDATE SET actor = 'eve'",
    ),
    "postgresql": (
        *_EVERYWHERE,
        "TRUNCATE audit",
        f"INSERT {_INTO} {_ROW} ON CONFLICT (id) DO UPDATE SET actor = 'eve'",
    ),
}


@pytest.fixture
async def store(place: Path | str) -> AsyncIterator[Store]:
    """A store whose log has one line."""
    opened = await _database(place).open()
    await opened.audit.add(an_entry())
    yield opened
    await opened.close()


@pytest.fixture
async def engine(store: Store, place: Path | str) -> AsyncIterator[AsyncEngine]:
    """Somebody else's connection to that database."""
    made = create_async_engine(_address(place))
    yield made
    await made.dispose()


def _database(place: Path | str) -> Database:
    if isinstance(place, Path):
        return database_at(None, place.parent)
    return database_at(place, Path())


def _address(place: Path | str) -> str:
    if isinstance(place, Path):
        return f"sqlite+aiosqlite:///{place}"
    return place.replace("postgresql:", "postgresql+asyncpg:", 1)


async def test_no_line_is_changed_or_taken_out(engine: AsyncEngine) -> None:
    for statement in _TRIES[engine.dialect.name]:
        async with engine.connect() as db:
            with pytest.raises(DBAPIError, match="append-only"):
                await db.execute(text(statement))
    async with engine.begin() as db:
        await db.execute(_ADD)
    async with engine.connect() as db:
        actors = (await db.execute(t.audit.select().order_by(t.audit.c.id))).mappings().all()
    assert [row["actor"] for row in actors] == ["ada", "bob"]


_ADD = t.audit.insert().values(
    at=1.0,
    actor_kind="operator",
    actor="bob",
    act="house.resume",
    target="",
    outcome="done",
    detail={},
)


async def test_a_key_that_cannot_be_kept_leaves_no_line(store: Store) -> None:
    await store.keys.add(a_key(), "d" * 64, an_entry(Act.CREATE_KEY))
    with pytest.raises(IntegrityError):
        await store.keys.add(replace(a_key(), id="key_2"), "d" * 64, an_entry(Act.CREATE_KEY))
    assert len(await store.audit.listed(limit=10)) == 2
