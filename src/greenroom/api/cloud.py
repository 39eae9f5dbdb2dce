"""Pipecat Cloud's own wire, served here: whoever leaves it changes one host name.

A *public* key is an API key that may start sessions; a *private* one may see and end them. Agents
are this server's assistants. The doors of ``pipecat cloud`` (``/v1/organizations/…``) are the
same again; an organization is a tenant. What differs, and why, stands in ARCHITECTURE.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request

from greenroom.api import doors, pipecat
from greenroom.api.description import BY_A_DOOR, Refusals, refusals
from greenroom.api.identity import Asking
from greenroom.api.trace import Trace
from greenroom.api.voice import (
    OF_A_START,
    OF_AN_OFFER,
    OF_CANDIDATES,
    EntranceDep,
    RoomsDep,
    SessionsDep,
)
from greenroom.errors import Conflict, NoPublicKey, NotFound
from greenroom.ports.audit import Act, Actor, ActorKind
from greenroom.ports.keys import ApiKey
from greenroom.ports.store import Listing, Store
from greenroom.service.audit import Audit
from greenroom.service.sessions import Assistant, Sessions
from greenroom.session.model import DEFAULT_TENANT, EndReason, Session
from greenroom.wire import cloud as w
from greenroom.wire.keys import Scope
from greenroom.wire.pipecat import (
    CandidatesRequest,
    OfferAnswer,
    OfferRequest,
    PatchResult,
    StartRequest,
    StartResult,
)
from greenroom.wire.translate import rfc3339

router = APIRouter(prefix="/v1", tags=["pipecat cloud"])

_IN_SESSION = "/public/{agent}/sessions/{session_id}"
_refusals = partial(refusals, field=w.CODE_FIELD, status_of=w.status_of)
OF_A_SERVER: Refusals = (*BY_A_DOOR, NotFound)
OF_AN_END: Refusals = (*OF_A_SERVER, Conflict)
_SERVICES = "/organizations/{organization}/services"
Unnamed = Annotated[Asking, Depends(doors.unnamed)]


# ---- public: starting sessions, and reaching their agents


@router.post(
    "/public/{agent}/start",
    response_model_exclude_none=True,
    responses=_refusals(NoPublicKey, *OF_A_START),
)
async def start(
    agent: str,
    who: Unnamed,
    trace_id: Trace,
    request: Request,
    sessions: SessionsDep,
    rooms: RoomsDep,
    entrance: EntranceDep,
    body: Annotated[StartRequest | None, Body()] = None,
) -> StartResult:
    """Start a session with an agent. Whom a key does not name is somebody new each time."""
    asked = body or StartRequest()
    async with doors.passing(request, who, doors.START):
        started = await pipecat.begin_asked(sessions, who, asked, agent, trace_id, rooms.kind)
        doors.note_session(request, started.session.id)
        return await pipecat.start_result(asked, started, sessions, rooms, entrance)


@router.post(f"{_IN_SESSION}/api/offer", responses=_refusals(NoPublicKey, *OF_AN_OFFER))
async def offer(
    agent: str,
    session_id: str,
    body: OfferRequest,
    request: Request,
    sessions: SessionsDep,
    entrance: EntranceDep,
) -> OfferAnswer:
    """Connect to the agent of a session; again after a lost network."""
    entrance.refuse_offers()
    who = await _who_in(agent, session_id, request, sessions)
    async with doors.passing(request, who, doors.CONNECT):
        return await pipecat.connect(sessions, session_id, who, body)


@router.patch(f"{_IN_SESSION}/api/offer", responses=_refusals(NoPublicKey, *OF_CANDIDATES))
async def trickle(
    agent: str, session_id: str, body: CandidatesRequest, request: Request, sessions: SessionsDep
) -> PatchResult:
    """Further ICE candidates."""
    who = await _who_in(agent, session_id, request, sessions)
    async with doors.passing(request, who, doors.TRICKLE):
        return await pipecat.pass_candidates(sessions, pipecat.peer_in(session_id, body), who, body)


@router.api_route(
    f"{_IN_SESSION}/{{path:path}}",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
async def elsewhere(
    agent: str, session_id: str, path: str, request: Request, sessions: SessionsDep
) -> None:
    """What an agent itself would answer on Pipecat Cloud; here agents have no such paths."""
    await _who_in(agent, session_id, request, sessions)
    raise NotFound(f"The agent answers nothing at “/{path[:64]}”; here it takes offers only.")


async def _who_in(agent: str, session_id: str, request: Request, sessions: Sessions) -> Asking:
    """Whoever asks, as the user of the session: its key may name any user of that tenant.

    Raises:
        NotFound: There is no such session that they may know of.
    """
    who = await doors.unnamed(request)
    session = await sessions.get(session_id)
    if who.key is None or doors.USER_HEADER in request.headers:
        theirs = session.is_of(who.user_id, who.tenant)
    else:
        theirs = who.key.tenant in (None, session.tenant)
    if not theirs or session.assistant != agent:
        raise NotFound("There is no such session.")
    return Asking(session.user_id, session.tenant, key=who.key)


# ---- private: what is served, who talks, and ending it


@dataclass(frozen=True, slots=True)
class _Server:
    """A server that looks after the house, or after one tenant. ``tenant`` None: after all."""

    key: ApiKey
    tenant: str | None


async def _may_read(request: Request) -> _Server:
    return _server(await doors.server_of(request, Scope.READ, Scope.OPERATE), request)


async def _may_end(request: Request) -> _Server:
    return _server(await doors.server_of(request, Scope.END, Scope.OPERATE), request)


def _server(key: ApiKey, request: Request) -> _Server:
    organization: str | None = request.path_params.get("organization")
    return _Server(key, doors.tenant_for(key, organization) if organization else key.tenant)


Reads = Annotated[_Server, Depends(_may_read)]
Ends = Annotated[_Server, Depends(_may_end)]


@router.get("/organizations", responses=_refusals(*OF_A_SERVER))
async def organizations(server: Reads) -> w.Organizations:
    """The tenant of the key, or the default one."""
    name = server.tenant or DEFAULT_TENANT
    return w.Organizations(organizations=[w.Organization(name=name, verbose_name=name)])


@router.get("/agents", responses=_refusals(*OF_A_SERVER))
@router.get(_SERVICES, responses=_refusals(*OF_A_SERVER))
async def agents(
    server: Reads, request: Request, sessions: SessionsDep, region: str = w.REGION
) -> w.ServiceLines:
    """Every agent that this server serves."""
    served = await sessions.assistants() if region == w.REGION else []
    return w.ServiceLines(services=[_service_line(one, server, request) for one in served])


@router.get("/agents/{agent}", responses=_refusals(*OF_A_SERVER))
async def agent_details(
    agent: str, server: Reads, request: Request, sessions: SessionsDep
) -> w.ServiceDetails:
    """An agent, and how many talk with it."""
    return await _details(await sessions.assistant(agent), server, request)


@router.get(f"{_SERVICES}/{{agent}}", responses=_refusals(*OF_A_SERVER))
async def service_details(
    agent: str, server: Reads, request: Request, sessions: SessionsDep
) -> w.WrappedService:
    """The same as ``pipecat cloud`` takes it."""
    return w.WrappedService(body=await _details(await sessions.assistant(agent), server, request))


class _Wanted:
    """Query: which sessions are wanted."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=0, le=w.MOST_LISTED)] = w.DEFAULT_LISTED,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        status: w.Shown = w.Shown.ALL,
        start_time: Annotated[int | None, Query(alias="startTime", ge=0)] = None,
        end_time: Annotated[int | None, Query(alias="endTime", ge=0)] = None,
        end_state: Annotated[str | None, Query(alias="endState", max_length=64)] = None,
        deployment_id: Annotated[str | None, Query(alias="deploymentId", max_length=64)] = None,
        start_type: Annotated[w.StartType, Query(alias="startType")] = w.StartType.ALL,
        start_time_min: Annotated[int, Query(alias="startTimeMin", ge=0)] = 0,
        start_time_max: Annotated[int, Query(alias="startTimeMax", ge=0)] = 0,
    ) -> None:
        self.limit, self.offset = limit, offset
        self.since, self.until = start_time, end_time
        self.status = status
        self.end_state = end_state
        self.deployment_id = deployment_id
        # Of no session here is it known, so whoever asks for one or the other wants none.
        self.by_start = start_type is not w.StartType.ALL or start_time_min > 0 or start_time_max

    def of(self, agent: str, tenant: str | None) -> Listing | None:
        """The same as the store takes it; None: there can be none."""
        ended = {w.Shown.ALL: None, w.Shown.ACTIVE: False, w.Shown.ENDED: True}[self.status]
        reasons = None
        if self.end_state == w.EndState.ACTIVE:
            if ended is True:
                return None
            ended = False
        elif self.end_state is not None:
            reasons = [why for why, state in w.END_STATES.items() if state == self.end_state]
            if ended is False or not reasons:
                return None
            ended = True
        if self.by_start or self.deployment_id not in (None, w.deployment_id(agent)):
            return None
        between = (self.since, self.until)
        return Listing(agent, tenant, ended, reasons, *between, self.limit, self.offset)


