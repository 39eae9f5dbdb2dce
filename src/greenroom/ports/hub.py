"""Port: waking whoever waits for a change, and what is said to them along with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Word:
    """What a publication says: a message to browsers, ready to be sent.

    Attributes:
        seq: The number of the stored event within its session; None: an ephemeral event, which
            is stored nowhere.
        type: The event's type.
        text: The message as it travels, made once for all who get it.
    """

    seq: int | None
    type: str
    text: str


Hear = Callable[[Sequence[Word]], None]


class Waiter(Protocol):
    """One subscription."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a publication since the last `wait`; False when none came in time.

        Publications in between are merged into one: the waiter reads the store and misses none.
        """
        ...


class Hub(Protocol):
    """Publish and subscribe by topic.

    Guarantees: whoever subscribed before a publication is woken by it, and whoever listens is told
    its words. Nothing is kept for whoever comes later: subscribe first, then read the store, then
    wait. Words spare a look into the store and replace none: on the way from another server some
    may be lost, doubled or late, and their numbers show it.
    """

    def publish(self, topic: str, words: Sequence[Word] = ()) -> None:
        """Wake the topic's subscribers, and tell its listeners. Never blocks, never fails."""
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Waiter]:
        """Subscribe for the duration of the context."""
        ...

    def listen(self, topic: str, hear: Hear) -> AbstractContextManager[None]:
        """Have `hear` called with the words of each publication that has any, within the context.

        It is called while the publisher publishes, so it must not block; it must not raise.
        """
        ...
