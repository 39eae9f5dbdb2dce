"""Pipecat Cloud's words over HTTP: agents, their sessions, how one ended, and what is refused.

Source: Pipecat Cloud's REST reference (OpenAPI, August 2026) and its Python SDK 1.4, whose command
(``pipecat cloud``) asks the same things below ``/v1/organizations/{tenant}/services``. Names are
theirs: camelCase, but for ``session_id`` and ``total_count``.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from greenroom.errors import BudgetUsedUp, GreenroomError, NoPublicKey
from greenroom.session.model import EndReason, Session, Stage
from greenroom.wire.translate import rfc3339

# Every path of this wire begins so, and every refusal there has its shape.
PREFIX = "/v1/"
REGION = "local"
MOST_LISTED = 100
DEFAULT_LISTED = 10
_IDS = uuid.UUID("6f1c0a1e-2c58-4a55-9a66-5d1f3a0c7b42")


class _Body(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        alias_generator=lambda name: (
            name.split("_")[0] + "".join(part.capitalize() for part in name.split("_")[1:])
        ),
    )


class Shown(StrEnum):
    """Which sessions are asked for, by whether they have ended."""

    ACTIVE = "active"
    ENDED = "ended"
    ALL = "all"


class StartType(StrEnum):
    """Which sessions are asked for, by how their agent was started."""

    COLD = "cold"
    WARM = "warm"
    ALL = "all"


class EndState(StrEnum):
    """How a session ended, in the words that ``pipecat cloud agent sessions --end-state`` knows."""

    ACTIVE = "active"
    COMPLETED = "completed"
    ENDED_BEFORE_AGENT_START = "ended_before_agent_start"
    AGENT_START_TIMEOUT = "agent_start_timeout"
    TERMINATED = "terminated"
    AGENT_ERROR = "agent_error"
    UNKNOWN = "unknown"


END_STATES: dict[EndReason, EndState] = {
    EndReason.USER: EndState.COMPLETED,
    EndReason.GOODBYE: EndState.COMPLETED,
    EndReason.IDLE: EndState.COMPLETED,
    EndReason.MAX_DURATION: EndState.COMPLETED,
    EndReason.PAUSED_TOO_LONG: EndState.COMPLETED,
    EndReason.BUDGET: EndState.TERMINATED,
    EndReason.QUEUE_TIMEOUT: EndState.ENDED_BEFORE_AGENT_START,
    EndReason.LEFT: EndState.COMPLETED,
    EndReason.NO_SHOW: EndState.COMPLETED,
    EndReason.KICKED: EndState.TERMINATED,
    EndReason.EMERGENCY: EndState.TERMINATED,
    EndReason.SERVER_DRAIN: EndState.TERMINATED,
    EndReason.BUSY: EndState.ENDED_BEFORE_AGENT_START,
    EndReason.LAUNCH_FAILED: EndState.AGENT_ERROR,
    EndReason.BOT_NEVER_JOINED: EndState.AGENT_START_TIMEOUT,
    EndReason.BOT_LEFT: EndState.COMPLETED,
    EndReason.BOT_CRASHED: EndState.AGENT_ERROR,
    EndReason.LOST: EndState.AGENT_ERROR,
}
_FAILED = (EndState.AGENT_ERROR, EndState.AGENT_START_TIMEOUT)


class SessionLine(_Body):
    """A session.

    ``bot_start_seconds`` and ``cold_start`` are null, which theirs may be, too: the record does not
    have them; a session's events do.
    """

    session_id: str
    service_id: str
    organization_id: str
    deployment_id: str
    created_at: str
    updated_at: str
    ended_at: str | None
    bot_start_seconds: int | None = None
    cold_start: bool | None = None
    completion_status: str | None = None
    end_state: EndState


class SessionDetails(SessionLine):
    """A session by itself. Meetings are Daily's, and there are none in a local room."""

    resource_metrics: None = None
    meeting_ids: list[dict[str, str]] = Field(default_factory=list)


class SessionLines(BaseModel):
    """Sessions of an agent, the newest first. ``total_count``: of all that match."""

    sessions: list[SessionLine]
    total_count: int


