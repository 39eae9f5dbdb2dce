"""``/api/voice/…/tools/{id}`` and ``/api/voice/notes``: a page's answers, and a user's notes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, refusals
from greenroom.api.identity import Asking
from greenroom.api.voice import OF_A_COMMAND, Reads, RoomsDep, SessionsDep, session_body
from greenroom.errors import NotFound, SessionEnded, StillQueued, TooLarge
from greenroom.service.notes import Notes
from greenroom.service.page_tools import PageTools
from greenroom.wire.http import SessionBody
from greenroom.wire.tools import CALL_ID_PATTERN, NotesAnswer, ToolResultBody

router = APIRouter(prefix="/api/voice", tags=["tools"])


def _page_tools(request: Request) -> PageTools:
    page_tools: PageTools = request.app.state.page_tools
    return page_tools


def _notes(request: Request) -> Notes:
    notes: Notes = request.app.state.notes
    return notes


Answers = Annotated[Asking, Depends(doors.through(doors.ANSWER_TOOL), scope="function")]
Deletes = Annotated[Asking, Depends(doors.through(doors.DELETE_NOTE), scope="function")]
PageToolsDep = Annotated[PageTools, Depends(_page_tools)]
NotesDep = Annotated[Notes, Depends(_notes)]
CallId = Annotated[str, Path(max_length=64, pattern=CALL_ID_PATTERN)]


@router.post(
    "/session/{session_id}/tools/{tool_call_id}",
    status_code=202,
    responses=refusals(*OF_A_COMMAND, TooLarge, StillQueued, SessionEnded),
)
async def answer(
    session_id: str,
    tool_call_id: CallId,
    body: ToolResultBody,
    who: Answers,
    page_tools: PageToolsDep,
    sessions: SessionsDep,
    rooms: RoomsDep,
) -> SessionBody:
    """Say what a tool that the page carries out has come to. The bot takes the first answer."""
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    told = await page_tools.answer(session, tool_call_id, body.result, body.error)
    return session_body(told, rooms)


@router.get("/notes", responses=refusals(*BY_A_DOOR))
async def notes(who: Reads, kept: NotesDep) -> NotesAnswer:
    """The user's notes, the latest changed first."""
    return await kept.listed(who.user_id, who.tenant)


@router.delete("/notes/{note_id}", status_code=204, responses=refusals(*BY_A_DOOR, NotFound))
async def delete(note_id: str, who: Deletes, kept: NotesDep, request: Request) -> None:
    """Delete one of the user's notes."""
    doors.note_target(request, note_id)
    await kept.delete(who.user_id, who.tenant, note_id)
