"""The parts of one server, put together from adapters, whoever brings them: `main` or a test."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openfeature.provider import FeatureProvider

from greenroom.api.app import Parts
from greenroom.api.identity import Identity
from greenroom.ports.capacity import Capacity
from greenroom.ports.clock import Clock
from greenroom.ports.deliveries import Sender
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import Launcher
from greenroom.ports.open_rooms import Door
from greenroom.ports.readiness import Workbench
from greenroom.ports.rooms import Rooms
from greenroom.ports.store import Store
from greenroom.service.admission import Admission, Jitter
from greenroom.service.assistants import Bounds, Catalogue
from greenroom.service.attendance import Attendance
from greenroom.service.audit import Audit
from greenroom.service.botserver import BotServer
from greenroom.service.call_servers import CallMessages, CallServers
from greenroom.service.deadlines import Timekeeper
from greenroom.service.deliveries import Deliverer
from greenroom.service.dispatch import Dispatcher
from greenroom.service.emergency import Emergency
from greenroom.service.entrance import Entrance
from greenroom.service.feeds import Feeds
from greenroom.service.flags import Flags
from greenroom.service.group_calls import GroupCalls
from greenroom.service.http_tools import HttpTools, ToolServers
from greenroom.service.issuer import Issuer
from greenroom.service.keys import Keys
from greenroom.service.letters import SignedEvents, Writer
from greenroom.service.links import Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.notes import Notes, NoteTools
from greenroom.service.own_rooms import OwnRooms
from greenroom.service.page_tools import PageTools
from greenroom.service.people import People
from greenroom.service.purse import Money, Purse
from greenroom.service.queue import WaitingRoom
from greenroom.service.rates import Rates
from greenroom.service.readiness import Readiness
from greenroom.service.reconcile import Reconciler
from greenroom.service.redaction import Redaction
from greenroom.service.reports import Reports
from greenroom.service.retention import Keeping, Retention
from greenroom.service.rollout import RollingOut
from greenroom.service.sessions import Assistant, Sessions
from greenroom.service.telling import Telling
from greenroom.service.tool_calls import Runner
from greenroom.service.tools import Tools
from greenroom.service.versions import Versions
from greenroom.session.policy import Quotas
from greenroom.session.rates import Rate
from greenroom.wire.link import RoomKind
from greenroom.wire.webhooks import Endpoint


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the house needs from outside.

    Without ``capacity`` the machine is not looked at; without a ``workbench`` no assistant's
    services are tried before it speaks; without ``tool_sender`` HTTP tools are not called.
    ``jitter`` spreads out those who are to come back later: a number from 0 to 1 each time.
    """

    store: Store
    hub: Hub
    clock: Clock
    launcher: Launcher
    rooms: Rooms
    sender: Sender
    capacity: Capacity | None = None
    jitter: Jitter = random.random
    workbench: Workbench | None = None
    tool_sender: Sender | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided before the house is built.

    Attributes:
        secret: The installation's secret.
        anonymous: Whether visitors without a token are let in.
        assistants: What may be started, the first one by default.
        bots: Further bots that assistants' records may name.
        makers: Those of the bots whose services are made of their assistants' records.
        flags: The flag system that decides in a roll-out; None: the records do.
        link_url: Where bots dial; None: no server listens, and nothing is launched.
        memory_limit_bytes: Private memory of a bot.
        money: Prices and budgets; nothing has a price, and nothing is limited, unless said.
        hosts: Names under which the server may be asked.
        origins: Other origins whose pages may use it.
        endpoints: Where events are delivered.
        metrics_open: Whether anybody may read the metrics, who reaches the server.
        quotas: How many sessions there may be.
        rates: How often somebody may ask, per minute.
        issuer: Who else signs users, by keys of their own.
        group_ceiling: The most places of a group call, the bot's included.
        daily_webhook_secret: What Daily signs its webhooks with; None: none are taken.
        call_servers: Where VAPI calls are told of.
        call_door: Who gets into the rooms of VAPI calls.
        tool_servers: Which addresses HTTP tools may call, and what signs it; none, unless said.
        redaction: What is taken out of people's words before they are kept.
        keeping: How long is kept what.
        state_dir: Where the server and its bots write; None: readiness does not look there.
    """

    secret: str
    anonymous: bool
    assistants: Sequence[Assistant]
    link_url: str | None
    memory_limit_bytes: int
    money: Money = field(default_factory=Money)
    hosts: Sequence[str] = field(default_factory=list)
    origins: Sequence[str] = field(default_factory=list)
    endpoints: Sequence[Endpoint] = field(default_factory=list)
    metrics_open: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    rates: Mapping[Rate, int | None] = field(default_factory=dict)
    issuer: Issuer | None = None
    group_ceiling: int = 10
    daily_webhook_secret: str | None = None
    call_servers: CallServers = field(default_factory=CallServers)
    call_door: Door = Door.PRIVATE
    bots: Sequence[str] = field(default_factory=list)
    makers: Collection[str] = ()
    flags: FeatureProvider | None = None
    tool_servers: ToolServers = field(default_factory=ToolServers)
    redaction: Redaction = field(default_factory=Redaction)
    keeping: Keeping = field(default_factory=Keeping)
    state_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class House:
    """The parts of one server, and what has to run beside the requests."""

    parts: Parts
    dispatcher: Dispatcher
    timekeeper: Timekeeper
    reconciler: Reconciler
    deliverer: Deliverer
    waiting_room: WaitingRoom
    capacity: Capacity | None
    emergency: Emergency
    readiness: Readiness
    retention: Retention
    tool_sender: Sender | None
    flags: Flags

    @property
    def background(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as the server does, each in a task of its own."""
        follow, look = self.reconciler.follow_exits, self.reconciler.run
        measure = (self.capacity.run,) if self.capacity else ()
        watch = (self.waiting_room.run, self.emergency.run, self.parts.feeds.run)
        # Where the bots tell who comes and goes, nobody need look.
        attend = (self.parts.attendance.run,) if self.parts.rooms.tells else ()
        return (
            self.dispatcher.run,
            self.timekeeper.run,
            follow,
            look,
            self.deliverer.run,
            self.retention.run,
            self.readiness.run,
            *watch,
            *attend,
            *measure,
        )


