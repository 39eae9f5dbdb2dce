"""Pipecat's own wire: ``/start`` and ``/api/offer`` as its runner has them, for stock clients.

What differs from the runner is on purpose: sessions are Greenroom's, with its limits, so that a
second start finds the running session, an offer after the end is refused, and nothing that was
started without an offer stays.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request

from greenroom.api import doors
from greenroom.api.description import refusals
from greenroom.api.identity import Asking, Identity
from greenroom.api.origins import refuse_foreign_pages
from greenroom.api.trace import Trace
from greenroom.api.voice import (
    OF_A_START,
    OF_AN_OFFER,
    OF_CANDIDATES,
    EntranceDep,
    RoomsDep,
    SessionsDep,
    Starts,
    ended_if_refused,
    ended_if_shut_out,
)
from greenroom.errors import Forbidden, NotFound, OfferConflict, UnsupportedTransport
from greenroom.ports.rooms import Rooms
from greenroom.service.entrance import Entrance
from greenroom.service.sessions import Sessions, Started
from greenroom.session.model import Presence, Session
from greenroom.wire import pipecat as w
from greenroom.wire.link import Candidates, Offer, RoomKind

# Which door it is depends on what the offer says.
Whoever = Annotated[Asking, Depends(doors.whoever)]

router = APIRouter(tags=["pipecat"], dependencies=[Depends(refuse_foreign_pages)])

# What stock clients call the way into each kind of room.
TRANSPORTS = {RoomKind.LOCAL: "webrtc", RoomKind.DAILY: "daily"}
# A stock client cannot say whether it hangs up or reloads; hung up is what it mostly means. So
# its bot waits only as long as such a client tries to come back after a lost network: 5 s of
# patience, 5 s more, and three tries of 2 s, of which we notice the loss after about 3 s.
STOCK_PERSISTENCE_S = 15.0


@router.get("/status", responses=refusals(Forbidden))
async def status(rooms: RoomsDep) -> w.StatusResult:
    """What may be asked of ``/start``."""
    return w.StatusResult(transports=[TRANSPORTS[rooms.kind]])


@router.post(
    "/start",
    response_model_exclude_none=True,
    responses=refusals(*OF_A_START, UnsupportedTransport),
)
async def start(
    who: Starts,
    trace_id: Trace,
    request: Request,
    sessions: SessionsDep,
    rooms: RoomsDep,
    entrance: EntranceDep,
    body: Annotated[w.StartRequest | None, Body()] = None,
) -> w.StartResult:
    """Start a session, or find the running one. The bot is launched at once.

    If no offer follows, the session ends by its join deadline. The ICE servers are those of the
    settings and nobody else's, asked for (``enableDefaultIceServers``) or not.
    """
    asked = body or w.StartRequest()
    started = await begin_asked(sessions, who, asked, None, trace_id, rooms.kind)
    doors.note_session(request, started.session.id)
    return await start_result(asked, started, sessions, rooms, entrance)


@router.post("/sessions/{session_id}/api/offer", responses=refusals(*OF_AN_OFFER))
async def offer(
    session_id: str,
    body: w.OfferRequest,
    request: Request,
    sessions: SessionsDep,
    entrance: EntranceDep,
) -> w.OfferAnswer:
    """Connect to the bot of a session; again after a lost network. One session, one bot."""
    entrance.refuse_offers()
    who = await _owner_in(session_id, request, sessions)
    async with doors.passing(request, who, doors.CONNECT):
        return await connect(sessions, session_id, who, body)


@router.patch("/sessions/{session_id}/api/offer", responses=refusals(*OF_CANDIDATES))
async def trickle(
    session_id: str, body: w.CandidatesRequest, request: Request, sessions: SessionsDep
) -> w.PatchResult:
    """Further ICE candidates."""
    who = await _owner_in(session_id, request, sessions)
    async with doors.passing(request, who, doors.TRICKLE):
        return await pass_candidates(sessions, peer_in(session_id, body), who, body)


@router.post("/api/offer", responses=refusals(*OF_A_START, *OF_AN_OFFER))
async def flat_offer(
    body: w.OfferRequest,
    who: Whoever,
    trace_id: Trace,
    request: Request,
    sessions: SessionsDep,
    entrance: EntranceDep,
) -> w.OfferAnswer:
    """As the offer to a session; starts one first, unless the client comes back to its own."""
    entrance.refuse_offers()
    before = w.Peer.parse(body.pc_id)
    if before is not None:
        owner = await _owner_in(before.session_id, request, sessions)
        async with doors.passing(request, owner, doors.CONNECT):
            return await connect(sessions, before.session_id, owner, body)
    async with doors.passing(request, who, doors.START):
        started = await _begin(sessions, who, None, body.request_data, trace_id)
        doors.note_session(request, started.session.id)
        async with ended_if_refused(started, sessions):
            return await connect(sessions, started.session.id, who, body)


@router.patch("/api/offer", responses=refusals(*OF_CANDIDATES))
async def flat_trickle(
    body: w.CandidatesRequest, request: Request, sessions: SessionsDep
) -> w.PatchResult:
    """Further ICE candidates."""
    peer = w.Peer.parse(body.pc_id)
    if peer is None:
        raise NotFound("There is no such peer connection.")
    who = await _owner_in(peer.session_id, request, sessions)
    async with doors.passing(request, who, doors.TRICKLE):
        return await pass_candidates(sessions, peer, who, body)


# ---- what Pipecat Cloud's doors (`greenroom.api.cloud`) do as well


async def begin_asked(
    sessions: Sessions,
    who: Asking,
    asked: w.StartRequest,
    assistant: str | None,
    trace_id: str | None,
    kind: RoomKind,
) -> Started:
    """Start a session as `/start` does, with this assistant or the first one.

    Raises:
        UnsupportedTransport: It asks for audio on a way that is not configured.
        GreenroomError: As `Sessions.start`.
    """
    transport = TRANSPORTS[kind]
    if asked.wanted_transport != transport:
        raise UnsupportedTransport(
            f"The transport “{asked.wanted_transport}” is not configured here. Use “{transport}”.",
            transports=[transport],
        )
    return await _begin(sessions, who, assistant, asked.body, trace_id)


async def start_result(
    asked: w.StartRequest, started: Started, sessions: Sessions, rooms: Rooms, entrance: Entrance
) -> w.StartResult:
    """What a start is answered; raises as `Entrance.user`."""
    if rooms.kind is RoomKind.DAILY:
        async with ended_if_shut_out(started, sessions):
            room = await entrance.user(started.session)
        session_id = started.session.id
        return w.StartResult(session_id=session_id, daily_room=room.url, daily_token=room.token)
    servers = rooms.describe(started.session.room).ice_servers
    wanted = bool(servers) or asked.enable_default_ice_servers
    return w.StartResult(
        session_id=started.session.id,
        ice_config=w.IceConfig(ice_servers=servers) if wanted else None,
    )


async def _begin(
    sessions: Sessions,
    who: Asking,
    assistant: str | None,
    body: dict[str, Any] | None,
    trace_id: str | None,
) -> Started:
    return await sessions.start(
        who.user_id,
        assistant,
        body=body,
        tenant=who.tenant,
        most_persistence_s=STOCK_PERSISTENCE_S,
        guest=who.guest,
        trace_id=trace_id,
        consented=(body or {}).get("recordingConsent") is True,
    )


async def _owner_in(session_id: str, request: Request, sessions: Sessions) -> Asking:
    """Who asks about this session.

    A client without cookies (a page elsewhere, a phone) cannot show the visitor's name that
    ``/start`` gave it. It shows the session's id, which nobody can guess and nobody else was
    told; that suffices for a visitor, and never for a user who has a token.
    """
    known = await doors.known(request)
    if known is not None:
        return known
    identity: Identity = request.app.state.identity
    session = await sessions.get(session_id)
    if not identity.is_visitor(session.user_id):
        raise NotFound("There is no such session.")
    return Asking(session.user_id, session.tenant, guest=True)


async def connect(
    sessions: Sessions, session_id: str, who: Asking, body: w.OfferRequest
) -> w.OfferAnswer:
    """Pass a stock client's offer on; raises as `Sessions.connect`, or if the talk has moved."""
    before = w.Peer.parse(body.pc_id)
    peer = w.Peer.offering(session_id, body.sdp, before)
    goes_on = before is not None and peer.participant == before.participant
    if goes_on:
        _refuse_if_moved(await sessions.get(session_id), peer)
    offer = Offer(
        offer_id=peer.offer_id,
        participant=peer.participant,
        sdp=body.sdp,
        renegotiates=goes_on and not body.restart_pc,
    )
    answer = await sessions.connect(session_id, who.user_id, offer, tenant=who.tenant)
    return w.OfferAnswer(sdp=answer.sdp, pc_id=peer.pc_id)


def _refuse_if_moved(session: Session, peer: w.Peer) -> None:
    """A stock client takes being replaced for a lost network, and would come back for ever."""
    elsewhere = session.participant not in (None, peer.participant)
    if elsewhere and session.user_presence is Presence.PRESENT:
        raise OfferConflict("This conversation has moved to another page.")


def peer_in(session_id: str, body: w.CandidatesRequest) -> w.Peer:
    """The peer that candidates are for.

    Raises:
        NotFound: It is none of this session's.
    """
    peer = w.Peer.parse(body.pc_id)
    if peer is None or peer.session_id != session_id:
        raise NotFound("There is no such peer connection in this session.")
    return peer


async def pass_candidates(
    sessions: Sessions, peer: w.Peer, who: Asking, body: w.CandidatesRequest
) -> w.PatchResult:
    """Pass further candidates on; raises as `Sessions.trickle`."""
    candidates = Candidates(offer_id=peer.offer_id, candidates=body.as_candidates())
    await sessions.trickle(peer.session_id, who.user_id, candidates, tenant=who.tenant)
    return w.PatchResult()
