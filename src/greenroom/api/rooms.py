"""``/api/voice/room``: the signed-in user's own room, opened and closed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, refusals
from greenroom.api.identity import Asking
from greenroom.api.origins import refuse_foreign_pages
from greenroom.api.voice import OF_A_ROOM, Connects, Ends
from greenroom.errors import Conflict, ForeignRoom, Halted, NotFound
from greenroom.service.own_rooms import Owner, OwnRooms
from greenroom.service.sessions import Sessions
from greenroom.wire import botserver as w
from greenroom.wire.translate import rfc3339_or_none

# A bare POST needs no body, and so no leave of the browser.
router = APIRouter(
    prefix="/api/voice/room", tags=["rooms"], dependencies=[Depends(refuse_foreign_pages)]
)


def own_rooms(request: Request) -> OwnRooms:
    """Dependency: the rooms of users."""
    rooms: OwnRooms = request.app.state.own_rooms
    return rooms


def owner_of(who: Asking) -> Owner:
    """Whose rooms somebody asks about: nobody's but their own."""
    return Owner(who.user_id, who.tenant)


OwnRoomsDep = Annotated[OwnRooms, Depends(own_rooms)]


@router.post("", responses=refusals(*BY_A_DOOR, *OF_A_ROOM, NotFound, Halted))
async def open_room(
    who: Connects,
    own: OwnRoomsDep,
    request: Request,
    body: Annotated[w.RoomAsked | None, Body()] = None,
) -> w.RoomAnswer:
    """Get or make the user's own room, with a token that lets them in.

    The room is persistent: always the same for one user and assistant. No bot is called.
    """
    sessions: Sessions = request.app.state.sessions
    assistant = await sessions.assistant(body.wanted if body else None)
    consented = bool(body and body.recording_consent)
    opened = await own.open(owner_of(who), assistant, consented=consented)
    doors.note_session(request, opened.spec.name)
    return w.RoomAnswer(
        kind=opened.spec.kind,
        room_url=opened.spec.url,
        room_name=opened.spec.name,
        token=opened.spec.token,
        reused=opened.reused,
        expires_at=rfc3339_or_none(opened.until),
        ice_servers=opened.spec.ice_servers,
    )


@router.delete("", responses=refusals(*BY_A_DOOR, *OF_A_ROOM, NotFound, ForeignRoom, Conflict))
async def close_room(
    who: Ends,
    own: OwnRoomsDep,
    request: Request,
    body: Annotated[w.RoomLeft | None, Body()] = None,
) -> w.Success:
    """End what goes on in the user's own room, empty it and close it. It may be said again.

    It is not deleted, and so not taken from under anybody: it expires.
    """
    asked = body or w.RoomLeft()
    assistant = await own.assistant_at(owner_of(who), asked.room_url, asked.wanted)
    doors.note_session(request, own.name_of(owner_of(who), assistant))
    await own.leave(owner_of(who), assistant, at_once=asked.teardown_delay == 0)
    return w.Success()