@router.get("/agents/{agent}/sessions", responses=_refusals(*OF_A_SERVER))
@router.get(f"{_SERVICES}/{{agent}}/sessions", responses=_refusals(*OF_A_SERVER))
async def agent_sessions(
    agent: str,
    server: Reads,
    request: Request,
    sessions: SessionsDep,
    wanted: Annotated[_Wanted, Depends()],
) -> w.SessionLines:
    """Sessions with an agent, the newest first; those that never got a place are not among them."""
    await sessions.assistant(agent)
    listing = wanted.of(agent, server.tenant)
    if listing is None:
        return w.SessionLines(sessions=[], total_count=0)
    count, found = await _store(request).listed(listing)
    now = request.app.state.clock.now()
    return w.SessionLines(sessions=[w.session_line(one, now) for one in found], total_count=count)


@router.get("/agents/{agent}/sessions/{session_id}", responses=_refusals(*OF_A_SERVER))
@router.get(f"{_SERVICES}/{{agent}}/sessions/{{session_id}}", responses=_refusals(*OF_A_SERVER))
async def session_details(
    agent: str, session_id: str, server: Reads, request: Request, sessions: SessionsDep
) -> w.SessionDetails:
    """A session with an agent."""
    session = await _seen(agent, session_id, server, sessions)
    return w.session_details(session, request.app.state.clock.now())