class ServiceLine(_Body):
    """An agent as it is listed: one of the assistants that this server serves."""

    id: str
    name: str
    region: str = REGION
    desired_deployment_id: str
    active_deployment_id: str
    reconciled_deployment_id: str
    organization_id: str
    created_at: str
    updated_at: str
    deleted_at: None = None


class ServiceLines(BaseModel):
    """Every agent."""

    services: list[ServiceLine]


class AutoScaling(_Body):
    """``max_replicas``: how many sessions there may be at once; null: no limit is set."""

    min_replicas: int = 0
    max_replicas: int | None = None


class ServiceDetails(_Body):
    """An agent by itself."""

    name: str
    region: str = REGION
    ready: bool
    available: bool
    created_at: str
    updated_at: str
    desired_deployment_id: str
    active_deployment_id: str
    reconciled_deployment_id: str
    active_deployment_ready: bool
    auto_scaling: AutoScaling
    active_session_count: int
    agent_profile: None = None
    deployment: dict[str, Any]


class WrappedService(BaseModel):
    """The same as ``pipecat cloud`` takes it."""

    body: ServiceDetails


class Organization(_Body):
    """A tenant."""

    name: str
    verbose_name: str


class Organizations(BaseModel):
    """Those that a key may see."""

    organizations: list[Organization]


class Stopped(BaseModel):
    """A session was stopped, or had ended before."""

    status: Literal["terminated"] = "terminated"
    session_id: str


def service_id(agent: str) -> str:
    """The id of an agent: always the same for a name."""
    return str(uuid.uuid5(_IDS, f"service/{agent}"))


def deployment_id(agent: str) -> str:
    """The id of an agent's only deployment."""
    return str(uuid.uuid5(_IDS, f"deployment/{agent}"))


def session_line(session: Session, now: float) -> SessionLine:
    """A session as it is listed."""
    return SessionLine(**_facts(session, now))


def session_details(session: Session, now: float) -> SessionDetails:
    """A session by itself."""
    return SessionDetails(**_facts(session, now))


def end_state(session: Session) -> EndState:
    """How a session ended; one that is about to end is active still."""
    if session.stage is not Stage.ENDED:
        return EndState.ACTIVE
    return END_STATES[session.reason] if session.reason else EndState.UNKNOWN


def _facts(session: Session, now: float) -> dict[str, Any]:
    state = end_state(session)
    ended = session.stage is Stage.ENDED
    began_at = session.admitted_at or session.created_at
    completion = "HTTP_ERROR" if state in _FAILED else "HTTP_COMPLETED"
    return {
        "session_id": session.id,
        "service_id": service_id(session.assistant),
        "organization_id": session.tenant,
        "deployment_id": deployment_id(session.assistant),
        "created_at": rfc3339(began_at),
        "updated_at": rfc3339(session.ended_at or now),
        "ended_at": rfc3339(session.ended_at) if ended and session.ended_at else None,
        "completion_status": completion if ended else None,
        "end_state": state,
    }


CODE_FIELD = "reason"
"""Where our own code stands in a refusal."""


def status_of(error: type[GreenroomError]) -> int:
    """The status of a refusal: Pipecat Cloud's where it has another."""
    spent = issubclass(error, BudgetUsedUp)
    return HTTPStatus.PAYMENT_REQUIRED.value if spent else error.status


def refusal(error: GreenroomError) -> tuple[int, dict[str, Any]]:
    """The status and body of a refusal: Pipecat Cloud's two fields, and ours beside them.

    ``code`` is Pipecat Cloud's own where it has one, and else the status; ours is ``reason``.
    A stock JavaScript client shows ``detail``.
    """
    ours = error.as_json()
    body = {**ours, "error": error.message, "code": str(error.status), CODE_FIELD: ours["code"]}
    if isinstance(error, NoPublicKey):
        body["code"] = "PCC-1002"
    elif isinstance(error, BudgetUsedUp):
        body["code"] = "SPEND_LIMIT_REACHED"
        body["currentSpendCents"] = _cents(error.detail.get("spentUsd"))
        body["limitCents"] = _cents(error.detail.get("limitUsd"))
    return status_of(type(error)), body


def _cents(usd: float | None) -> int | None:
    return None if usd is None else round(usd * 100)
