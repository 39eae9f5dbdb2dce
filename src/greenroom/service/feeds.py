"""What browsers follow: a feed for each session, and in it a place for each socket.

The store is the truth, and a reader's place is the number of the last event that it was given.
What the hub says along with a wake-up spares the look into the store: a feed keeps the last few
words for all of its readers. Where they do not join on to what a reader has seen, it asks the
store. So each gets every stored event once and in order, whatever the hub loses.

Most readers have seen everything and wait. For them a word is written to their socket there and
then; nobody is woken for it. Only what cannot be written at once is the socket's own task to send.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from greenroom.errors import Unavailable
from greenroom.ports.hub import Hub, Word
from greenroom.ports.store import Store, StoredEvent
from greenroom.service.events import as_word
from greenroom.service.sessions import session_topic

log = structlog.get_logger("greenroom.feeds")

# Whoever is further behind reads the store, so many events at a time.
KEPT_WORDS = 16
KEPT_CHARS = 64 * 1024
BATCH = 100
# A wake-up that was lost (its publisher was stopped between commit and word) is made up for
# after at most this long.
LOOK_EVERY_S = 5.0
LOOK_AT_ONCE = 500
# The tabs of one user. Connections that died without a word are among them for up to 20 s.
MOST_READERS = 20
# Of ephemeral events a reader that is behind keeps the newest of each type, of so many types.
MOST_EPHEMERAL_TYPES = 16

Write = Callable[[str], bool]

# Ephemeral events to everybody who follows any session.
HOUSE_TOPIC = "house"


def ephemeral_topic(session_id: str) -> str:
    """The hub's topic of a session's ephemeral events: nobody who reads the store is woken."""
    return f"ephemeral:{session_id}"


class Reader:
    """One socket's place in a feed.

    Attributes:
        seen: The number of the last stored event that was given out.
        replace: Called when this one has to go, because its session has too many.
    """

    def __init__(
        self, feed: Feed, store: Store, after: int, write: Write, replace: Callable[[], None]
    ) -> None:
        self.seen = after
        self.replace = replace
        self._feed = feed
        self._store = store
        self._write = write
        self._backlog: deque[StoredEvent] = deque()
        self._ephemeral: dict[str, Word] = {}
        self._must_look = True
        self._looked_at = 0
        self._waiting: asyncio.Future[None] | None = None

    async def next(self) -> str:
        """Wait for the next message: every stored event once and in order.

        Ephemeral ones come when nothing stored waits. While this waits, what can be written at
        once is written, and not returned. Cancelled, it has lost nothing.

        Raises:
            Unavailable: The store does not answer.
        """
        while True:
            if (word := self._stored()) is not None and word.seq is not None:
                self.seen = word.seq
                return word.text
            if self._must_look or self._feed.last_seq > max(self.seen, self._looked_at):
                await self._look()
            elif self._ephemeral:
                return self._ephemeral.pop(next(iter(self._ephemeral))).text
            else:
                await self._wait()

    def _stored(self) -> Word | None:
        return as_word(self._backlog.popleft()) if self._backlog else self._feed.after(self.seen)

    async def _look(self) -> None:
        # Should the hub know of more than the store has, the store is asked once and not for ever.
        known = self._feed.last_seq
        stored = await self._store.events_after(self._feed.session_id, self.seen, BATCH)
        self._backlog.extend(stored)
        self._looked_at = known
        self._must_look = len(stored) == BATCH

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    @property
    def _is_idle(self) -> bool:
        """Whether everything that there was has been given out."""
        return self._waiting is not None and not self._waiting.done()

    def wake(self) -> None:
        """There may be more."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def hear(self, word: Word) -> None:
        """Take an event that follows what the feed has told so far, or one of this moment."""
        if word.seq is not None:
            if self._is_idle and word.seq == self.seen + 1 and self._write(word.text):
                self.seen = word.seq
            else:
                self.wake()
        elif not (self._is_idle and self._write(word.text)):
            self._keep(word)

    def _keep(self, word: Word) -> None:
        """Of each type the newest, until there is time for it."""
        if word.type in self._ephemeral or len(self._ephemeral) < MOST_EPHEMERAL_TYPES:
            self._ephemeral[word.type] = word
            self.wake()


