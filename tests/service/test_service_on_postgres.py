"""The use cases on PostgreSQL: crowds, and a database that goes away in the middle of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from greenroom.errors import Unavailable
from greenroom.ports.launcher import ExitCause
from greenroom.ports.store import Store
from greenroom.session.model import EndReason, Stage
from greenroom.store.postgres import PostgresDatabase
from greenroom.testing.postgres_server import PostgresServer
from tests.conftest import House


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    opened = await PostgresDatabase(postgres_url).open()
    yield opened
    await opened.close()


async def test_a_thousand_starts_by_one_user_are_one_launch(house: House) -> None:
    started = await asyncio.gather(*(house.sessions.start("ada", None) for _ in range(1000)))
    assert len({s.session.id for s in started}) == 1
    assert sum(not s.reused for s in started) == 1
    await house.until_true(lambda: bool(house.launcher.orders))
    assert len(house.launcher.orders) == 1


@pytest.mark.usefixtures("patient_store")
async def test_starts_of_many_users_at_once_are_all_launched(house: House) -> None:
    users = [f"user-{number}" for number in range(50)]
    await asyncio.gather(*(house.sessions.start(user, None) for user in users))
    await house.until_true(lambda: len(house.launcher.orders) == len(users))


async def test_a_database_that_goes_away_for_a_moment_ends_no_call(
    house: House, postgres: PostgresServer
) -> None:
    """FAILURES 22: the database goes away in the middle of calls."""
    session = (await house.sessions.start("ada", None)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    postgres.stop()
    try:
        with pytest.raises(Unavailable):
            await house.sessions.start("bob", None)
        with pytest.raises(Unavailable):
            await house.timekeeper.tick()
        with pytest.raises(Unavailable):
            await house.reconciler.look()
    finally:
        postgres.start()
    assert house.launcher.ended == []
    again = await house.sessions.start("ada", None)
    assert (again.reused, again.session.id) == (True, session.id)


async def test_a_bot_that_died_while_the_database_was_away_is_on_record_afterwards(
    house: House, postgres: PostgresServer
) -> None:
    """FAILURES 22: what happened meanwhile arrives afterwards."""
    session = (await house.sessions.start("ada", None)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    postgres.stop()
    try:
        with capture_logs() as logs:
            await house.launcher.exit(session.launch_id, ExitCause.SIGNALLED, None)
            await house.until_true(lambda: "store.unavailable" in [log["event"] for log in logs])
    finally:
        postgres.start()
    ended = await house.until(lambda s: s.stage is Stage.ENDED, session.id)
    assert ended.reason is EndReason.LAUNCH_FAILED  # it had not joined yet
