"""How long the fuzzers look: shortly and always alike, or as ``make fuzz`` says."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from greenroom.ports.store import Store
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sqlite import open_sqlite

# How many times as long as the short form; other examples each time, by a seed that is printed.
TIMES = int(os.environ.get("FUZZ_TIMES", "0"))
STORE = os.environ.get("FUZZ_STORE", "sqlite")


def examples(short: int) -> settings:
    """As many examples as this in the short form, and that many times more in the long one."""
    return settings(
        max_examples=short * max(1, TIMES),
        derandomize=TIMES == 0,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Any:
    """Where the store is to be, made outside of any loop: SQLite, or as ``make fuzz`` says."""
    return request.getfixturevalue("postgres_url" if STORE == "postgres" else "sqlite_file")


@pytest.fixture
async def store(place: Any) -> AsyncIterator[Store]:
    """An empty store there."""
    if STORE == "postgres":
        opened = await PostgresDatabase(place).open()
    else:
        opened = await open_sqlite(place)
    yield opened
    await opened.close()