class Feed:
    """What one session tells, as long as somebody follows it.

    Attributes:
        session_id: Whose feed it is.
        last_seq: The highest number that is known to be on record.
        readers: Who follows, the oldest first.
    """

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.last_seq = 0
        self.readers: dict[Reader, None] = {}
        self._words: deque[Word] = deque()
        self._chars = 0

    def after(self, seq: int) -> Word | None:
        """The word behind this number, if it is among those that are kept."""
        place = seq - self.last_seq + len(self._words)
        return self._words[place] if 0 <= place < len(self._words) else None

    def hear(self, words: Sequence[Word]) -> None:
        """Take what the hub says of this session."""
        for word in words:
            if word.seq is not None:
                if word.seq <= self.last_seq:
                    continue
                self._keep(word, word.seq)
            for reader in self.readers:
                reader.hear(word)

    def _keep(self, word: Word, seq: int) -> None:
        if seq != self.last_seq + 1:
            self._forget()  # what is kept has no gap
        self._words.append(word)
        self._chars += len(word.text)
        self.last_seq = seq
        while len(self._words) > KEPT_WORDS or (self._chars > KEPT_CHARS and len(self._words) > 1):
            self._chars -= len(self._words.popleft().text)

    def catch_up(self, last_seq: int) -> None:
        """The record goes so far, whatever was heard of it."""
        if last_seq > self.last_seq:
            self._forget()
            self.last_seq = last_seq
            for reader in self.readers:
                reader.wake()

    def _forget(self) -> None:
        self._words.clear()
        self._chars = 0


class Feeds:
    """The feeds of all sessions that anybody follows on this server.

    Args:
        store: What is true.
        hub: What says that there is more, and mostly also what.
    """

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._feeds: dict[str, Feed] = {}
        self._listening: dict[str, ExitStack] = {}

    def __len__(self) -> int:
        """How many sessions are followed."""
        return len(self._feeds)

    @contextmanager
    def follow(
        self, session_id: str, after: int, write: Write, replace: Callable[[], None]
    ) -> Iterator[Reader]:
        """Follow a session for the duration of the context.

        Args:
            session_id: Which session; that it may be seen was checked.
            after: The number of the last event that the browser has.
            write: Writes a message if that can be done at once; whether it was done.
            replace: Called, at most once, when too many follow this session and this one is the
                oldest of them.
        """
        feed = self._feeds.get(session_id) or self._open(session_id)
        reader = Reader(feed, self._store, after, write, replace)
        feed.readers[reader] = None
        if len(feed.readers) > MOST_READERS:
            oldest = next(iter(feed.readers))
            del feed.readers[oldest]
            oldest.replace()
        try:
            yield reader
        finally:
            feed.readers.pop(reader, None)
            if not feed.readers and self._feeds.get(session_id) is feed:
                self._close(session_id)

    def _open(self, session_id: str) -> Feed:
        feed = self._feeds[session_id] = Feed(session_id)
        listening = self._listening[session_id] = ExitStack()
        for topic in (session_topic(session_id), ephemeral_topic(session_id), HOUSE_TOPIC):
            listening.enter_context(self._hub.listen(topic, feed.hear))
        return feed

    def _close(self, session_id: str) -> None:
        del self._feeds[session_id]
        self._listening.pop(session_id).close()

    async def run(self) -> None:
        """Look now and then whether a wake-up was lost. Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Unavailable as error:
                log.warning("store.unavailable", error=error.message)

    async def look(self) -> None:
        """Wake every reader whose session has events that nobody told of."""
        followed = list(self._feeds)
        for first in range(0, len(followed), LOOK_AT_ONCE):
            some = followed[first : first + LOOK_AT_ONCE]
            for session_id, last_seq in (await self._store.last_seqs(some)).items():
                if feed := self._feeds.get(session_id):
                    feed.catch_up(last_seq)
