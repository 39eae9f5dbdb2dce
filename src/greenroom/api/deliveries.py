"""``/api/operator/deliveries``: what has not reached the application, and trying it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import operator_with
from greenroom.api.operators import AuditDep
from greenroom.errors import BadRequest
from greenroom.ports.audit import Act, Actor
from greenroom.ports.clock import Clock
from greenroom.ports.deliveries import DeliveryState
from greenroom.ports.hub import Hub
from greenroom.ports.store import Store
from greenroom.service.deliveries import DELIVERIES_TOPIC
from greenroom.service.listing import deliveries_of
from greenroom.wire import operators as w
from greenroom.wire.keys import Scope

router = APIRouter(prefix="/api/operator/deliveries", tags=["operators"])

MOST_LINES = 1_000


Operator = Annotated[Actor, Depends(operator_with(Scope.DELIVERIES))]


@router.get("", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def listed(
    operator: Operator,
    request: Request,
    dead: bool = False,
    endpoint: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 100,
) -> w.DeliveryLines:
    """What waits and what was given up; with ``dead`` only the latter."""
    store: Store = request.app.state.store
    state = DeliveryState.DEAD if dead else None
    found = await store.deliveries.listed(state=state, endpoint=endpoint, limit=limit)
    return deliveries_of(found, await store.deliveries.standings())


@router.post("/replay", responses=refusals(*BY_THE_OPERATORS_DOOR, BadRequest))
async def replay(
    body: w.ReplayBody, operator: Operator, audit: AuditDep, request: Request
) -> w.ReplayAnswer:
    """Try deliveries again now, with all tries anew. Each keeps its ``webhook-id``."""
    if bool(body.ids) == body.all:
        raise BadRequest("Say which: the numbers of deliveries (ids), or all.")
    store: Store = request.app.state.store
    clock: Clock = request.app.state.clock
    hub: Hub = request.app.state.hub
    target = ", ".join(map(str, body.ids)) if body.ids else "all"
    async with audit.of(operator, Act.REPLAY, target, endpoint=body.endpoint) as doing:
        ids = body.ids or None
        count = await store.deliveries.replay(ids, body.endpoint, clock.now())
        doing.detail["count"] = count
    hub.publish(DELIVERIES_TOPIC)
    return w.ReplayAnswer(replayed=count)
