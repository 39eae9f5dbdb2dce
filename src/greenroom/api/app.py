"""The ASGI application: resources put together, nothing decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from greenroom import __version__
from greenroom.api import (
    assistants,
    audit,
    botserver,
    choosing,
    cloud,
    cost,
    daily,
    deliveries,
    events,
    health,
    keys,
    link,
    operators,
    pipecat,
    records,
    rollout,
    rooms,
    telling,
    tools,
    vapi,
    voice,
    webhook,
)
from greenroom.api.cutoff import CutOff
from greenroom.api.description import install_description
from greenroom.api.errors import install_errors
from greenroom.api.identity import Identity
from greenroom.api.limits import BodyLimit
from greenroom.api.page import SecurityHeaders, install_page
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import Launcher
from greenroom.ports.open_rooms import Door
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import Store
from greenroom.service.assistants import Catalogue
from greenroom.service.attendance import Attendance
from greenroom.service.audit import Audit
from greenroom.service.botserver import BotServer
from greenroom.service.call_servers import CallServers
from greenroom.service.emergency import Emergency
from greenroom.service.entrance import Entrance
from greenroom.service.feeds import Feeds
from greenroom.service.group_calls import GroupCalls
from greenroom.service.keys import Keys
from greenroom.service.links import Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.notes import Notes
from greenroom.service.own_rooms import OwnRooms
from greenroom.service.page_tools import PageTools
from greenroom.service.people import People
from greenroom.service.purse import Purse
from greenroom.service.rates import Rates
from greenroom.service.reports import Reports
from greenroom.service.rollout import RollingOut
from greenroom.service.sessions import Sessions
from greenroom.service.telling import Telling
from greenroom.service.versions import Versions

# In this order they are asked whether a request is theirs.
_RESOURCES = (
    *(voice, choosing, telling, tools, rooms, botserver, cost, pipecat, cloud, vapi),
    *(events, link, webhook, daily, health),
    *(operators, keys, audit, deliveries, records, assistants, rollout),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; `greenroom.main` puts it together."""

    store: Store
    hub: Hub
    feeds: Feeds
    clock: Clock
    launcher: Launcher
    rooms: Rooms
    entrance: Entrance
    own_rooms: OwnRooms
    bot_server: BotServer
    group_calls: GroupCalls
    attendance: Attendance
    links: Links
    sessions: Sessions
    telling: Telling
    page_tools: PageTools
    notes: Notes
    catalogue: Catalogue
    versions: Versions
    rolling_out: RollingOut
    reports: Reports
    purse: Purse
    emergency: Emergency
    keyring: Keyring
    metrics: Metrics
    identity: Identity
    keys: Keys
    audit: Audit
    people: People
    rates: Rates
    call_servers: CallServers
    call_door: Door
    state_dir: Path | None
    hosts: Sequence[str]
    origins: Sequence[str]
    metrics_open: bool = False
    live_limit: int | None = None
    daily_webhook_secret: str | None = None


def build_app(parts: Parts) -> FastAPI:
    """The application over these parts."""
    app = FastAPI(
        title="Greenroom",
        version=__version__,
        summary="The session layer for voice agents.",
        docs_url=None,
        redoc_url=None,
        # Not by `include_router`: it makes each route a second time, when the first request comes.
        routes=[route for resource in _RESOURCES for route in resource.router.routes],
    )
    for name in Parts.__dataclass_fields__:
        setattr(app.state, name, getattr(parts, name))
    app.state.began_at = parts.clock.now()
    install_errors(app, parts.metrics)
    install_description(app)
    install_page(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, room_kind=parts.rooms.kind)
    if parts.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(parts.origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Traceparent"],
            expose_headers=["Retry-After"],
        )
    # On loopback a foreign host name means that a web page rebinds its own name to us.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(parts.hosts))
    app.add_middleware(CutOff)
    return app
