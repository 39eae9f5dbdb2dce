"""``/api/voice``: starting, finding, connecting, muting and ending sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from greenroom.api import doors
from greenroom.api.identity import Asking
from greenroom.api.trace import Trace
from greenroom.errors import BadOffer
from greenroom.ports.rooms import Rooms
from greenroom.service.sessions import Sessions, Started
from greenroom.session.cost import cost_of
from greenroom.session.model import EndReason, PauseCause, Presence, Session, Stage
from greenroom.wire import http as w
from greenroom.wire.link import Answer, Candidates, Offer
from greenroom.wire.messages import sentence_for
from greenroom.wire.status import shown_status
from greenroom.wire.translate import cost_data, rfc3339

router = APIRouter(prefix="/api/voice", tags=["voice"])


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


def _who(door: doors.Door) -> Any:
    # Left before the answer is sent: what the audit log says is there when the caller looks.
    return Depends(doors.through(door), scope="function")


Starts = Annotated[Asking, _who(doors.START)]
Connects = Annotated[Asking, _who(doors.CONNECT)]
Trickles = Annotated[Asking, _who(doors.TRICKLE)]
Reads = Annotated[Asking, _who(doors.READ)]
Follows = Annotated[Asking, _who(doors.FOLLOW)]
Mutes = Annotated[Asking, _who(doors.MUTE)]
Pauses = Annotated[Asking, _who(doors.PAUSE)]
Writes = Annotated[Asking, _who(doors.MESSAGE)]
Ends = Annotated[Asking, _who(doors.END)]
SessionsDep = Annotated[Sessions, Depends(_sessions)]
RoomsDep = Annotated[Rooms, Depends(_rooms)]


@router.get("/config")
async def config(sessions: SessionsDep, rooms: RoomsDep, request: Request) -> w.ConfigAnswer:
    """What a page needs to know before the click."""
    assistant = sessions.assistant(None)
    return w.ConfigAnswer(
        assistant=assistant.name,
        title=assistant.title,
        ice_servers=rooms.describe("").ice_servers,
        anonymous=request.app.state.identity.anonymous,
        join_s=assistant.limits.join_s,
    )


@router.post("/session", status_code=201)
async def start(
    body: w.StartBody,
    who: Starts,
    sessions: SessionsDep,
    rooms: RoomsDep,
    request: Request,
    response: Response,
    trace_id: Trace,
) -> w.StartAnswer:
    """Start a session, or find the running one (200, ``reused``). An offer rides along."""
    started = await sessions.start(
        who.user_id,
        body.assistant,
        body=body.body,
        tenant=who.tenant,
        trace_id=trace_id,
        guest=who.guest,
        wait=bool(body.wait),
        wishes=body.limits.model_dump(exclude_none=True) if body.limits else {},
    )
    session = started.session
    doors.note_session(request, session.id)
    answer = None
    if body.offer is not None and session.stage is not Stage.QUEUED:
        async with ended_if_refused(started, sessions):
            answer = await sessions.connect(
                session.id, who.user_id, _offer(body.offer), tenant=who.tenant
            )
        session = await sessions.get(session.id)
    ticket = await sessions.ticket(session)
    if started.reused:
        response.status_code = 200
    return w.StartAnswer(
        reused=started.reused,
        session=_body(session, rooms),
        ticket=ticket,
        answer=_answer(answer) if answer else None,
    )


@router.get("/session/current", responses={204: {"description": "none is running"}})
async def current(
    who: Reads, sessions: SessionsDep, rooms: RoomsDep, response: Response
) -> w.SessionBody | None:
    """The user's running session, for a page that was reloaded."""
    session = await sessions.current(who.user_id, None, tenant=who.tenant)
    if session is None:
        response.status_code = 204
        return None
    return _body(session, rooms)


@router.get("/session/{session_id}")
async def get(session_id: str, who: Reads, sessions: SessionsDep, rooms: RoomsDep) -> w.SessionBody:
    """One of the user's sessions."""
    return _body(await sessions.get(session_id, who.user_id, tenant=who.tenant), rooms)


@router.delete("/session/{session_id}")
async def stop(session_id: str, who: Ends, sessions: SessionsDep, rooms: RoomsDep) -> w.SessionBody:
    """End a session. Said again, nothing more happens."""
    return _body(await sessions.stop(session_id, who.user_id, tenant=who.tenant), rooms)


