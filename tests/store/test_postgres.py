"""The store's contract on PostgreSQL, and what is PostgreSQL's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import asyncpg
import psutil
import pytest

from greenroom.errors import BadRequest, BadSetting, Unavailable
from greenroom.ports.store import AlreadyLive, New, NewEvent, Store
from greenroom.session.policy import UNLIMITED, Occupancy, Place
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sql import SqlStore
from greenroom.testing.postgres_server import PostgresServer
from greenroom.testing.records_contract import RecordsContract
from greenroom.testing.store_contract import StoreContract, a_session, create


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SqlStore]:
    opened = await PostgresDatabase(postgres_url).open()
    yield opened
    await opened.close()


class TestPostgres(StoreContract, RecordsContract):
    pass


@pytest.mark.usefixtures("patient_store")
async def test_of_a_thousand_starts_on_two_servers_one_is_admitted(
    store: SqlStore, postgres_url: str
) -> None:
    other = await PostgresDatabase(postgres_url).open()

    async def start(number: int, at: Store) -> str:
        try:
            return (await create(at, a_session(number), [NewEvent("app.n", {})], [])).id
        except AlreadyLive as already:
            return f"not {already.session_id}"

    starts = (start(number, (store, other)[number % 2]) for number in range(1000))
    told = await asyncio.gather(*starts)
    (live,) = await other.unended()
    assert sorted(told) == [f"not {live.id}"] * 999 + [live.id]
    await other.close()


async def test_a_server_that_goes_away_is_unavailable_and_then_back(
    store: SqlStore, postgres: PostgresServer
) -> None:
    stored = await create(store, a_session(), [], [])
    await asyncio.gather(*(store.get(stored.id) for _ in range(10)))  # connections to be lost
    postgres.stop()
    try:
        for call in (store.ping(), store.get(stored.id), store.effects.bury(1, "")):
            with pytest.raises(Unavailable):
                await call
    finally:
        postgres.start()
    found = await asyncio.gather(*(store.get(stored.id) for _ in range(20)))
    assert found == [stored] * 20
    await store.commit(stored, replace(stored, muted=True), [], [], 0.0)


async def test_a_server_that_falls_silent_is_unavailable_in_time(
    postgres_url: str, postgres: PostgresServer
) -> None:
    store = await PostgresDatabase(postgres_url, answer_within_s=0.2).open()
    stored = await create(store, a_session(), [], [])
    with _frozen(postgres):
        began_s = time.monotonic()
        with pytest.raises(Unavailable):
            await store.get(stored.id)
        assert time.monotonic() - began_s < 8.0
    assert await store.get(stored.id) == stored
    await store.close()


async def test_a_row_that_somebody_holds_is_given_up_in_time(postgres_url: str) -> None:
    store = await PostgresDatabase(postgres_url, answer_within_s=0.2).open()
    stored = await create(store, a_session(), [], [])
    somebody = await asyncpg.connect(postgres_url)
    async with somebody.transaction():
        await somebody.execute("SELECT 1 FROM sessions FOR UPDATE")
        with pytest.raises(Unavailable):
            await store.commit(stored, replace(stored, muted=True), [], [], 0.0)
    await somebody.close()
    assert (await store.commit(stored, replace(stored, muted=True), [], [], 0.0)).muted
    await store.close()


@pytest.mark.parametrize("user_id", ["u" * 256, "zero\0byte"])
async def test_what_does_not_fit_is_a_bad_request(store: SqlStore, user_id: str) -> None:
    with pytest.raises(BadRequest):
        await create(store, a_session(user_id=user_id), [], [])


async def test_a_database_that_was_not_upgraded_names_the_command(postgres: PostgresServer) -> None:
    name = postgres.new_database()
    with pytest.raises(BadSetting, match=rf"{name}.* is empty.*greenroom db upgrade"):
        await PostgresDatabase(postgres.url(name)).open()
    postgres.drop_database(name)


async def test_a_wrong_address_is_refused_without_telling_the_password(
    postgres: PostgresServer,
) -> None:
    right = postgres.url("postgres")
    password = right.split(":")[2].split("@")[0]
    wrong = [right.replace(password, "hunter2"), postgres.url("of_nobody"), right + "?sslmode=odd"]
    for url in wrong:
        with pytest.raises(BadSetting, match="GREENROOM_DATABASE_URL") as caught:
            await PostgresDatabase(url).schema()
        assert "hunter2" not in str(caught.value)
        assert password not in str(caught.value)


async def test_an_address_where_nobody_listens_is_unavailable_by_name() -> None:
    url = "postgresql://ada:hunter2@127.0.0.1:1/calls"
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1, database calls") as caught:
        await PostgresDatabase(url).open()
    assert "hunter2" not in str(caught.value)


@contextlib.contextmanager
def _frozen(server: PostgresServer) -> Iterator[None]:
    """Stop every process of the server as a machine that hangs would; let them go on after."""
    parent = psutil.Process(server.pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


async def test_a_halt_waits_for_the_start_that_began_before_it(postgres_url: str) -> None:
    """FAILURES 24: in the middle of a start somebody presses the button, on another server."""
    store = await PostgresDatabase(postgres_url).open()
    session = a_session()
    asked = Place(session.user_id, session.tenant, session.assistant)
    found: list[int] = []

    def decide(occupancy: Occupancy) -> New:
        pressing.start()
        pressing.join(0.5)  # it does not come through: this transaction is first
        assert found == []
        return New(session, [], [])

    pressing = threading.Thread(target=lambda: found.append(asyncio.run(_halt(postgres_url))))
    await store.admit(asked, UNLIMITED, session.created_at, decide)
    await asyncio.to_thread(pressing.join)
    assert found == [1], "whoever halts finds the session that came before"
    await store.close()


async def _halt(url: str) -> int:
    store = await PostgresDatabase(url).open()
    await store.halt("fire", 0.0)
    unended = await store.unended()
    await store.close()
    return len(unended)