def assemble(adapters: Adapters, plan: Plan) -> House:
    """Put the house together. Nothing runs yet."""
    store, hub, clock = adapters.store, adapters.hub, adapters.clock
    keyring, links, metrics = Keyring(plan.secret), Links(), Metrics()
    flags = Flags(plan.flags)
    bounds = Bounds(plan.assistants, plan.bots, plan.tool_servers)
    catalogue = Catalogue(bounds, store.assistants)
    purse = Purse(store, clock, metrics, plan.money)
    readiness = Readiness(catalogue, clock, adapters.workbench, set(plan.makers))
    admission = Admission(plan.quotas, adapters.capacity, adapters.jitter)
    sessions = Sessions(
        store,
        hub,
        clock,
        links,
        keyring,
        catalogue,
        metrics,
        admission,
        purse,
        plan.redaction,
        readiness,
        flags,
        records=adapters.rooms.records,
    )
    dispatcher = Dispatcher(
        store,
        hub,
        clock,
        adapters.launcher,
        adapters.rooms,
        links,
        keyring,
        sessions,
        _tools(adapters, plan, sessions),
        metrics,
        link_url=plan.link_url,
        memory_limit_bytes=plan.memory_limit_bytes,
    )
    audit = Audit(store.audit, clock)
    emergency = Emergency(store, hub, clock, adapters.launcher, sessions, metrics, audit)
    feeds = Feeds(store, hub)
    reports = Reports(sessions, clock, metrics)
    entrance = Entrance(adapters.rooms, clock, sessions)
    attendance = Attendance(store, clock, adapters.rooms, reports, metrics)
    own_rooms = OwnRooms(store, clock, adapters.rooms, entrance, sessions, keyring)
    parts = Parts(
        store=store,
        hub=hub,
        feeds=feeds,
        clock=clock,
        launcher=adapters.launcher,
        rooms=adapters.rooms,
        entrance=entrance,
        own_rooms=own_rooms,
        bot_server=BotServer(
            hub, adapters.launcher, adapters.rooms, own_rooms, sessions, attendance
        ),
        group_calls=GroupCalls(adapters.rooms, entrance, sessions, plan.group_ceiling),
        attendance=attendance,
        links=links,
        sessions=sessions,
        telling=Telling(sessions, store.assistants),
        page_tools=PageTools(sessions),
        notes=Notes(store.notes),
        catalogue=catalogue,
        versions=Versions(store.assistants, audit, bounds),
        rolling_out=RollingOut(catalogue, store, store.rollout, clock, metrics, flags),
        reports=reports,
        purse=purse,
        emergency=emergency,
        keyring=keyring,
        metrics=metrics,
        identity=Identity(plan.secret, anonymous=plan.anonymous, issuer=plan.issuer),
        keys=Keys(store.keys, clock, audit),
        audit=audit,
        people=People(store, clock, keyring),
        rates=Rates(plan.rates),
        call_servers=plan.call_servers,
        call_door=plan.call_door,
        state_dir=plan.state_dir,
        hosts=plan.hosts,
        origins=plan.origins,
        metrics_open=plan.metrics_open,
        live_limit=plan.quotas.live,
        daily_webhook_secret=plan.daily_webhook_secret,
    )
    if plan.quotas.live is not None:
        metrics.bot_places.labels(limit="live").set(plan.quotas.live)
    timekeeper = Timekeeper(store, hub, clock, sessions, metrics)
    reconciler = Reconciler(store, clock, adapters.launcher, sessions, metrics)
    deliverer = _deliverer(adapters, plan, links, metrics)
    waiting_room = WaitingRoom(store, hub, clock, sessions, admission, metrics)
    return House(
        parts,
        dispatcher,
        timekeeper,
        reconciler,
        deliverer,
        waiting_room,
        adapters.capacity,
        emergency,
        readiness,
        Retention(store.records, clock, plan.keeping),
        adapters.tool_sender,
        flags,
    )


def _tools(adapters: Adapters, plan: Plan, sessions: Sessions) -> Tools:
    """What carries out the tools that are the server's."""
    clock, runners = adapters.clock, dict[str, Runner]()
    runners["notes"] = NoteTools(adapters.store.notes, clock)
    if adapters.tool_sender is not None:
        runners["http"] = HttpTools(adapters.tool_sender, plan.tool_servers, clock)
    return Tools(sessions, clock, runners)


def _deliverer(adapters: Adapters, plan: Plan, links: Links, metrics: Metrics) -> Deliverer:
    """What delivers events to applications, and of VAPI calls to their servers."""
    store, servers = adapters.store, plan.call_servers
    # VAPI's SDK meets its assistant on Daily only; whoever has no such rooms has no such calls.
    routes = servers.routes if adapters.rooms.kind is RoomKind.DAILY else []
    store.deliveries.route([*plan.endpoints, *routes])
    writers: list[Writer] = [SignedEvents(one, adapters.clock) for one in plan.endpoints]
    writers += [CallMessages(route, servers, store, links) for route in routes]
    return Deliverer(
        store.deliveries, adapters.hub, adapters.clock, adapters.sender, metrics, writers
    )
