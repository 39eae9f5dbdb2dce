"""``/api/voice``: starting, finding, connecting, muting and ending sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from greenroom.api import doors
from greenroom.api.description import BY_A_DOOR, Refusals, refusals
from greenroom.api.identity import Asking
from greenroom.api.trace import Trace
from greenroom.errors import (
    AgentsFull,
    AssistantDisabled,
    AssistantNotReady,
    BadOffer,
    BadOverride,
    BotSilent,
    BudgetUsedUp,
    CallFull,
    CannotRead,
    Conflict,
    ConsentNeeded,
    Draining,
    Halted,
    LaunchFailed,
    LimitReached,
    NotActive,
    NotFound,
    OfferConflict,
    OverrideNotAllowed,
    RoomsRefused,
    RoomsUnavailable,
    SessionEnded,
    StillQueued,
    TooLarge,
    Unavailable,
    UnsupportedTransport,
)
from greenroom.ports.rooms import Rooms
from greenroom.service.entrance import Entrance
from greenroom.service.group_calls import GroupCalls
from greenroom.service.sessions import Sessions, Started
from greenroom.session.cost import cost_of
from greenroom.session.group import GroupCall
from greenroom.session.model import EndReason, PauseCause, Presence, Session, Stage
from greenroom.wire import http as w
from greenroom.wire.link import Answer, Candidates, Offer, RoomKind, RoomSpec
from greenroom.wire.messages import sentence_for
from greenroom.wire.status import shown_status
from greenroom.wire.translate import cost_data, rfc3339

router = APIRouter(prefix="/api/voice", tags=["voice"])

OF_A_SESSION: Refusals = (*BY_A_DOOR, NotFound)
OF_A_COMMAND: Refusals = (*OF_A_SESSION, Conflict)
OF_A_ROOM: Refusals = (
    StillQueued,
    SessionEnded,
    UnsupportedTransport,
    RoomsUnavailable,
    RoomsRefused,
    CallFull,
    ConsentNeeded,
    *RoomsRefused.__subclasses__(),
)
OF_THE_BOTS_LINK: Refusals = (StillQueued, SessionEnded, LaunchFailed, BotSilent, AgentsFull)
OF_CANDIDATES: Refusals = (*OF_A_SESSION, *OF_THE_BOTS_LINK, UnsupportedTransport)
OF_AN_OFFER: Refusals = (
    *(*OF_A_COMMAND, *OF_THE_BOTS_LINK),
    *(BadOffer, OfferConflict, UnsupportedTransport),
)
OF_A_LIMIT: Refusals = (BudgetUsedUp, *LimitReached.__subclasses__())
OF_A_START: Refusals = (
    *(*OF_A_COMMAND, *OF_A_LIMIT, *OF_A_ROOM, TooLarge, Halted, Draining),
    *(AssistantDisabled, AssistantNotReady, OverrideNotAllowed, BadOverride),
)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


def _entrance(request: Request) -> Entrance:
    entrance: Entrance = request.app.state.entrance
    return entrance


def _calls(request: Request) -> GroupCalls:
    calls: GroupCalls = request.app.state.group_calls
    return calls


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
EntranceDep = Annotated[Entrance, Depends(_entrance)]
CallsDep = Annotated[GroupCalls, Depends(_calls)]


@router.post(
    "/session",
    status_code=201,
    responses={200: {"model": w.StartAnswer}, **refusals(*OF_A_START, *OF_AN_OFFER)},
)
async def start(
    body: w.StartBody,
    who: Starts,
    sessions: SessionsDep,
    rooms: RoomsDep,
    entrance: EntranceDep,
    calls: CallsDep,
    request: Request,
    response: Response,
    trace_id: Trace,
) -> w.StartAnswer:
    """Start a session, or find the running one (200, ``reused``). An offer rides along.

    Where the rooms are Daily's, there is no offer, and the answer says where to join by what.
    """
    if body.offer is not None:
        entrance.refuse_offers()
    group = body.group
    started = await sessions.start(
        who.user_id,
        body.assistant,
        body=body.body,
        tenant=who.tenant,
        trace_id=trace_id,
        guest=who.guest,
        wait=bool(body.wait),
        wishes=body.limits.model_dump(exclude_none=True) if body.limits else {},
        group_call=calls.wished(group.max_participants, video=group.video, invited=group.invited)
        if group
        else None,
        overrides=body.overrides,
        consented=bool(body.recording_consent),
    )
    session = started.session
    doors.note_session(request, session.id)
    ticket = await sessions.ticket(session)  # while the bot is on its way
    answer = None
    if body.offer is not None and session.stage is not Stage.QUEUED:
        # Its place was not there after all: it is answered as one that waited from the first.
        with suppress(StillQueued):
            async with ended_if_refused(started, sessions):
                answer = await sessions.connect(
                    session.id, who.user_id, _offer(body.offer), tenant=who.tenant
                )
        session = await sessions.get(session.id)
    room = await _room_of(started, session, sessions, entrance, calls)
    if room is not None:
        session = await sessions.get(session.id)  # whom a call's room lets in is on record
    if started.reused:
        response.status_code = 200
    return w.StartAnswer(
        reused=started.reused,
        session=session_body(session, rooms, room),
        ticket=ticket,
        answer=_answer(answer) if answer else None,
    )


@router.get(
    "/session/current",
    responses={204: {"description": "none is running"}, **refusals(*BY_A_DOOR)},
)
async def current(
    who: Reads,
    sessions: SessionsDep,
    rooms: RoomsDep,
    response: Response,
    assistant: Annotated[str | None, Query(max_length=128)] = None,
) -> w.SessionBody | None:
    """The user's running session with an assistant, or the default one, for a reloaded page."""
    session = await sessions.current(who.user_id, assistant, tenant=who.tenant)
    if session is None:
        response.status_code = 204
        return None
    return session_body(session, rooms)


