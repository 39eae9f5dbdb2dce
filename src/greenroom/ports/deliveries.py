"""Ports: the deliveries of events to applications, where they are kept and what sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from greenroom.ports.store import StoredEvent


class Route(Protocol):
    """Somewhere that events are delivered to, under a name of its own."""

    @property
    def name(self) -> str:
        """Its deliveries are kept under this name."""
        ...

    def wants(self, event_type: str, body: Mapping[str, Any]) -> bool:
        """Whether events of this type, of a session with this body, are delivered there."""
        ...


class Address(Protocol):
    """Where something is posted to."""

    @property
    def name(self) -> str:
        """Whose connections are used for it."""
        ...

    @property
    def url(self) -> str:
        """The address."""
        ...


class DeliveryState(StrEnum):
    """What is delivered is deleted; the rest waits, or was given up."""

    WAITING = "waiting"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint.

    Attributes:
        user_id: Whose session the event is of.
        attempts: How often it was tried.
        queued_at: Since when it waits: its event's time, or that of its replay.
        due_at: When its lane is tried next; None if its lane has nothing to try.
        error: Why the last try failed.
    """

    id: int
    endpoint: str
    event: StoredEvent
    user_id: str
    state: DeliveryState
    attempts: int
    queued_at: float
    due_at: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the deliveries of one endpoint stand. ``oldest_at``: the first that waits, if any."""

    endpoint: str
    waiting: int
    dead: int
    oldest_at: float | None


class DeliveryStore(Protocol):
    """Keeps deliveries, in lanes: one per endpoint and session.

    Guarantees: once `route` was called, each stored event that an endpoint wants becomes a
    delivery in the transaction that stores the event. A lane has a time when it is tried next,
    and exists as long as anything waits in it. Every call may raise `Unavailable`.
    """

    def route(self, routes: Sequence[Route]) -> None:
        """From now on, events are delivered to these."""
        ...

    async def due_lanes(self, endpoint: str, now: float, limit: int) -> list[str]:
        """The sessions whose lanes to this endpoint are due by ``now``, longest due first."""
        ...

    async def waiting(self, endpoint: str, session_id: str, limit: int) -> list[Delivery]:
        """What waits in a lane, in the order of the events."""
        ...

    async def settle(self, delivery_id: int) -> None:
        """It was delivered: forget it."""
        ...

    async def postpone(self, delivery: Delivery, due_at: float, error: str) -> None:
        """It failed; its lane is tried again at ``due_at``."""
        ...

    async def bury(self, delivery_id: int, error: str) -> None:
        """It failed for good: a dead letter, kept in sight, out of its lane's way."""
        ...

    async def finish_lane(self, endpoint: str, session_id: str) -> None:
        """Forget the lane, unless something waits in it."""
        ...

    async def listed(
        self, *, state: DeliveryState | None, endpoint: str | None, limit: int
    ) -> list[Delivery]:
        """Deliveries, oldest first."""
        ...

    async def standings(self) -> list[Standing]:
        """How each endpoint stands that has any deliveries."""
        ...

    async def replay(self, ids: Sequence[int] | None, endpoint: str | None, now: float) -> int:
        """Try again now, with all tries anew: these, or all (of an endpoint). Returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered. ``retry_after_s``: when it wants the next try, if it said so.

    ``body``: the first of it, as far as it was received.
    """

    status: int
    retry_after_s: float | None = None
    body: bytes = b""


class Undelivered(Exception):
    """There was no answer; the argument says why, for operators."""


class Sender(Protocol):
    """Posts to endpoints. Follows no redirect, and goes only where it is allowed to."""

    async def send(self, to: Address, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once, within a bounded time.

        Raises:
            Undelivered: No answer came, or the address is not allowed.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
