"""Bodies of the roll-out: which side serves a conversation, how it went, and how both compare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from greenroom.session.model import DEFAULT_TENANT
from greenroom.wire.assistants import MAX_NAME_CHARS
from greenroom.wire.base import WireModel
from greenroom.wire.keys import Tenant

Amount = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class OutcomeBody(WireModel):
    """``POST /api/rollout/outcomes``: how a conversation went on the other side.

    ``id``: that side's own; told again it replaces what was told. ``startedAt``: epoch seconds.
    ``failed``: by your own lights. ``firstWordS``: from the click to the first word.
    """

    id: str = Field(min_length=1, max_length=128)
    assistant: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    tenant: Tenant | None = None
    started_at: float = Field(ge=0, le=1e11, allow_inf_nan=False)
    failed: bool = False
    duration_s: Amount | None = None
    first_word_s: Amount | None = None
    cost_usd: Amount | None = None


class OutcomeAnswer(WireModel):
    """``new``: whether it had not been told before."""

    id: str
    tenant: str = DEFAULT_TENANT
    new: bool


class DecisionLine(WireModel):
    """How many users were sent to a side for a reason, and how often their pages asked."""

    provider: str
    reason: str
    users: int
    times: int


class SideReport(WireModel):
    """How conversations went on one side. Null where nothing is known.

    ``firstWordS``: from the click to the assistant's first word, half of them sooner (``p50``),
    95 of a hundred sooner (``p95``); ``costs``: of how many conversations the cost is known.
    """

    sessions: int
    failures: int
    failure_share: float | None = None
    first_word_p50_s: float | None = None
    first_word_p95_s: float | None = None
    mean_duration_s: float | None = None
    costs: int
    cost_usd: float
    mean_cost_usd: float | None = None


class AssistantReport(WireModel):
    """Both sides of an assistant."""

    assistant: str
    greenroom: SideReport
    vapi: SideReport
    decisions: list[DecisionLine]


class RolloutReport(WireModel):
    """``GET /api/operator/rollout``. ``truncated``: there were more than are counted here."""

    since: str
    assistants: list[AssistantReport]
    truncated: bool