@router.delete("/agents/{agent}/sessions/{session_id}", responses=_refusals(*OF_AN_END))
@router.delete(f"{_SERVICES}/{{agent}}/sessions/{{session_id}}", responses=_refusals(*OF_AN_END))
async def stop(
    agent: str, session_id: str, server: Ends, request: Request, sessions: SessionsDep
) -> w.Stopped:
    """End a session. Said again, it hurries; of one that has ended nothing more is asked."""
    session = await _seen(agent, session_id, server, sessions)
    audit: Audit = request.app.state.audit
    actor = Actor(ActorKind.KEY, server.key.name, doors.address_of(request))
    facts = {"key": server.key.id, "user": session.user_id, "tenant": session.tenant}
    async with audit.of(actor, Act.END_SESSION, session_id, **facts):
        await sessions.stop(session_id, None, EndReason.KICKED)
    return w.Stopped(session_id=session_id)


async def _seen(agent: str, session_id: str, server: _Server, sessions: Sessions) -> Session:
    session = await sessions.get(session_id)
    if session.assistant != agent or server.tenant not in (None, session.tenant):
        raise NotFound("There is no such session.")
    return session


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _common(assistant: Assistant, request: Request) -> dict[str, Any]:
    """What is told of an agent in a list and alone. It is as old as this server."""
    deployment, since = w.deployment_id(assistant.name), rfc3339(request.app.state.began_at)
    return {
        "name": assistant.name,
        "desired_deployment_id": deployment,
        "active_deployment_id": deployment,
        "reconciled_deployment_id": deployment,
        "created_at": since,
        "updated_at": since,
    }


def _service_line(assistant: Assistant, server: _Server, request: Request) -> w.ServiceLine:
    return w.ServiceLine(
        id=w.service_id(assistant.name),
        organization_id=server.tenant or DEFAULT_TENANT,
        **_common(assistant, request),
    )


async def _details(assistant: Assistant, server: _Server, request: Request) -> w.ServiceDetails:
    sessions: Sessions = request.app.state.sessions
    live = Listing(assistant.name, server.tenant, ended=False, limit=0)
    active, _ = await _store(request).listed(live)
    common = _common(assistant, request)
    scaling = w.AutoScaling(max_replicas=request.app.state.live_limit)
    spec = {
        "autoScaling": scaling.model_dump(by_alias=True),
        "maxSessionDurationSeconds": round(assistant.limits.max_duration_s),
    }
    return w.ServiceDetails(
        **common,
        ready=sessions.takes_new,
        available=sessions.takes_new,
        active_deployment_ready=sessions.takes_new,
        auto_scaling=scaling,
        active_session_count=active,
        deployment={
            "id": common["active_deployment_id"],
            "serviceId": w.service_id(assistant.name),
            "createdAt": common["created_at"],
            "updatedAt": common["updated_at"],
            "manifest": {
                "kind": "PCService",
                "metadata": {
                    "name": assistant.name,
                    "namespace": server.tenant or DEFAULT_TENANT,
                },
                "spec": spec,
            },
        },
    )
