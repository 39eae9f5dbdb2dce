"""Port: where sessions, their events and tickets are kept, and their effects with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from greenroom.ports.effects import NewEffect, PendingEffect
from greenroom.session.model import (
    DEFAULT_TENANT,
    DeadlineKind,
    EndReason,
    Session,
    SessionKind,
)
from greenroom.session.policy import Occupancy, Place, Quotas

if TYPE_CHECKING:
    from greenroom.ports.assistants import AssistantStore
    from greenroom.ports.audit import AuditStore
    from greenroom.ports.deliveries import DeliveryStore
    from greenroom.ports.effects import EffectStore
    from greenroom.ports.keys import KeyStore
    from greenroom.ports.notes import NoteStore
    from greenroom.ports.records import Records
    from greenroom.ports.rollout import RolloutStore


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
class New:
    """A session that begins, with what is stored beside it."""

    session: Session
    events: Sequence[NewEvent]
    effects: Sequence[NewEffect]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a session, with what is stored beside it."""

    before: Session
    after: Session
    events: Sequence[NewEvent]
    effects: Sequence[NewEffect]


@dataclass(frozen=True, slots=True)
class Halt:
    """Everything is stopped. ``reason``: an operator's words for people; may be empty."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class DueDeadline:
    """A clock of a session that has come due."""

    session_id: str
    kind: DeadlineKind
    due_at: float


@dataclass(frozen=True, slots=True)
class Listing:
    """Which sessions of an assistant are wanted; None: whichever.

    Attributes:
        assistant: Whose they are.
        tenant: In which tenant.
        ended: Whether they have ended.
        reasons: Why they ended.
        since: Let in at this time or later; seconds since the epoch.
        until: Let in at this time or before.
        limit: How many at most.
        offset: How many of the newest to leave out.
    """

    assistant: str
    tenant: str | None = None
    ended: bool | None = None
    reasons: Collection[EndReason] | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 10
    offset: int = 0


class SpendBy(StrEnum):
    """What totals of money may be grouped by."""

    USER = "user"
    ASSISTANT = "assistant"
    TENANT = "tenant"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Total:
    """What was spent on one component by (or on) one of a group, in millionths of a dollar."""

    name: str
    component: str
    micro_usd: int


class Store(Protocol):
    """Keeps everything that must survive a ``kill -9``.

    Guarantees: `admit`, `let_in` and `commit` are one transaction each: the session row, its
    numbered events and its effects, all or nothing. Numbers have no gap. `commit` fails with
    `StaleWrite` unless the row still has the version that the change began from. At most one live
    session of a kind per user and assistant exists at any time; a user is an id within a tenant.
    Whoever comes in comes by `admit` or `let_in`, of which one runs at a time, in all servers on
    one database: what they are told is true until they have decided. Once `halt` has returned,
    nobody comes in until `resume`, not even by an `admit` that began before. What a change costs is
    added to the totals in the same transaction, so that they are at any time exactly the sums over
    the sessions. Every call may raise `Unavailable`.
    """

    @property
    def deliveries(self) -> DeliveryStore:
        """The deliveries of what is stored here."""
        ...

    @property
    def effects(self) -> EffectStore:
        """The effects that `admit`, `let_in` and `commit` have stored."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The API keys."""
        ...

    @property
    def audit(self) -> AuditStore:
        """The audit log."""
        ...

    @property
    def assistants(self) -> AssistantStore:
        """The records of assistants."""
        ...

    @property
    def rollout(self) -> RolloutStore:
        """What was decided in a roll-out, and how it went."""
        ...

    @property
    def notes(self) -> NoteStore:
        """Users' notes."""
        ...

    @property
    def records(self) -> Records:
        """What is kept of people."""
        ...

    async def admit(
        self, asked: Place, quotas: Quotas, now: float, decide: Callable[[Occupancy], New]
    ) -> Session:
        """Let somebody decide on a new session, knowing what is on record, and store it.

        Args:
            asked: Who wants to talk with whom.
            quotas: Which of the counts matter; the others may be left at nothing.
            now: Seconds since the epoch.
            decide: The session to store; if it raises, nothing is stored. It must not wait.

        Raises:
            AlreadyLive: They have a live session with this assistant.
            Halted: Between `halt` and `resume`.
        """
        ...

    async def let_in(
        self,
        quotas: Quotas,
        now: float,
        decide: Callable[[Occupancy, Sequence[Session]], Sequence[Move]],
    ) -> list[Session]:
        """Let somebody decide what becomes of those who wait, in order; raises `StaleWrite`.

        Returns:
            The changed sessions, as `commit` would. Between `halt` and `resume` nobody is asked.
        """
        ...

    async def waiting(self) -> list[Session]:
        """The sessions in the waiting room, in order."""
        ...

    async def commit(
        self,
        before: Session,
        after: Session,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
        settles: PendingEffect | None = None,
    ) -> Session:
        """Store a change; returns the session with its new version and numbers.

        Args:
            before: The session as the change began from it.
            after: As it is now.
            events: To be numbered.
            effects: To be carried out.
            now: Seconds since the epoch.
            settles: The effect that this change is what came of: it is struck off with it, so
                that whoever dies here, or comes second, does not tell of it twice.

        Raises:
            StaleWrite: Somebody else was faster.
            AlreadySettled: ``settles`` was struck off before; nothing is stored.
        """
        ...

    async def get(self, session_id: str) -> Session:
        """Raises `NotFound`."""
        ...

    async def by_launch(self, launch_id: str) -> Session:
        """The session of a launch; raises `NotFound`."""
        ...

    async def live_of(
        self,
        user_id: str,
        assistant: str,
        tenant: str = DEFAULT_TENANT,
        kind: SessionKind = SessionKind.VOICE,
    ) -> Session | None:
        """The live session of this tenant's user with this assistant, of this kind, if any."""
        ...

    async def live_of_user(self, user_id: str, tenant: str) -> list[Session]:
        """The live sessions that are this tenant's user's own, of any kind."""
        ...

    async def group_calls(self, tenant: str) -> list[Session]:
        """The group calls of a tenant that have not ended."""
        ...

    async def unended(self) -> list[Session]:
        """Every session that has not ended."""
        ...

    async def in_room(self, room: str) -> list[Session]:
        """The sessions of this room that have not ended, the newest first."""
        ...

    async def listed(self, wanted: Listing) -> tuple[int, list[Session]]:
        """How many sessions there are of that kind, and one page of them, the newest first.

        Those that were never let in are not among them.
        """
        ...

    async def events_after(self, session_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """The session's events with a number above ``seq``, in order, at most ``limit``."""
        ...

    async def last_seqs(self, session_ids: Collection[str]) -> dict[str, int]:
        """The number of the last event of each of these sessions; unknown ones are left out."""
        ...

    async def due(self, now: float, limit: int) -> list[DueDeadline]:
        """Deadlines due by ``now``, earliest first."""
        ...

    async def next_due_at(self) -> float | None:
        """When the next deadline comes due."""
        ...

    async def spent(
        self, day: str, *, user_id: str | None = None, tenant: str | None = None
    ) -> int:
        """What was spent on a day (UTC, ``2026-11-21``), in millionths of a dollar.

        Of everybody, of one tenant, or of one user, who is an id within a tenant.
        """
        ...

    async def totals(
        self,
        by: SpendBy,
        since: str,
        until: str,
        *,
        user_id: str | None = None,
        tenant: str | None = None,
    ) -> list[Total]:
        """What was spent from one day to another, both included, by group and component."""
        ...

    async def put_ticket(
        self, digest: str, session_id: str, user_id: str, until: float, now: float
    ) -> None:
        """Keep a one-time ticket, by its digest only; expired ones are forgotten."""
        ...

    async def take_ticket(self, digest: str, now: float) -> tuple[str, str] | None:
        """Use a ticket up: its session and user, or None if unknown, used or expired."""
        ...

    async def halt(self, reason: str, now: float) -> Halt:
        """Create nothing from now on; said again, the first time stays and the reason is new."""
        ...

    async def resume(self) -> bool:
        """Sessions may be created again; whether they might not before."""
        ...

    async def halted(self) -> Halt | None:
        """Whether everything is stopped, since when and why."""
        ...

    async def ping(self) -> None:
        """The store answers; raises `Unavailable` if not."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
