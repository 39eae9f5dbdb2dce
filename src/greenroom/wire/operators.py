"""Bodies of what operators ask: who talks, stopping that, what was delivered, and who did what.

Not part of the schema that browsers are built from: no page asks any of this.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from greenroom.wire.base import WireModel
from greenroom.wire.events import CostData

MAX_NOTE_CHARS = 300
# As large as the database counts.
DeliveryId = Annotated[int, Field(ge=1, lt=2**63)]


class ReasonBody(WireModel):
    """Why, in words that people are to read."""

    reason: str = Field(default="", max_length=MAX_NOTE_CHARS)


class HaltAnswer(WireModel):
    """Everything is stopped. ``left``: what had not ended yet when this was said."""

    halted_at: str
    reason: str
    ended: int
    left: int


class ResumeAnswer(WireModel):
    """``resumed``: whether everything had been stopped."""

    resumed: bool


class BotLine(WireModel):
    """A session's process."""

    pid: int
    progress: str
    private_bytes: int


class SessionLine(WireModel):
    """A session as an operator sees it. Times: RFC 3339, UTC; no word of what was said.

    Attributes:
        due: The deadline that ends it first; None while none runs.
        due_at: When that is.
        due_after_s: How long that deadline is from its start.
    """

    session_id: str
    user_id: str
    tenant: str
    assistant: str
    stage: str
    status: str
    muted: bool
    pause_causes: list[str]
    started_at: str
    duration_s: float
    due: str | None = None
    due_at: str | None = None
    due_in_s: float | None = None
    due_after_s: float | None = None
    reason: str | None = None
    trace_id: str
    cost_usd: float = 0.0
    bot: BotLine | None = None


class SessionLines(WireModel):
    """Every session that has not ended, the oldest first."""

    sessions: list[SessionLine]
    halted_at: str | None = None
    halt_reason: str | None = None


class EndAnswer(WireModel):
    """How far the end of a session is."""

    session_id: str
    stage: str
    reason: str | None = None


class ToldAnswer(WireModel):
    """The session will be told, or has been; ``stage``: where it is in its life."""

    session_id: str
    stage: str


class SpendRow(WireModel):
    """What was spent by (or on) one of a group: a user, an assistant, a tenant, or a day (UTC)."""

    name: str
    cost: CostData


class SpendAnswer(WireModel):
    """``GET /api/operator/cost``: what everybody's sessions have cost."""

    by: str
    cost: CostData
    rows: list[SpendRow]


class DeliveryLine(WireModel):
    """One event for one endpoint, without what was said: its data.

    ``nextTry``: when its turn comes, or that of those before it; absent for one that is dead.
    """

    id: int
    event: str
    session: str
    type: str
    time: str
    endpoint: str
    state: str
    attempts: int
    next_try: str | None = None
    error: str | None = None


class EndpointLine(WireModel):
    """How the deliveries of one endpoint stand. ``oldest``: since when the first of them waits."""

    endpoint: str
    waiting: int
    dead: int
    oldest: str | None = None


class DeliveryLines(WireModel):
    """What has not reached the application, the oldest first."""

    endpoints: list[EndpointLine]
    deliveries: list[DeliveryLine]


MAX_REPLAYED_IDS = 1_000


class ReplayBody(WireModel):
    """Which deliveries to try again: those of ``ids``, or ``all`` (of an ``endpoint``)."""

    ids: list[DeliveryId] = Field(default_factory=list, max_length=MAX_REPLAYED_IDS)
    all: bool = False
    endpoint: str | None = Field(default=None, max_length=64)


class ReplayAnswer(WireModel):
    """How many will be tried again."""

    replayed: int


class AuditLine(WireModel):
    """Who did what, on what, when, from where, and what came of it. ``at``: RFC 3339, UTC.

    ``outcome``: ``done``, or the code of the error that it ended with.
    """

    id: int
    at: str
    actor_kind: str
    actor: str
    address: str | None = None
    act: str
    target: str
    outcome: str
    detail: dict[str, Any]


class AuditLines(WireModel):
    """``GET /api/operator/audit``, newest first. ``nextBefore``: where to read on, if anywhere."""

    lines: list[AuditLine]
    next_before: int | None = None