@router.get("/session/{session_id}", responses=refusals(*OF_A_SESSION))
async def get(session_id: str, who: Reads, sessions: SessionsDep, rooms: RoomsDep) -> w.SessionBody:
    """One of the user's sessions, or a group call that they were let into."""
    return session_body(await sessions.seen_by(session_id, who.user_id, tenant=who.tenant), rooms)


@router.delete("/session/{session_id}", responses=refusals(*OF_A_COMMAND))
async def stop(session_id: str, who: Ends, sessions: SessionsDep, rooms: RoomsDep) -> w.SessionBody:
    """End a session. Said again, nothing more happens."""
    return session_body(await sessions.stop(session_id, who.user_id, tenant=who.tenant), rooms)


@router.post("/session/{session_id}/offer", responses=refusals(*OF_AN_OFFER))
async def offer(
    session_id: str,
    body: w.OfferBody,
    who: Connects,
    sessions: SessionsDep,
    entrance: EntranceDep,
) -> w.AnswerBody:
    """Bring a page's media into the room: again after a reload, or from a newer page."""
    entrance.refuse_offers()
    return _answer(await sessions.connect(session_id, who.user_id, _offer(body), tenant=who.tenant))


@router.patch("/session/{session_id}/offer", status_code=204, responses=refusals(*OF_CANDIDATES))
async def trickle(
    session_id: str,
    body: w.CandidatesBody,
    who: Trickles,
    sessions: SessionsDep,
    entrance: EntranceDep,
) -> None:
    """Further ICE candidates of an earlier offer."""
    entrance.refuse_offers()
    candidates = Candidates(offer_id=body.offer_id, candidates=body.candidates)
    await sessions.trickle(session_id, who.user_id, candidates, tenant=who.tenant)


@router.post("/session/{session_id}/room", responses=refusals(*OF_A_SESSION, *OF_A_ROOM))
async def room(
    session_id: str,
    who: Connects,
    calls: CallsDep,
    body: Annotated[w.EnterBody | None, Body()] = None,
) -> w.RoomBody:
    """Come into the session's room, for the first time after a wait or again after a reload.

    Into a group call so do those who are invited, or who know its id. On Daily the answer has a new
    token, and an older page of the user's is put out.
    """
    consented = bool(body and body.recording_consent)
    return _room_body(await calls.enter(session_id, who.user_id, who.tenant, consented=consented))


@router.post("/session/{session_id}/ticket", responses=refusals(*OF_A_SESSION))
async def ticket(session_id: str, who: Follows, sessions: SessionsDep) -> w.TicketAnswer:
    """A new one-time ticket for ``WS /ws``: for its user, and for the people of a group call."""
    session = await sessions.seen_by(session_id, who.user_id, tenant=who.tenant)
    return w.TicketAnswer(
        ticket=await sessions.ticket(session, who.user_id), expires_in_s=w.TICKET_LIFETIME_S
    )


