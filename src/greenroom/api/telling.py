"""``/api/voice/session/{id}/say``, ``/context``, ``/adjust``: telling an assistant that talks.

By an application's key with ``sessions:direct``, any of it. By a user, or a visitor, only what
`greenroom.service.telling` says that a page may. Operators have doors of their own.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from greenroom.api import doors
from greenroom.api.description import refusals
from greenroom.api.identity import Asking
from greenroom.api.voice import OF_A_COMMAND, RoomsDep, SessionsDep, session_body
from greenroom.errors import (
    BadOverride,
    NotActive,
    OverrideNotAllowed,
    SessionEnded,
    StillQueued,
    VoiceFixed,
)
from greenroom.service.telling import Telling
from greenroom.wire import http as w

router = APIRouter(prefix="/api/voice/session/{session_id}", tags=["voice"])

Says = Annotated[Asking, Depends(doors.through(doors.SAY), scope="function")]
Tells = Annotated[Asking, Depends(doors.through(doors.CONTEXT), scope="function")]
Adjusts = Annotated[Asking, Depends(doors.through(doors.ADJUST), scope="function")]


def telling(request: Request) -> Telling:
    """Dependency: tells running sessions."""
    found: Telling = request.app.state.telling
    return found


TellingDep = Annotated[Telling, Depends(telling)]


@router.post(
    "/say",
    status_code=202,
    responses=refusals(*OF_A_COMMAND, NotActive, StillQueued, SessionEnded),
)
async def say(
    session_id: str,
    body: w.SayBody,
    who: Says,
    tells: TellingDep,
    sessions: SessionsDep,
    rooms: RoomsDep,
) -> w.SessionBody:
    """Have the assistant say something. A page may only where the record lets it."""
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    told = await tells.say(
        session, body.text, interrupt=bool(body.interrupt), by_page=who.key is None
    )
    return session_body(told, rooms)


@router.post("/context", status_code=202, responses=refusals(*OF_A_COMMAND, SessionEnded))
async def context(
    session_id: str,
    body: w.ContextBody,
    who: Tells,
    tells: TellingDep,
    sessions: SessionsDep,
    rooms: RoomsDep,
) -> w.SessionBody:
    """Let the assistant know something. What a page says is told to it as its user's word."""
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    told = await tells.context(session, body.text, by_page=who.key is None)
    return session_body(told, rooms)


@router.post(
    "/adjust",
    status_code=202,
    responses=refusals(*OF_A_COMMAND, OverrideNotAllowed, BadOverride, VoiceFixed, SessionEnded),
)
async def adjust(
    session_id: str,
    body: w.AdjustBody,
    who: Adjusts,
    tells: TellingDep,
    sessions: SessionsDep,
    rooms: RoomsDep,
    request: Request,
) -> w.SessionBody:
    """Change persona, personality or voice at once. A page may what a start may override."""
    doors.note_facts(request, fields=sorted(body.changes))
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    told = await tells.adjust(session, body.changes, by_page=who.key is None)
    return session_body(told, rooms)
