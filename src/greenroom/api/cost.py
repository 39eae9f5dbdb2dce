"""What it will cost, what one's own sessions have cost, and for operators what all have."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from greenroom.api.description import BY_A_DOOR, BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import Operator
from greenroom.api.voice import Reads
from greenroom.errors import NotFound
from greenroom.ports.store import SpendBy, Total
from greenroom.service.purse import Purse
from greenroom.service.sessions import Sessions
from greenroom.session.prices import Cost, usd
from greenroom.wire import http as w
from greenroom.wire import operators as o
from greenroom.wire.translate import cost_data

router = APIRouter(prefix="/api", tags=["cost"])

MOST_MINUTES = 24 * 60
MOST_DAYS = 366


def _purse(request: Request) -> Purse:
    purse: Purse = request.app.state.purse
    return purse


PurseDep = Annotated[Purse, Depends(_purse)]


@router.get("/voice/estimate", responses=refusals(*BY_A_DOOR, NotFound))
async def estimate(
    who: Reads,
    purse: PurseDep,
    request: Request,
    minutes: Annotated[float, Query(gt=0, le=MOST_MINUTES, allow_inf_nan=False)] = 10.0,
    assistant: Annotated[str | None, Query(max_length=128)] = None,
) -> w.EstimateAnswer:
    """What a typical conversation of so many minutes will cost, before it is begun."""
    sessions: Sessions = request.app.state.sessions
    name = (await sessions.assistant(assistant)).name
    return w.EstimateAnswer(
        assistant=name,
        minutes=minutes,
        cost=cost_data(purse.prices(name).estimate(minutes * 60)),
        prices_as_of=purse.prices_as_of.isoformat(),
    )


@router.get("/voice/cost", responses=refusals(*BY_A_DOOR))
async def cost(
    who: Reads, purse: PurseDep, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30
) -> w.CostAnswer:
    """What the user's own sessions have cost, by day, today (UTC) and before."""
    totals = await purse.of_user(who.user_id, who.tenant, days)
    budget = purse.user_day_micro_usd
    return w.CostAnswer(
        cost=cost_data(_sum(totals)),
        days=_by_day(totals),
        budget_usd=None if budget is None else usd(budget),
    )


@router.get("/operator/cost", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def of_everybody(
    operator: Operator,
    purse: PurseDep,
    by: SpendBy = SpendBy.DAY,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 1,
) -> o.SpendAnswer:
    """What everybody's sessions have cost, today (UTC) and before, for operators."""
    totals = await purse.of_everybody(by, days)
    rows = [
        o.SpendRow(name=name, cost=cost_data(_sum(list(of_name))))
        for name, of_name in groupby(totals, key=lambda total: total.name)
    ]
    return o.SpendAnswer(by=by.value, cost=cost_data(_sum(totals)), rows=rows)


def _by_day(totals: list[Total]) -> list[w.DayCost]:
    newest_first = sorted(totals, key=lambda total: total.name, reverse=True)
    grouped = groupby(newest_first, key=lambda total: total.name)
    return [w.DayCost(day=day, cost=cost_data(_sum(list(of_day)))) for day, of_day in grouped]


def _sum(totals: list[Total]) -> Cost:
    components: dict[str, int] = {}
    for total in totals:
        components[total.component] = components.get(total.component, 0) + total.micro_usd
    return Cost(dict(sorted(components.items())))
