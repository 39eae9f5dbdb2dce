"""Feeds: each reader gets every stored event once and in order, whatever the hub loses."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence

import pytest

from greenroom.hub.memory import MemoryHub
from greenroom.ports.hub import Word
from greenroom.ports.store import NewEvent, Store
from greenroom.service.events import ephemeral_word, words_of
from greenroom.service.feeds import (
    HOUSE_TOPIC,
    KEPT_CHARS,
    KEPT_WORDS,
    MOST_EPHEMERAL_TYPES,
    Feed,
    Feeds,
    ephemeral_topic,
)
from greenroom.service.sessions import session_topic
from greenroom.session.model import Session
from greenroom.testing.store_contract import a_session, create

SESSION = "ses_1"
NOW = 1_800_000_000.0
EVENTS = 60


def nobody() -> None:
    raise AssertionError("nobody has to go")


def never(text: str) -> bool:
    return False


def seq_of(text: str) -> int:
    return int(json.loads(text)["event"]["seq"])


class Record:
    """A session on record, to which events are added."""

    def __init__(self, store: Store, session: Session) -> None:
        self._store = store
        self._session = session

    async def add(self, count: int = 1) -> list[Word]:
        """Store some more; returns what the hub would say of them."""
        before = self._session
        events = [NewEvent("app.n", {}) for _ in range(count)]
        self._session = await self._store.commit(before, before, events, [], NOW)
        return words_of(before.id, before.last_seq, NOW, events)


@pytest.fixture
async def record(store: Store) -> Record:
    return Record(store, await create(store, a_session()))


class Page:
    """A browser: whatever is written to it at once, or sent to it, in the order of its coming."""

    def __init__(self, feeds: Feeds, after: int, can_write: Callable[[], bool]) -> None:
        self.seen: list[int] = []
        self._feeds = feeds
        self._after = after
        self._can_write = can_write
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        with self._feeds.follow(SESSION, self._after, self._write, nobody) as reader:
            while True:
                self.seen.append(seq_of(await reader.next()))

    def _write(self, text: str) -> bool:
        if not self._can_write():
            return False
        self.seen.append(seq_of(text))
        return True

    async def leave(self) -> list[int]:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        return self.seen


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_lost_doubled_or_late_each_event_comes_once(
    store: Store, record: Record, seed: int
) -> None:
    chance = random.Random(seed)
    hub = MemoryHub()
    feeds = Feeds(store, hub)
    late: list[Sequence[Word]] = []

    def say(words: Sequence[Word]) -> None:
        match chance.choice(("said", "said", "said", "lost", "twice", "late")):
            case "said":
                hub.publish(session_topic(SESSION), words)
            case "twice":
                hub.publish(session_topic(SESSION), words)
                hub.publish(session_topic(SESSION), words)
            case "late":
                late.append(words)
            case _:
                pass
        if late and chance.random() < 0.3:
            hub.publish(session_topic(SESSION), late.pop(chance.randrange(len(late))))

    def a_page(after: int) -> Page:
        return Page(feeds, after, lambda: chance.random() < 0.7)

    pages = [a_page(0) for _ in range(3)]
    seen: list[list[int]] = [[] for _ in pages]
    told = 0
    while told < EVENTS:
        words = await record.add(chance.choice((1, 1, 2, 5, 20)))
        told = words[-1].seq or 0
        say(words)
        for place, page in enumerate(pages):
            if chance.random() < 0.2:  # it reconnects, from wherever it is
                seen[place] += await page.leave()
                pages[place] = a_page(seen[place][-1] if seen[place] else 0)
        await asyncio.sleep(0)
    await feeds.look()
    async with asyncio.timeout(10):
        while any(
            (past + page.seen)[-1:] != [told] for past, page in zip(seen, pages, strict=True)
        ):
            await asyncio.sleep(0.001)
    for past, page in zip(seen, pages, strict=True):
        assert past + await page.leave() == list(range(1, told + 1))
    assert len(feeds) == 0


async def test_whoever_waits_is_written_to_and_the_store_is_left_alone(
    store: Store, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = MemoryHub()
    feeds = Feeds(store, hub)
    page = Page(feeds, 0, lambda: True)
    await asyncio.sleep(0.05)  # it has looked once
    monkeypatch.setattr(store, "events_after", None)
    for _ in range(5):
        hub.publish(session_topic(SESSION), await record.add(2))
    assert page.seen == list(range(1, 11))
    await page.leave()


async def test_a_lost_wake_up_is_made_up_for(store: Store, record: Record) -> None:
    feeds = Feeds(store, MemoryHub())
    page = Page(feeds, 0, lambda: True)
    await record.add(3)
    await feeds.look()
    async with asyncio.timeout(10):
        while len(page.seen) < 3:
            await asyncio.sleep(0.001)
    assert await page.leave() == [1, 2, 3]


async def test_a_hub_that_knows_of_more_than_the_store_sends_nobody_round_in_circles(
    store: Store, record: Record
) -> None:
    hub = MemoryHub()
    feeds = Feeds(store, hub)
    looks = 0
    events_after = store.events_after

    async def counted(*args: int | str) -> object:
        nonlocal looks
        looks += 1
        return await events_after(*args)  # type: ignore[arg-type]

    store.events_after = counted  # type: ignore[method-assign,assignment]
    page = Page(feeds, 0, lambda: False)
    while looks == 0:
        await asyncio.sleep(0)
    hub.publish(session_topic(SESSION), words_of(SESSION, 40, NOW, [NewEvent("app.n", {})]))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert looks <= 3
    await page.leave()


def test_what_is_told_late_changes_nothing() -> None:
    feed = Feed(SESSION)
    first, second, third = (Word(seq, "app.n", "") for seq in (1, 2, 3))
    feed.hear([third])
    feed.hear([first, second])
    assert feed.last_seq == 3
    assert feed.after(2) is third
    assert feed.after(1) is None


def test_what_is_kept_is_little() -> None:
    feed = Feed(SESSION)
    for seq in range(1, 100):
        feed.hear([Word(seq, "app.n", "x" * 100)])
    assert feed.after(98) is not None
    assert feed.after(99 - KEPT_WORDS) is not None
    assert feed.after(98 - KEPT_WORDS) is None
    for seq in range(100, 120):
        feed.hear([Word(seq, "app.n", "x" * KEPT_CHARS)])
    assert feed.after(118) is not None
    assert feed.after(117) is None


async def test_of_ephemeral_events_the_newest_of_each_type_and_behind_what_is_stored(
    store: Store, record: Record
) -> None:
    hub = MemoryHub()
    feeds = Feeds(store, hub)

    def tell(type_: str, number: int) -> None:
        word = ephemeral_word(SESSION, NOW, type_, {"number": number})
        hub.publish(ephemeral_topic(SESSION), [word])

    with feeds.follow(SESSION, 0, never, nobody) as reader:
        await record.add()
        tell("app.old", 1)
        tell("app.old", 2)
        for number in range(100):
            tell(f"app.{number}", number)
        hub.publish(HOUSE_TOPIC, [ephemeral_word(None, NOW, "app.old", {"number": 3})])
        assert seq_of(await reader.next()) == 1
        rest = [json.loads(await reader.next())["event"] for _ in range(MOST_EPHEMERAL_TYPES)]
        assert rest[0] == {
            "v": 1, "time": "2027-01-15T08:00:00.000Z", "type": "app.old",
            "data": {"number": 3}, "ephemeral": True,
        }  # fmt: skip
        assert [event["type"] for event in rest[1:4]] == ["app.0", "app.1", "app.2"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await reader.next()


async def test_nobody_who_comes_later_hears_what_was_ephemeral(
    store: Store, record: Record
) -> None:
    hub = MemoryHub()
    feeds = Feeds(store, hub)
    hub.publish(ephemeral_topic(SESSION), [ephemeral_word(SESSION, NOW, "app.x", {})])
    with feeds.follow(SESSION, 0, never, nobody) as reader, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await reader.next()
