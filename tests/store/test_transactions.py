"""Transactions in threads: one writer at a time, in turn, whoever is cancelled or waits."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from greenroom.errors import Unavailable
from greenroom.store.transactions import InThreads

_WITHIN_S = 10.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[InThreads]:
    """Transactions on a table of numbers."""
    opened = _in_threads(_engine(tmp_path))
    await opened.write(lambda db: db.execute(text("CREATE TABLE numbers (n INTEGER)")))
    yield opened
    await opened.close()


def _engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 'numbers.db'}")


def _in_threads(engine: Engine, *, place_within_s: float = _WITHIN_S) -> InThreads:
    return InThreads(engine, engine, readers=2, place_within_s=place_within_s)


def _add(db: Connection, n: int) -> None:
    db.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})


async def _numbers(db: InThreads) -> list[int]:
    wanted = text("SELECT n FROM numbers ORDER BY rowid")
    return await db.read(lambda db: list(db.execute(wanted).scalars()))


async def test_what_raises_has_not_happened(db: InThreads) -> None:
    def work(db: Connection) -> None:
        _add(db, 1)
        raise KeyError("on second thoughts")

    with pytest.raises(KeyError):
        await db.write(work)
    assert await _numbers(db) == []


async def test_writers_take_turns_in_the_order_in_which_they_came(db: InThreads) -> None:
    await asyncio.gather(*(db.write(lambda db, n=n: _add(db, n)) for n in range(50)))  # type: ignore[misc]
    assert await _numbers(db) == list(range(50))


async def test_the_loop_goes_on_while_a_transaction_is_under_way(db: InThreads) -> None:
    may_go_on = threading.Event()
    writing = asyncio.create_task(db.write(lambda db: may_go_on.wait(_WITHIN_S)))
    assert await _numbers(db) == []  # readers do not wait for the writer either
    may_go_on.set()
    assert await writing


async def test_what_has_begun_is_not_stopped_by_whoever_is_cancelled(db: InThreads) -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def work(db: Connection) -> None:
        begun.set()
        may_go_on.wait(_WITHIN_S)
        _add(db, 1)

    writing = asyncio.create_task(db.write(work))
    assert await asyncio.to_thread(begun.wait, _WITHIN_S)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    next_one = asyncio.create_task(db.write(lambda db: _add(db, 2)))
    may_go_on.set()
    await next_one
    assert await _numbers(db) == [1, 2]


async def test_what_fails_when_nobody_waits_for_it_any_more_is_no_news(db: InThreads) -> None:
    news: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: news.append(told))
    begun, may_go_on = threading.Event(), threading.Event()

    def work(db: Connection) -> None:
        begun.set()
        may_go_on.wait(_WITHIN_S)
        raise LookupError

    writing = asyncio.create_task(db.write(work))
    assert await asyncio.to_thread(begun.wait, _WITHIN_S)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    may_go_on.set()
    await db.write(lambda db: _add(db, 2))  # behind it
    gc.collect()
    assert news == []


async def test_who_is_cancelled_in_line_has_changed_nothing(db: InThreads) -> None:
    may_go_on = threading.Event()
    first = asyncio.create_task(db.write(lambda db: may_go_on.wait(_WITHIN_S)))
    waiting = asyncio.create_task(db.write(lambda db: _add(db, 1)))
    await asyncio.sleep(0)
    waiting.cancel()
    may_go_on.set()
    await first
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await db.write(lambda db: _add(db, 2))
    assert await _numbers(db) == [2]


async def test_nobody_waits_in_line_for_ever(tmp_path: Path) -> None:
    db = _in_threads(_engine(tmp_path), place_within_s=0.01)
    may_go_on = threading.Event()
    first = asyncio.create_task(db.write(lambda db: may_go_on.wait(_WITHIN_S)))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await db.write(lambda db: None)
    may_go_on.set()
    assert await first
    await db.write(lambda db: None)
    await db.close()


async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    db = _in_threads(_engine(tmp_path))
    begun, may_go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work(db: Connection) -> None:
        begun.set()
        may_go_on.wait(_WITHIN_S)
        done.set()

    writing = asyncio.create_task(db.write(work))
    assert await asyncio.to_thread(begun.wait, _WITHIN_S)
    closing = asyncio.create_task(db.close())
    may_go_on.set()
    await closing
    assert done.is_set()
    await writing


async def test_a_full_disk_is_called_one(tmp_path: Path) -> None:
    """“Try again in a moment” would tell nobody what to do."""
    engine = _engine(tmp_path)
    db = _in_threads(engine)
    await db.write(lambda db: db.execute(text("CREATE TABLE numbers (n INTEGER)")))
    await db.write(lambda db: db.execute(text("PRAGMA max_page_count = 3")))
    many = text("INSERT INTO numbers SELECT value FROM json_each(:numbers)")
    with pytest.raises(Unavailable, match="disk is full"):
        await db.write(lambda db: db.execute(many, {"numbers": str(list(range(10_000)))}))
    await db.close()