@router.post("/session/{session_id}/offer")
async def offer(
    session_id: str, body: w.OfferBody, who: Connects, sessions: SessionsDep
) -> w.AnswerBody:
    """Bring a page's media into the room: again after a reload, or from a newer page."""
    return _answer(await sessions.connect(session_id, who.user_id, _offer(body), tenant=who.tenant))


@router.patch("/session/{session_id}/offer", status_code=204)
async def trickle(
    session_id: str, body: w.CandidatesBody, who: Trickles, sessions: SessionsDep
) -> None:
    """Further ICE candidates of an earlier offer."""
    candidates = Candidates(offer_id=body.offer_id, candidates=body.candidates)
    await sessions.trickle(session_id, who.user_id, candidates, tenant=who.tenant)


@router.post("/session/{session_id}/ticket")
async def ticket(session_id: str, who: Follows, sessions: SessionsDep) -> w.TicketAnswer:
    """A new one-time ticket for ``WS /ws``."""
    session = await sessions.get(session_id, who.user_id, tenant=who.tenant)
    return w.TicketAnswer(ticket=await sessions.ticket(session), expires_in_s=w.TICKET_LIFETIME_S)


@router.post("/session/{session_id}/message", status_code=202)
async def message(
    session_id: str, body: w.MessageBody, who: Writes, sessions: SessionsDep, rooms: RoomsDep
) -> w.SessionBody:
    """Type instead of speaking; the bot is told."""
    return _body(
        await sessions.message(session_id, who.user_id, body.text, tenant=who.tenant), rooms
    )


@router.post("/mute")
async def mute(
    body: w.MuteBody, who: Mutes, sessions: SessionsDep, rooms: RoomsDep, request: Request
) -> w.SessionBody:
    """Switch the user's microphone; of two calls the one with the later timestamp holds."""
    doors.note_session(request, body.session_id)
    session = await sessions.mute(
        body.session_id,
        who.user_id,
        muted=body.is_muted,
        timestamp_ms=body.timestamp,
        tenant=who.tenant,
    )
    return _body(session, rooms)


@router.post("/pause")
async def pause(
    body: w.PauseBody, who: Pauses, sessions: SessionsDep, rooms: RoomsDep, request: Request
) -> w.SessionBody:
    """Pause a session for a cause, or lift that cause; another cause is left alone."""
    cause = PauseCause(body.cause)
    doors.note_session(request, body.session_id)
    session = await sessions.pause(
        body.session_id, who.user_id, cause, paused=body.paused, tenant=who.tenant
    )
    return _body(session, rooms)


@asynccontextmanager
async def ended_if_refused(started: Started, sessions: Sessions) -> AsyncIterator[None]:
    """What was begun for an offer ends with it: who is refused does not know of the session."""
    try:
        yield
    except BadOffer:
        if not started.reused:
            await sessions.stop(started.session.id, None, EndReason.NO_SHOW)
        raise


def _offer(body: w.OfferBody) -> Offer:
    return Offer(offer_id=body.id, participant=body.participant, sdp=body.sdp)


def _answer(answer: Answer) -> w.AnswerBody:
    return w.AnswerBody(offer_id=answer.offer_id, sdp=answer.sdp, pc_id=answer.pc_id)


def _body(session: Session, rooms: Rooms) -> w.SessionBody:
    room = rooms.describe(session.room)
    return w.SessionBody(
        session_id=session.id,
        assistant=session.assistant,
        status=shown_status(session.stage, paused=session.is_paused),
        stage=session.stage.value,
        room=w.RoomBody(name=room.name, ice_servers=room.ice_servers),
        muted=session.muted,
        pause_causes=sorted(session.pause_causes),
        user_present=session.user_presence is Presence.PRESENT,
        bot_present=session.bot_presence is Presence.PRESENT,
        queue_position=session.queue_position,
        started_at=rfc3339(session.created_at),
        active_at=rfc3339(session.active_at) if session.active_at else None,
        ended_at=rfc3339(session.ended_at) if session.ended_at else None,
        reason=session.reason.value if session.reason else None,
        message=sentence_for(session.reason, session.end_note) if session.reason else None,
        cost=cost_data(cost_of(session)),
        last_seq=session.last_seq,
    )
