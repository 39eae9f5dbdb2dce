"""Where deliveries are kept: on both databases, in the event's transaction, in lanes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, text

from greenroom.ports.deliveries import Delivery, DeliveryState
from greenroom.ports.store import NewEvent, StaleWrite
from greenroom.session.model import Session
from greenroom.store import tables as t
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sql import SqlStore
from greenroom.store.sqlite import SqliteDatabase
from greenroom.store.transactions import OverTheNetwork
from greenroom.testing.store_contract import a_session, create
from tests.listening import an_endpoint

_NOW = 1_800_000_000.0
ALL = an_endpoint("https://all.example/hook", name="all")
APP = an_endpoint("https://app.example/hook", types=("app.*",))


@pytest.fixture
async def store(place: Path | str) -> AsyncIterator[SqlStore]:
    database = PostgresDatabase(place) if isinstance(place, str) else SqliteDatabase(place)
    opened = await database.open()
    opened.deliveries.route([ALL, APP])
    yield opened
    await opened.close()


def _events(*types: str) -> list[NewEvent]:
    return [NewEvent(type_, {"of": type_}) for type_ in types]


async def _seqs(store: SqlStore, endpoint: str, session_id: str = "ses_1") -> list[int]:
    waiting = await store.deliveries.waiting(endpoint, session_id, 100)
    return [delivery.event.seq for delivery in waiting]


async def _first(store: SqlStore, endpoint: str, session_id: str = "ses_1") -> Delivery:
    return (await store.deliveries.waiting(endpoint, session_id, 1))[0]


async def test_each_endpoint_gets_the_events_that_it_wants_in_order(store: SqlStore) -> None:
    session = await create(store, a_session(), _events("voice.session.start", "app.one"), [])
    await store.commit(session, session, _events("voice.transcript", "app.two"), [], _NOW + 1)
    assert await _seqs(store, "all") == [1, 2, 3, 4]
    assert await _seqs(store, "app") == [2, 4]
    delivery = await _first(store, "app")
    assert (delivery.event.type, delivery.event.data) == ("app.one", {"of": "app.one"})
    assert delivery.user_id == session.user_id
    assert (delivery.attempts, delivery.queued_at, delivery.due_at) == (0, _NOW, _NOW)
    assert await store.deliveries.due_lanes("app", _NOW, 10) == ["ses_1"]
    assert await store.deliveries.due_lanes("app", _NOW - 1, 10) == []


async def test_what_is_not_stored_is_not_delivered(store: SqlStore) -> None:
    session = await create(store, a_session(), [], [])
    await store.commit(session, session, [], [], _NOW)
    with pytest.raises(StaleWrite):
        await store.commit(session, session, _events("app.late"), [], _NOW)
    assert await store.deliveries.listed(state=None, endpoint=None, limit=10) == []
    assert await store.deliveries.due_lanes("app", _NOW + 99, 10) == []


async def test_a_lane_waits_as_a_whole_and_more_events_do_not_hurry_it(store: SqlStore) -> None:
    session = await create(store, a_session(), _events("app.one"), [])
    await store.deliveries.postpone(await _first(store, "app"), _NOW + 30, "HTTP 503")
    await store.commit(session, session, _events("app.two"), [], _NOW + 1)
    assert await store.deliveries.due_lanes("app", _NOW + 29, 10) == []
    assert await store.deliveries.due_lanes("app", _NOW + 30, 10) == ["ses_1"]
    assert await store.deliveries.due_lanes("all", _NOW + 1, 10) == ["ses_1"]
    first = await _first(store, "app")
    assert (first.attempts, first.error, first.due_at) == (1, "HTTP 503", _NOW + 30)


async def test_lanes_come_longest_due_first_and_no_more_than_asked_for(store: SqlStore) -> None:
    for number in (3, 1, 2):
        session = replace(a_session(number, f"user-{number}"), created_at=_NOW + number)
        await create(store, session, _events("app.one"), [])
    assert await store.deliveries.due_lanes("app", _NOW + 9, 2) == ["ses_1", "ses_2"]


async def test_a_lane_is_forgotten_only_when_nothing_waits(store: SqlStore) -> None:
    await create(store, a_session(), _events("app.one", "app.two"), [])
    await store.deliveries.settle((await _first(store, "app")).id)
    await store.deliveries.finish_lane("app", "ses_1")
    assert await store.deliveries.due_lanes("app", _NOW, 10) == ["ses_1"]
    await store.deliveries.bury((await _first(store, "app")).id, "HTTP 410")
    await store.deliveries.finish_lane("app", "ses_1")
    assert await store.deliveries.due_lanes("app", _NOW, 10) == []


async def test_the_dead_stay_in_sight_until_they_are_replayed(store: SqlStore) -> None:
    await create(store, a_session(), _events("app.one", "app.two"), [])
    first = await _first(store, "app")
    await store.deliveries.bury(first.id, "HTTP 400")
    (dead,) = await store.deliveries.listed(state=DeliveryState.DEAD, endpoint=None, limit=10)
    assert (dead.id, dead.error, dead.attempts, dead.due_at) == (first.id, "HTTP 400", 1, None)
    standings = {s.endpoint: s for s in await store.deliveries.standings()}
    assert (standings["app"].waiting, standings["app"].dead) == (1, 1)
    assert (standings["all"].waiting, standings["all"].oldest_at) == (2, _NOW)
    await store.deliveries.postpone(await _first(store, "app"), _NOW + 900, "HTTP 503")
    assert await store.deliveries.replay([first.id], None, _NOW + 60) == 1
    assert await _seqs(store, "app") == [1, 2]
    again = await _first(store, "app")
    assert (again.id, again.attempts, again.queued_at) == (first.id, 0, _NOW + 60)
    assert await store.deliveries.due_lanes("app", _NOW + 60, 10) == ["ses_1"]


async def test_everything_of_an_endpoint_is_replayed(store: SqlStore) -> None:
    await create(store, a_session(1, "ada"), _events("app.one"), [])
    await create(store, a_session(2, "bob"), _events("app.one"), [])
    for session_id in ("ses_1", "ses_2"):
        await store.deliveries.bury((await _first(store, "app", session_id)).id, "HTTP 400")
        await store.deliveries.finish_lane("app", session_id)
    assert await store.deliveries.replay(None, "nobody", _NOW) == 0
    assert await store.deliveries.replay(None, "app", _NOW) == 2
    assert sorted(await store.deliveries.due_lanes("app", _NOW, 10)) == ["ses_1", "ses_2"]
    (one, two) = await store.deliveries.listed(state=None, endpoint="app", limit=10)
    assert {one.state, two.state} == {DeliveryState.WAITING}


async def test_an_event_that_is_erased_is_not_delivered_later(store: SqlStore) -> None:
    await create(store, a_session(), _events("app.one"), [])
    await store._db.write(lambda db: db.execute(delete(t.events)))
    assert await store.deliveries.listed(state=None, endpoint=None, limit=10) == []


async def test_events_that_come_in_while_others_are_delivered_are_all_delivered(
    store: SqlStore,
) -> None:
    session = await create(store, a_session(), [], [])
    delivered: list[int] = []

    async def commit(session: Session) -> None:
        for number in range(50):
            now = _NOW + number
            session = await store.commit(session, session, _events("app.n"), [], now)

    async def deliver(until: int) -> None:
        while len(delivered) < until:
            for _ in await store.deliveries.due_lanes("app", _NOW + 999, 10):
                for delivery in await store.deliveries.waiting("app", "ses_1", 3):
                    delivered.append(delivery.event.seq)
                    await store.deliveries.settle(delivery.id)
                await store.deliveries.finish_lane("app", "ses_1")

    async with asyncio.timeout(30):
        await asyncio.gather(commit(session), deliver(50))
    assert delivered == list(range(1, 51))


async def test_a_lane_is_not_lost_to_who_finishes_it_just_before_an_event_is_committed(
    postgres_url: str,
) -> None:
    """On PostgreSQL two transactions do run at the same time."""
    store = await PostgresDatabase(postgres_url).open()
    store.deliveries.route([APP])
    session = await create(store, a_session(), _events("app.one"), [])
    await store.deliveries.settle((await _first(store, "app")).id)
    assert isinstance(store._db, OverTheNetwork)
    async with store._db._writer.begin() as db:
        await db.run_sync(store._add, session, 1, _events("app.two"), [], _NOW)
        finishing = asyncio.create_task(store.deliveries.finish_lane("app", "ses_1"))
        async with asyncio.timeout(10):
            while not await _is_somebody_waiting_for_a_lock(store):
                await asyncio.sleep(0.005)
    await finishing
    assert await _seqs(store, "app") == [2]
    assert await store.deliveries.due_lanes("app", _NOW, 10) == ["ses_1"]
    await store.close()


async def _is_somebody_waiting_for_a_lock(store: SqlStore) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return await store._db.read(lambda db: bool(db.scalar(waiting)))
