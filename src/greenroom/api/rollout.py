"""The roll-out: which side a page is to use, how it went on the other, and how both compare."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import operator_with, server_with, tenant_for
from greenroom.api.identity import Asking
from greenroom.errors import NotFound
from greenroom.ports.audit import Actor
from greenroom.ports.keys import ApiKey
from greenroom.ports.rollout import Outcome
from greenroom.service.rollout import RollingOut
from greenroom.session.prices import micro_usd
from greenroom.wire import rollout as w
from greenroom.wire.assistants import MAX_NAME_CHARS
from greenroom.wire.http import ProviderAnswer
from greenroom.wire.keys import Scope

router = APIRouter(prefix="/api", tags=["rollout"])

MOST_DAYS = 366


def _rolling_out(request: Request) -> RollingOut:
    rolling_out: RollingOut = request.app.state.rolling_out
    return rolling_out


RolloutDep = Annotated[RollingOut, Depends(_rolling_out)]
Asks = Annotated[Asking, Depends(doors.through(doors.DECIDE), scope="function")]
Reader = Annotated[Actor, Depends(operator_with(Scope.ASSISTANTS))]
Teller = Annotated[ApiKey, Depends(server_with(Scope.OUTCOMES))]


@router.get("/voice/provider", responses=refusals(*BY_A_DOOR, NotFound))
async def provider(
    who: Asks,
    rolling_out: RolloutDep,
    assistant: Annotated[str | None, Query(max_length=128)] = None,
) -> ProviderAnswer:
    """Which side the user's next conversation with this assistant is on, and why."""
    name, decision = await rolling_out.decide(assistant, who.user_id, who.tenant)
    return ProviderAnswer(
        assistant=name, provider=decision.side.value, reason=decision.reason.value
    )


@router.post(
    "/rollout/outcomes",
    status_code=201,
    responses={200: {"model": w.OutcomeAnswer}, **refusals(*BY_THE_OPERATORS_DOOR)},
)
async def outcome(
    body: w.OutcomeBody, key: Teller, rolling_out: RolloutDep, response: Response
) -> w.OutcomeAnswer:
    """Tell how a conversation went on the other side (201); told again (200) it replaces that."""
    tenant = tenant_for(key, body.tenant)
    told = Outcome(
        id=body.id,
        tenant=tenant,
        assistant=body.assistant,
        at=body.started_at,
        failed=body.failed,
        duration_s=body.duration_s,
        first_word_s=body.first_word_s,
        micro_usd=None if body.cost_usd is None else micro_usd(Decimal(str(body.cost_usd))),
    )
    is_new = await rolling_out.add(told)
    if not is_new:
        response.status_code = 200
    return w.OutcomeAnswer(id=body.id, tenant=tenant, new=is_new)


@router.get("/operator/rollout", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def report(
    reader: Reader,
    rolling_out: RolloutDep,
    days: Annotated[float, Query(gt=0, le=MOST_DAYS, allow_inf_nan=False)] = 7.0,
    assistant: Annotated[str | None, Query(max_length=MAX_NAME_CHARS)] = None,
) -> w.RolloutReport:
    """Both sides compared: conversations, failures, time to the first word, cost."""
    return await rolling_out.report(days, assistant)
