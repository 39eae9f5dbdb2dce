"""What is kept of people: a transcript for its user, exports and erasure for operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import Operator
from greenroom.api.operators import AuditDep
from greenroom.api.voice import OF_A_SESSION, Reads, SessionsDep
from greenroom.errors import BadRequest, Conflict
from greenroom.ports.audit import Act
from greenroom.service.people import People
from greenroom.session.model import DEFAULT_TENANT
from greenroom.wire import records as w
from greenroom.wire.keys import MAX_TENANT_CHARS, MAX_USER_ID_CHARS

router = APIRouter(prefix="/api", tags=["records"])

NDJSON = "application/x-ndjson"


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people


PeopleDep = Annotated[People, Depends(_people)]
UserId = Annotated[str, Query(alias="user", min_length=1, max_length=MAX_USER_ID_CHARS)]
Tenant = Annotated[str, Query(min_length=1, max_length=MAX_TENANT_CHARS)]


@router.get("/voice/session/{session_id}/transcript", responses=refusals(*OF_A_SESSION))
async def transcript(
    session_id: str, who: Reads, sessions: SessionsDep, people: PeopleDep
) -> w.TranscriptBody:
    """What was said in one of the user's sessions, while it runs or afterwards."""
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    return await people.transcript(session)


@router.get(
    "/operator/data",
    responses={
        200: {"content": {NDJSON: {}}, "description": "a JSON object a line"},
        **refusals(*BY_THE_OPERATORS_DOOR, BadRequest),
    },
    response_class=StreamingResponse,
)
async def export(
    operator: Operator,
    people: PeopleDep,
    audit: AuditDep,
    user_id: UserId,
    tenant: Tenant = DEFAULT_TENANT,
) -> StreamingResponse:
    """Everything that is kept of a user: a JSON object a line, sessions before their events."""
    async with audit.of(operator, Act.EXPORT, user_id, tenant=tenant):
        found = people.export(user_id, tenant)
        first = await anext(found)
    return StreamingResponse(_lines(first, found), media_type=NDJSON)


async def _lines(first: w.Exported, found: AsyncIterator[w.Exported]) -> AsyncIterator[str]:
    yield first.to_json() + "\n"
    async for record in found:
        yield record.to_json() + "\n"


@router.delete("/operator/data", responses=refusals(*BY_THE_OPERATORS_DOOR, BadRequest, Conflict))
async def erase(
    operator: Operator,
    people: PeopleDep,
    audit: AuditDep,
    user_id: UserId,
    tenant: Tenant = DEFAULT_TENANT,
) -> w.ErasedBody:
    """Erase a user. Said again, there is nothing left to erase.

    On the audit log stands the alias: the log is for ever, and the name is to be gone.
    """
    async with audit.of(operator, Act.ERASE, people.alias_of(user_id, tenant)) as doing:
        erased = await people.erase(user_id, tenant)
        doing.detail.update(sessions=erased.sessions, events=erased.events, notes=erased.notes)
    return erased
