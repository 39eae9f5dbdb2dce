"""Port: waking whoever waits for a change. It carries no content; the store is what they read."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Waiter(Protocol):
    """One subscription."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a publication since the last `wait`; False when none came in time.

        Publications in between are merged into one: the waiter reads the store and misses none.
        """
        ...


class Hub(Protocol):
    """Publish and subscribe by topic.

    Guarantees: whoever subscribed before a publication is woken by it. Nothing is kept for
    whoever subscribes later: subscribe first, then read the store, then wait.
    """

    def publish(self, topic: str) -> None:
        """Wake the topic's subscribers. Never blocks, never fails."""
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Waiter]:
        """Subscribe for the duration of the context."""
        ...
