"""Port: what is kept of people, to be read, handed out and erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from greenroom.ports.store import StoredEvent
from greenroom.session.model import Session


class StillLive(Exception):
    """The user is in a conversation; what is known of them cannot be erased under it.

    Attributes:
        session_ids: Which sessions have not ended.
    """

    def __init__(self, session_ids: Sequence[str]) -> None:
        super().__init__(", ".join(session_ids))
        self.session_ids = session_ids


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    sessions: int
    events: int
    notes: int


@dataclass(frozen=True, slots=True)
class KeptContext:
    """What an assistant was given to know; ``at`` in seconds since the epoch."""

    at: float
    text: str
    by_page: bool


class Records(Protocol):
    """Reads and erases what is kept of people. Every call may raise `Unavailable`.

    An erased session keeps its row: when it was, why it ended, what it cost. Its events, and
    whatever waits to be delivered of them, are gone, and so is what the application had said of it.
    """

    async def transcript(self, session_id: str, limit: int) -> list[StoredEvent]:
        """A session's events of type ``voice.transcript``, in order, at most ``limit``."""
        ...

    async def contexts(self, session_id: str) -> list[KeptContext]:
        """What a session's assistant was given to know, in order, as it was kept."""
        ...

    async def of_user(
        self, user_id: str, tenant: str, *, after: str | None, limit: int
    ) -> list[Session]:
        """A user's sessions by id, beginning after an id; at most ``limit``."""
        ...

    async def agreed_elsewhere(self, user_id: str, tenant: str) -> list[tuple[str, float]]:
        """Others' calls in which a user has agreed to be recorded: each session's id, and when."""
        ...

    async def erase_user(self, user_id: str, tenant: str, alias: str, now: float) -> Erased:
        """Erase a user, notes and all, at once: what they cost remains, under another name.

        That they came to others' group calls is told by that name, too.

        Args:
            user_id: Whom, within the tenant.
            tenant: Whose user.
            alias: The name that takes their place.
            now: Seconds since the epoch.

        Raises:
            StillLive: Not all of their sessions have ended, or they are in somebody's group call.
                Nothing was erased.
        """
        ...

    async def erase_words(self, before: float, now: float, limit: int) -> int:
        """Erase the events of at most ``limit`` sessions that ended before this; how many."""
        ...

    async def forget(self, before: float, limit: int) -> int:
        """Forget at most ``limit`` sessions that ended before this, rows and all; how many."""
        ...
