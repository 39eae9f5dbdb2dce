"""``/api/operator/audit``: who did what, for operators. There is no door by which it is changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import Operator
from greenroom.ports.store import Store
from greenroom.service.audit import audit_line
from greenroom.wire import operators as w

router = APIRouter(prefix="/api/operator", tags=["operators"])

MOST_LINES = 1_000


@router.get("/audit", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def audit(
    operator: Operator,
    request: Request,
    act: Annotated[str | None, Query(max_length=32)] = None,
    actor: Annotated[str | None, Query(max_length=255)] = None,
    since: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 100,
) -> w.AuditLines:
    """Lines of the audit log, the newest first.

    ``since``: seconds since the epoch. ``before``: read on from ``nextBefore`` of an answer.
    """
    store: Store = request.app.state.store
    found = await store.audit.listed(limit=limit, act=act, actor=actor, since=since, before=before)
    more = found[-1].id if len(found) == limit else None
    return w.AuditLines(lines=[audit_line(entry) for entry in found], next_before=more)
