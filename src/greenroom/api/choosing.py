"""``/api/voice/config`` and ``/assistants``: what a page asks before the click."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, refusals
from greenroom.api.identity import Asking
from greenroom.api.voice import RoomsDep, SessionsDep
from greenroom.errors import NotFound, Unavailable
from greenroom.wire import http as w

router = APIRouter(prefix="/api/voice", tags=["voice"])

Asks = Annotated[Asking, Depends(doors.through(doors.DECIDE), scope="function")]


@router.get("/config", responses=refusals(NotFound, Unavailable))
async def config(
    sessions: SessionsDep,
    rooms: RoomsDep,
    request: Request,
    assistant: Annotated[str | None, Query(max_length=128)] = None,
) -> w.ConfigAnswer:
    """What a page needs to know before the click, of this assistant or the default one."""
    found = await sessions.assistant(assistant)
    record = found.record
    return w.ConfigAnswer(
        assistant=found.name,
        title=found.title,
        ice_servers=rooms.describe("").ice_servers,
        anonymous=request.app.state.identity.anonymous,
        join_s=found.limits.join_s,
        room_kind=rooms.kind,
        enabled=found.disabled is None,
        auto_start=record is not None and record.voice_session_config.auto_start,
        records=rooms.records,
    )


@router.get("/assistants", responses=refusals(*BY_A_DOOR))
async def assistants(who: Asks, sessions: SessionsDep) -> w.AssistantsAnswer:
    """Who may be talked with, the usual one first; whoever was switched off is not there."""
    listed = [one for one in await sessions.assistants() if not one.killed]
    return w.AssistantsAnswer(
        assistants=[
            w.AssistantChoice(name=one.name, title=one.title, enabled=one.disabled is None)
            for one in listed[: w.MOST_ASSISTANTS]
        ]
    )
