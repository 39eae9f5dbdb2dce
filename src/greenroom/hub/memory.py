"""The hub within one process: topics, and whoever waits for them or listens."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from greenroom.ports.hub import Hear, Waiter, Word


class _Waiter:
    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def wait(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class MemoryHub:
    """Implements `greenroom.ports.hub.Hub` for a server of one process."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[_Waiter]] = defaultdict(set)
        self._listeners: defaultdict[str, dict[object, Hear]] = defaultdict(dict)

    def publish(self, topic: str, words: Sequence[Word] = ()) -> None:
        """See `Hub.publish`."""
        for waiter in self._waiters.get(topic, ()):
            waiter.wake()
        if words:
            for hear in self._listeners.get(topic, {}).values():
                hear(words)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Waiter]:
        """See `Hub.subscribe`."""
        waiter = _Waiter()
        self._waiters[topic].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[topic].discard(waiter)
            if not self._waiters[topic]:
                del self._waiters[topic]

    @contextmanager
    def listen(self, topic: str, hear: Hear) -> Iterator[None]:
        """See `Hub.listen`."""
        listener = object()
        self._listeners[topic][listener] = hear
        try:
            yield
        finally:
            del self._listeners[topic][listener]
            if not self._listeners[topic]:
                del self._listeners[topic]
