"""People in a room: coming in by the rules, being seen late, and having to go when it is time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class JoinRefused(Exception):
    """Somebody does not get in; ``reason`` says why, in the words of `DailyStandIn.join`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(eq=False, slots=True)
class Participant:
    """Somebody in a room: one connection, from its join to its leaving.

    Attributes:
        id: Daily's ``session_id``: new with each join.
        room: The room's name.
        meeting_id: The meeting, which lasts from the first join to the last leaving.
        user_id: What the token says; a random one without.
        user_name: What the token says, or what they call themselves.
        owner: Whether the token makes them an owner.
        joined_at: Seconds since the epoch.
        must_go_at: When a token or the room has them ejected; None: never.
        left_at: When they were gone; None: they are there.
        inbox: The app-messages that reached them, oldest first.
        senders: Who sent each of them, by ``id``; empty: it came by the API.
    """

    room: str
    meeting_id: str
    user_id: str
    user_name: str
    owner: bool
    joined_at: float
    must_go_at: float | None = None
    left_at: float | None = None
    inbox: list[dict[str, Any]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def present(self) -> bool:
        """Whether they are in the room."""
        return self.left_at is None

    def was_present(self, at: float) -> bool:
        """Whether they were, at that time."""
        return self.joined_at <= at and (self.left_at is None or self.left_at > at)

    def shown(self, now: float) -> dict[str, Any]:
        """As ``GET /rooms/{name}/presence`` shows them."""
        return {
            "room": self.room,
            "id": self.id,
            "userId": self.user_id,
            "userName": self.user_name,
            "mtgSessionId": self.meeting_id,
            "joinTime": iso(self.joined_at),
            "duration": int(now - self.joined_at),
        }

    def told(self) -> dict[str, Any]:
        """As the webhooks tell of them."""
        return {
            "joined_at": self.joined_at,
            "session_id": self.id,
            "room": self.room,
            "user_id": self.user_id,
            "user_name": self.user_name,
            "owner": self.owner,
        }


def iso(at: float) -> str:
    """A time as Daily writes it: ``2026-11-25T12:00:00.000Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
