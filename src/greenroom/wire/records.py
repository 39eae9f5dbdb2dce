"""What is handed out of what is kept: a session's transcript, and all that is known of a user.

Not part of the schema that browsers are built from: no page of ours asks any of this.
"""

from __future__ import annotations

from typing import Any, Literal

from greenroom.wire.base import WireModel
from greenroom.wire.events import Event
from greenroom.wire.tools import NoteBody


class Line(WireModel):
    """Something that was said or typed, whole. Time: RFC 3339, UTC."""

    seq: int
    time: str
    role: Literal["user", "assistant"]
    text: str
    turn: int
    typed: bool | None = None


class TranscriptBody(WireModel):
    """What was said in a session, in order. ``more``: it is longer than what is shown."""

    session_id: str
    assistant: str
    started_at: str
    ended_at: str | None = None
    lines: list[Line]
    more: bool = False


class UserRecord(WireModel):
    """Begins an export: whose it is, and when it was made."""

    kind: Literal["user"] = "user"
    user_id: str
    tenant: str
    exported_at: str


class SessionRecord(WireModel):
    """One of a user's sessions: everything that its record says. Its events follow.

    ``recordingConsentAt``: when they agreed to be recorded in it, if they did.
    """

    kind: Literal["session"] = "session"
    session_id: str
    assistant: str
    room: str
    stage: str
    started_at: str
    active_at: str | None
    ended_at: str | None
    reason: str | None
    recording_consent_at: str | None = None
    body: dict[str, Any]
    cost_usd: float


class EventRecord(WireModel):
    """An event of the session before it."""

    kind: Literal["event"] = "event"
    event: Event


class ContextRecord(WireModel):
    """What the assistant of a session was given to know; ``by`` is null for who runs it."""

    kind: Literal["context"] = "context"
    session_id: str
    at: str
    text: str
    by: Literal["page"] | None = None


class ConsentRecord(WireModel):
    """The user agreed to be recorded in somebody else's group call."""

    kind: Literal["consent"] = "consent"
    session_id: str
    at: str


class NoteRecord(WireModel):
    """A note that the user has had written down."""

    kind: Literal["note"] = "note"
    note: NoteBody


class SpendRecord(WireModel):
    """What one component cost on one day (UTC)."""

    kind: Literal["spend"] = "spend"
    day: str
    component: str
    usd: float


Exported = (
    UserRecord
    | SessionRecord
    | EventRecord
    | ContextRecord
    | ConsentRecord
    | NoteRecord
    | SpendRecord
)


class ErasedBody(WireModel):
    """What was erased. ``alias``: the name under which the sessions' times and cost remain."""

    alias: str
    sessions: int
    events: int
    notes: int
