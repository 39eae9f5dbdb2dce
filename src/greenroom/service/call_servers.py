"""Customers' servers of VAPI calls: which call has which, and what is written to them.

Their messages are deliveries like any other: kept in the transaction that stores the event, in the
order of the call, tried again, given up in sight. A tool call is the exception: its bot waits for
it, so it is tried once, and what is answered goes back over the bot's link.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from greenroom.errors import BadRequest, NotFound, Unavailable
from greenroom.ports.deliveries import Answer, Delivery
from greenroom.ports.store import Store, StoredEvent
from greenroom.service.events import events_of
from greenroom.service.letters import USER_AGENT, Letter
from greenroom.service.links import Links
from greenroom.service.policies import POLICIES, Outside, outside
from greenroom.session.model import Session
from greenroom.wire.link import MAX_LINK_MESSAGE_BYTES, Command, CommandKind
from greenroom.wire.vapi import messages as m
from greenroom.wire.vapi.calls import call_of
from greenroom.wire.vapi.reports import Lane, is_told, server_message
from greenroom.wire.webhooks import message_id

log = structlog.get_logger("greenroom.call_servers")


@dataclass(frozen=True, slots=True)
class CallServer:
    """Where one customer takes messages.

    Attributes:
        name: Whose connections are used for it.
        url: The address.
        headers: What proves that it is us.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CallRoute:
    """Implements `greenroom.ports.deliveries.Route` for one lane of VAPI's messages.

    Attributes:
        lane: Which messages.
        of_pages: To servers that pages name, else to the house's own: whatever address a page
            gives, and however slowly it answers, the house's own server is not kept waiting.
    """

    lane: Lane
    of_pages: bool = False

    @property
    def name(self) -> str:
        """See `Route.name`."""
        return f"{self.lane.value}-of-pages" if self.of_pages else self.lane.value

    def wants(self, event_type: str, body: Mapping[str, Any]) -> bool:
        """See `Route.wants`: only of VAPI calls, and only what their servers asked for."""
        call = body.get(m.BODY_KEY)
        if not isinstance(call, dict) or ("server" in call) is not self.of_pages:
            return False
        return is_told(self.lane, event_type, call)


class CallServers:
    """Knows the server of each call.

    Args:
        own: That of every call whose page names none: the address, and the headers; None: there
            is none.
        allowed: Hosts that may be called without TLS.
    """

    def __init__(
        self, own: tuple[str, Mapping[str, str]] | None = None, allowed: Collection[str] = ()
    ) -> None:
        self._own = own
        self._allowed = frozenset(host.lower() for host in allowed)

    @property
    def routes(self) -> list[CallRoute]:
        """What the store delivers to them."""
        of_pages = [CallRoute(lane, of_pages=True) for lane in Lane]
        return of_pages + ([CallRoute(lane) for lane in Lane] if self._own else [])

    def check(self, call: Mapping[str, Any]) -> None:
        """Refuse the address that a page names if it would be read on the way.

        Whether it is a public one is seen when it is looked up, at each delivery.

        Raises:
            BadRequest: It is not ``https://``, and its host is not allowed by name.
        """
        url = call.get("server", {}).get("url")
        if url is None:
            return
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.hostname or "") not in self._allowed:
            raise BadRequest("“server.url” must be https://", field="server.url")

    def of(self, session: Session, route: CallRoute) -> CallServer | None:
        """The server of a call, of those that this route leads to; None: it has none (any more)."""
        if not route.of_pages:
            return CallServer(route.name, *self._own) if self._own else None
        server = (call_of(session) or {}).get("server")
        return CallServer(route.name, server["url"], server["headers"]) if server else None


class CallMessages:
    """Implements `greenroom.service.letters.Writer` for one route of VAPI's server messages."""

    def __init__(self, route: CallRoute, servers: CallServers, store: Store, links: Links) -> None:
        self._route = route
        self._servers = servers
        self._store = store
        self._links = links

    @property
    def name(self) -> str:
        """See `Writer.name`."""
        return self._route.name

    async def write(self, delivery: Delivery) -> Letter | None:
        """See `Writer.write`."""
        event = delivery.event
        session = await self._store.get(event.session_id)
        lane = self._route.lane
        server = self._servers.of(session, self._route)
        if server is None:
            return None
        before = await everything_told(self._store, event.session_id, event.seq - 1)
        told = server_message(lane, session, event, before)
        if told is None:
            return None
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": f"{message_id(event.session_id, event.seq)}_{lane.value}",
            **server.headers,
        }
        body = json.dumps(told, separators=(",", ":"))
        return Letter(server, headers, body, once=event.type == m.TOOL_CALLS)

    async def over(self, delivery: Delivery, answer: Answer | None) -> None:
        """See `Writer.over`: a bot that waits for its tools is told what became of them."""
        event = delivery.event
        if event.type != m.TOOL_CALLS:
            return
        try:
            session = await self._store.get(event.session_id)
        except (NotFound, Unavailable):
            return
        link = self._links.get(session.launch_id)
        if link is None:
            return  # whoever asked is gone, or asks in vain for as long as it waits
        results = _results(m.calls_in(event.data), answer)
        command_id = f"{session.id}.tools.{event.seq}"
        kind = CommandKind.TOOL_RESULTS
        command = Command(command_id=command_id, kind=kind, data={"results": results})
        timeout_s = POLICIES[Outside.TELL_BOT].timeout_s
        try:
            await outside(Outside.TELL_BOT, lambda: link.tell(command, timeout_s))
        except Unavailable as error:
            log.warning("tools.not_told", session=session.id, error=error.message)


async def everything_told(
    store: Store, session_id: str, up_to: int | None = None
) -> list[StoredEvent]:
    """A session's events; see `events_of`."""
    return [event async for event in events_of(store, session_id, up_to)]


def _results(calls: list[dict[str, Any]], answer: Answer | None) -> list[dict[str, Any]]:
    """What each call came to: ``{toolCallId, result}``, or ``error`` where nothing good came."""
    told = _answered(answer)
    return [
        told.get(call["id"]) or {"toolCallId": call["id"], "error": "The tool did not answer."}
        for call in calls
    ]


def _answered(answer: Answer | None) -> dict[str, dict[str, Any]]:
    if answer is None or len(answer.body) > MAX_LINK_MESSAGE_BYTES // 4:
        return {}
    try:
        results = json.loads(answer.body)["results"]
        return {
            str(one["toolCallId"]): {
                name: one[name] for name in ("toolCallId", "name", "result", "error") if name in one
            }
            for one in results
        }
    except (ValueError, TypeError, KeyError):
        return {}
