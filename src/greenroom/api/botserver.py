"""``/api/bot``: a bot called to a user's room and sent away, as pages of the migration plan do it.

It only translates: each call ends in the ordinary commands, and so under the same limits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from greenroom.api import doors
from greenroom.api.description import refusals
from greenroom.api.identity import Asking, Identity, bearer_of
from greenroom.api.rooms import OwnRoomsDep, owner_of
from greenroom.api.trace import Trace
from greenroom.api.voice import OF_A_COMMAND, OF_A_START
from greenroom.errors import Forbidden, ForeignRoom, Unauthorized
from greenroom.ports.audit import Act, Actor
from greenroom.service.audit import Audit
from greenroom.service.botserver import BotServer, Call, Joined
from greenroom.service.entrance import bot_has_camera
from greenroom.service.own_rooms import Owner, OwnRooms
from greenroom.session.model import DEFAULT_TENANT
from greenroom.wire import botserver as w
from greenroom.wire.status import shown_status

router = APIRouter(prefix="/api/bot", tags=["bot server"])


def _bots(request: Request) -> BotServer:
    bots: BotServer = request.app.state.bot_server
    return bots


BotsDep = Annotated[BotServer, Depends(_bots)]


@router.post("/join", responses=refusals(*OF_A_START, ForeignRoom))
async def join(
    body: w.BotAsked,
    bots: BotsDep,
    own: OwnRoomsDep,
    trace_id: Trace,
    request: Request,
    response: Response,
) -> w.BotAnswer:
    """Have the assistant come to the user's room: a session starts, or the running one is found.

    Only to rooms of ours, and to the user's own; no key opens others.
    """
    async with _acting(request, response, own, body, doors.START) as who:
        call = Call(
            owner=owner_of(who),
            guest=who.guest,
            room_url=body.room_url,
            assistant=body.assistant,
            persistence_s=body.session_persistence,
            told=body.told_to(who.user_id, who.tenant),
            trace_id=trace_id,
            consented=bool(body.recording_consent),
        )
        joined = await bots.join(call)
        doors.note_session(request, joined.session.id)
        return _answer(joined)


@router.post("/leave", responses=refusals(*OF_A_COMMAND, ForeignRoom))
async def leave(
    body: w.BotRoom, bots: BotsDep, own: OwnRoomsDep, request: Request, response: Response
) -> w.BotLeft:
    """Send the assistant away: the session in the user's room ends. It may be said again."""
    async with _acting(request, response, own, body, doors.END) as who:
        session = await bots.leave(owner_of(who), body.room_url, body.assistant)
        if session is not None:
            doors.note_session(request, session.id)
        return w.BotLeft(session_id=session.id if session else None)


@asynccontextmanager
async def _acting(
    request: Request, response: Response, own: OwnRooms, body: w.BotRoom, door: doors.Door
) -> AsyncIterator[Asking]:
    """Who asks, or for whom: a server and an operator name their user, whom nobody else is.

    Raises:
        Forbidden: A user names somebody else.
        GreenroomError: As `doors.known` and `doors.passing`.
    """
    server = await doors.server_for(request, body.session_user_id, body.tenant_id)
    operator = None if server else _operator(request)
    if operator is not None:
        async with _operating(request, operator, own, body, door) as who:
            yield who
        return
    who = server or await doors.whoever(request, response)
    if body.session_user_id not in (None, who.user_id) or body.tenant_id not in (None, who.tenant):
        raise Forbidden("Only a server may name a user, by its API key. You are yourself.")
    async with doors.passing(request, who, door):
        yield who


def _operator(request: Request) -> Actor | None:
    """The operator whose token this is; None: it is somebody else's."""
    identity: Identity = request.app.state.identity
    try:
        return identity.operator_of(bearer_of(request), doors.address_of(request))
    except Unauthorized:
        return None


@asynccontextmanager
async def _operating(
    request: Request, actor: Actor, own: OwnRooms, body: w.BotRoom, door: doors.Door
) -> AsyncIterator[Asking]:
    """An operator acts for a user: on record, and under the user's limits all the same."""
    tenant = body.tenant_id or DEFAULT_TENANT
    if body.session_user_id:
        owner = Owner(doors.checked_user_id(body.session_user_id), tenant)
    else:
        owner = await own.owner_at(body.room_url, tenant)
    audit: Audit = request.app.state.audit
    identity: Identity = request.app.state.identity
    act = door.act or Act.START
    async with audit.of(actor, act, user=owner.user_id, tenant=owner.tenant) as doing:
        request.state.doing = doing
        yield Asking(owner.user_id, owner.tenant, guest=identity.is_visitor(owner.user_id))


def _answer(joined: Joined) -> w.BotAnswer:
    session, body = joined.session, joined.session.body
    return w.BotAnswer(
        pid=joined.pid,
        room_url=joined.room.url,
        room_name=session.room,
        personality_id=_text(body.get("personalityId")),
        persona=_text(body.get("persona")),
        voice=_text(body.get("voice")),
        voice_only=not bot_has_camera(session),
        reused=joined.reused,
        session_id=session.id,
        assistant=session.assistant,
        session_persistence=session.limits.persistence_s,
        status=shown_status(session.stage, paused=session.is_paused),
    )


def _text(value: object) -> str | None:
    """A session that was started by another door may be told anything."""
    return value if isinstance(value, str) else None
