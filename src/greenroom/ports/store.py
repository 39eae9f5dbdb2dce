"""Port: where sessions, their events, effects and tickets are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from greenroom.session.facts import EffectKind
from greenroom.session.model import DeadlineKind, Session


class StaleWrite(Exception):
    """Somebody else changed the session in between: read it again and decide anew."""


class AlreadyLive(Exception):
    """The user has a live session with this assistant; its id is the argument."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be numbered and stored with a change."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event on record. ``at``: seconds since the epoch."""

    session_id: str
    seq: int
    at: float
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewEffect:
    """An effect to be committed with a change."""

    kind: EffectKind
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """An effect that has yet to be carried out. ``attempts``: how often it was tried."""

    id: int
    session_id: str
    kind: EffectKind
    payload: dict[str, Any]
    attempts: int
    due_at: float


@dataclass(frozen=True, slots=True)
class DueDeadline:
    """A clock of a session that has come due."""

    session_id: str
    kind: DeadlineKind
    due_at: float


class Store(Protocol):
    """Keeps everything that must survive a ``kill -9``.

    Guarantees: `create` and `commit` are one transaction each: the session row, its numbered
    events and its effects, all or nothing. Numbers have no gap. `commit` fails with `StaleWrite`
    unless the row still has the version that the change began from. At most one live session
    per user and assistant exists at any time. Every call may raise `Unavailable`.
    """

    async def create(
        self, session: Session, events: Sequence[NewEvent], effects: Sequence[NewEffect]
    ) -> Session:
        """Store a new session; raises `AlreadyLive`."""
        ...

    async def commit(
        self,
        before: Session,
        after: Session,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
    ) -> Session:
        """Store a change; returns the session with its new version and numbers."""
        ...

    async def get(self, session_id: str) -> Session:
        """Raises `NotFound`."""
        ...

    async def by_launch(self, launch_id: str) -> Session:
        """The session of a launch; raises `NotFound`."""
        ...

    async def live_of(self, user_id: str, assistant: str) -> Session | None:
        """The user's live session with this assistant, if any."""
        ...

    async def unended(self) -> list[Session]:
        """Every session that has not ended."""
        ...

    async def events_after(self, session_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """The session's events with a number above ``seq``, in order, at most ``limit``."""
        ...

    async def due_kinds(self, now: float) -> set[tuple[str, EffectKind]]:
        """Which sessions have effects due by ``now``, and of which kinds: all, however many."""
        ...

    async def effects_of(self, session_id: str) -> list[PendingEffect]:
        """All effects of a session that are still pending, oldest first."""
        ...

    async def settle_effect(self, effect_id: int) -> None:
        """The effect was carried out."""
        ...

    async def postpone_effect(self, effect_id: int, due_at: float, error: str) -> None:
        """The effect failed; try again at ``due_at``."""
        ...

    async def bury_effect(self, effect_id: int, error: str) -> None:
        """The effect failed for good: a dead letter, kept in sight."""
        ...

    async def due(self, now: float, limit: int) -> list[DueDeadline]:
        """Deadlines due by ``now``, earliest first."""
        ...

    async def next_due_at(self) -> float | None:
        """When the next deadline comes due."""
        ...

    async def put_ticket(self, digest: str, session_id: str, user_id: str, until: float) -> None:
        """Keep a one-time ticket, by its digest only."""
        ...

    async def take_ticket(self, digest: str, now: float) -> tuple[str, str] | None:
        """Use a ticket up: its session and user, or None if unknown, used or expired."""
        ...

    async def ping(self) -> None:
        """The store answers; raises `Unavailable` if not."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
