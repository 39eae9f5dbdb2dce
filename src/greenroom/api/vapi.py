"""VAPI's own wire, served here: an application with ``@vapi-ai/web`` changes one host name.

A *public* key is an API key that may start sessions, a *private* one may see them. An assistant is
one of this server's. It only translates: a call is a session, in a room on Daily, with an agent
that speaks VAPI's side of it (`greenroom.bot.vapi`). What differs stands in docs/vapi.md.
"""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, refusals
from greenroom.api.identity import Asking
from greenroom.api.trace import Trace
from greenroom.api.voice import (
    OF_A_START,
    EntranceDep,
    RoomsDep,
    SessionsDep,
    ended_if_shut_out,
)
from greenroom.errors import (
    BadRequest,
    NoPublicKey,
    NotFound,
    UnsupportedCall,
    UnsupportedTransport,
)
from greenroom.ports.open_rooms import Door
from greenroom.ports.store import Store
from greenroom.service.call_servers import CallServers, everything_told
from greenroom.service.sessions import Sessions, Started
from greenroom.session.model import Session, Stage
from greenroom.wire.keys import Scope
from greenroom.wire.link import RoomKind, RoomSpec
from greenroom.wire.vapi import calls as w
from greenroom.wire.vapi import refusals as r
from greenroom.wire.vapi.reports import ended_call

router = APIRouter(prefix=r.PREFIX, tags=["vapi"])

Unnamed = Annotated[Asking, Depends(doors.unnamed)]


@router.post(
    "/web",
    status_code=201,
    response_model_exclude_none=True,
    responses=refusals(NoPublicKey, UnsupportedCall, UnsupportedTransport, *OF_A_START),
)
async def create_web_call(
    body: w.CreateWebCall,
    who: Unnamed,
    trace_id: Trace,
    request: Request,
    sessions: SessionsDep,
    rooms: RoomsDep,
    entrance: EntranceDep,
) -> w.CallAnswer:
    """Start a call: a session, and the room on Daily where the SDK finds its assistant.

    Whom a key does not name is somebody new each time; whoever shows a user's token finds their
    running call.
    """
    if rooms.kind is not RoomKind.DAILY:
        raise UnsupportedTransport(
            "VAPI's SDK meets its assistant on Daily, and the rooms of this server are its own: "
            "set GREENROOM_ROOMS=daily.",
            transports=[rooms.kind.value],
        )
    plan = w.plan_of(body)
    servers: CallServers = request.app.state.call_servers
    servers.check(plan.body)
    async with doors.passing(request, who, doors.START):
        started = await _begin(plan, who, trace_id, request, sessions)
        doors.note_session(request, started.session.id)
        async with ended_if_shut_out(started, sessions):
            room = await entrance.user(started.session)
    return _answer(started.session, request, room, plan.ignored)


@router.get(
    "/{session_id}", response_model_exclude_none=True, responses=refusals(*BY_A_DOOR, NotFound)
)
async def get_call(session_id: str, request: Request, sessions: SessionsDep) -> w.CallAnswer:
    """A call; of one that has ended what was said in it, and what it has cost."""
    key = await doors.server_of(request, Scope.READ, Scope.OPERATE)
    session = await sessions.get(session_id)
    if key.tenant not in (None, session.tenant) or w.call_of(session) is None:
        raise NotFound("There is no such call.")
    store: Store = request.app.state.store
    answer = _answer(session, request)
    if session.stage is not Stage.ENDED:
        return answer
    return answer.model_copy(update=ended_call(session, await everything_told(store, session_id)))


async def _begin(
    plan: w.CallPlan, who: Asking, trace_id: str | None, request: Request, sessions: Sessions
) -> Started:
    door: Door = request.app.state.call_door
    try:
        return await sessions.start(
            who.user_id,
            await _assistant(plan, sessions),
            call={**plan.body, "door": door.value},
            tenant=who.tenant,
            # Who leaves has hung up, unless the page said that it comes back.
            most_persistence_s=math.inf if plan.keeps_room else 0.0,
            trace_id=trace_id,
            guest=who.guest,
            wishes={name: wish_s for name, (wish_s, _) in plan.wishes.items()},
            consented=plan.consented,
        )
    except BadRequest as refused:
        raise _in_their_words(refused, plan) from refused


async def _assistant(plan: w.CallPlan, sessions: Sessions) -> str | None:
    """Who speaks; what the page wrote out itself is spoken by the first, if by nobody else."""
    names = {assistant.name for assistant in await sessions.assistants()}
    return plan.assistant if plan.assistant in names or not plan.inline else None


def _in_their_words(refused: BadRequest, plan: w.CallPlan) -> BadRequest:
    """A wish that is above its ceiling, by the name that the page had for it."""
    ours = {"limits.maxDurationS": "max_duration_s", "limits.idleS": "idle_s"}
    name = ours.get(str(refused.detail.get("field")))
    if name is None or name not in plan.wishes:
        return refused
    field = plan.wishes[name][1]
    most = refused.detail.get("most")
    return BadRequest(f"“{field}” may be at most {most:g} here.", field=field, most=most)


def _answer(
    session: Session,
    request: Request,
    room: RoomSpec | None = None,
    ignored: list[str] | None = None,
) -> w.CallAnswer:
    transport = w.Transport(call_url=room.url, call_token=room.token) if room else None
    return w.CallAnswer(
        **w.call_facts(session, request.app.state.clock.now()),
        web_call_url=room.url if room else None,
        transport=transport,
        assistant={"name": session.assistant},
        ignored=ignored or None,
    )