@router.post(
    "/session/{session_id}/message",
    status_code=202,
    responses=refusals(*OF_A_COMMAND, NotActive, CannotRead, SessionEnded),
)
async def message(
    session_id: str, body: w.MessageBody, who: Writes, sessions: SessionsDep, rooms: RoomsDep
) -> w.SessionBody:
    """Type instead of speaking; the bot is told."""
    return session_body(
        await sessions.message(session_id, who.user_id, body.text, tenant=who.tenant), rooms
    )


@router.post("/mute", responses=refusals(*OF_A_COMMAND))
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
    return session_body(session, rooms)


@router.post("/pause", responses=refusals(*OF_A_COMMAND))
async def pause(
    body: w.PauseBody, who: Pauses, sessions: SessionsDep, rooms: RoomsDep, request: Request
) -> w.SessionBody:
    """Pause a session for a cause, or lift that cause; another cause is left alone."""
    cause = PauseCause(body.cause)
    doors.note_session(request, body.session_id)
    session = await sessions.pause(
        body.session_id, who.user_id, cause, paused=body.paused, tenant=who.tenant
    )
    return session_body(session, rooms)


@asynccontextmanager
async def ended_if_refused(started: Started, sessions: Sessions) -> AsyncIterator[None]:
    """What was begun for an offer ends with it: who is refused does not know of the session."""
    try:
        yield
    except BadOffer:
        if not started.reused:
            await sessions.stop(started.session.id, None, EndReason.NO_SHOW)
        raise


async def _room_of(
    started: Started, session: Session, sessions: Sessions, entrance: Entrance, calls: GroupCalls
) -> RoomSpec | None:
    """Where to join, if there is more to say of it than everybody may know."""
    if entrance.kind is RoomKind.LOCAL or session.stage is Stage.QUEUED:
        return None
    async with ended_if_shut_out(started, sessions):
        return await calls.enter(session.id, session.user_id, session.tenant)


@asynccontextmanager
async def ended_if_shut_out(started: Started, sessions: Sessions) -> AsyncIterator[None]:
    """A session whose user cannot get in is not left to a bot that waits for them."""
    try:
        yield
    except (Unavailable, RoomsRefused):
        if not started.reused:
            await sessions.stop(started.session.id, None, EndReason.LAUNCH_FAILED)
        raise


def _offer(body: w.OfferBody) -> Offer:
    return Offer(offer_id=body.id, participant=body.participant, sdp=body.sdp)


def _answer(answer: Answer) -> w.AnswerBody:
    return w.AnswerBody(offer_id=answer.offer_id, sdp=answer.sdp, pc_id=answer.pc_id)


def _room_body(room: RoomSpec) -> w.RoomBody:
    return w.RoomBody(
        kind=room.kind,
        name=room.name,
        url=room.url,
        token=room.token,
        ice_servers=room.ice_servers,
    )


def session_body(session: Session, rooms: Rooms, room: RoomSpec | None = None) -> w.SessionBody:
    """The session; ``room``: with the token that is meant for whoever asks now."""
    return w.SessionBody(
        session_id=session.id,
        kind=session.kind,
        assistant=session.assistant,
        assistant_version=session.assistant_version,
        status=shown_status(session.stage, paused=session.is_paused),
        stage=session.stage.value,
        room=_room_body(room or rooms.describe(session.room)),
        muted=session.muted,
        pause_causes=sorted(session.pause_causes),
        user_present=session.user_presence is Presence.PRESENT,
        bot_present=session.bot_presence is Presence.PRESENT,
        queue_position=session.queue_position,
        max_participants=session.group_call.places if session.group_call else None,
        participants=_participants(session.group_call) if session.group_call else None,
        started_at=rfc3339(session.created_at),
        active_at=rfc3339(session.active_at) if session.active_at else None,
        ended_at=rfc3339(session.ended_at) if session.ended_at else None,
        reason=session.reason.value if session.reason else None,
        message=sentence_for(session.reason, session.end_note) if session.reason else None,
        cost=cost_data(cost_of(session)),
        last_seq=session.last_seq,
    )


def _participants(call: GroupCall) -> list[w.ParticipantBody]:
    return [
        w.ParticipantBody(
            participant=person.id, user_id=person.user_id, present=person.connection is not None
        )
        for person in call.people
    ]
