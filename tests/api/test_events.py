"""The event stream: a ticket each time, every event once and in order, whatever breaks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from greenroom.session import inputs as i
from greenroom.wire import http as w
from tests.conftest import House


async def a_session(server: House, user: str = "ada") -> str:
    return (await server.sessions.start(user, None)).session.id


async def a_ticket(server: House, session_id: str) -> str:
    return await server.sessions.ticket(await server.session(session_id))


async def opened(server: House, origin: str | None = None) -> ClientConnection:
    address = server.address.replace("http", "ws") + "/ws"
    return await connect(address, origin=origin, proxy=None)  # type: ignore[arg-type]


async def subscribed(server: House, session_id: str, after: int = 0) -> ClientConnection:
    socket = await opened(server)
    ticket = await a_ticket(server, session_id)
    await socket.send(json.dumps({"type": "subscribe", "ticket": ticket, "after": after}))
    first = json.loads(await socket.recv())
    assert first == {"type": "subscribed", "session": session_id, "after": after}
    return socket


async def next_events(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(events) < count:
            message = json.loads(await socket.recv())
            if message["type"] == "event":
                events.append(message["event"])
    return events


async def happen(server: House, session_id: str, count: int) -> None:
    for _ in range(count):
        session = await server.session(session_id)
        report = i.AppReport("app.number", {"number": session.report_seq + 1})
        event = i.Reported(session.launch_id, session.report_seq + 1, report)
        await server.sessions.apply(session_id, event)


async def closing_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def test_what_was_and_what_comes(server: House) -> None:
    session_id = await a_session(server)
    socket = await subscribed(server, session_id)
    past = await next_events(socket, 2)
    assert [e["type"] for e in past] == ["voice.session.start", "voice.session.status"]
    await server.sessions.apply(session_id, i.Stop())
    (now,) = await next_events(socket, 1)
    assert (now["seq"], now["data"]["status"]) == (3, "disconnecting")
    assert now["id"] == f"{session_id}.3"
    await socket.close()


async def test_a_page_that_reconnects_sees_each_event_once(server: House) -> None:
    """FAILURES 14."""
    session_id = await a_session(server)
    await server.sessions.apply(session_id, i.Offer("page-0001"))
    session = await server.session(session_id)
    await server.sessions.apply(session_id, i.Reported(session.launch_id, 1, i.BotJoined()))
    writing = asyncio.create_task(happen(server, session_id, 60))
    seen: list[int] = []
    while len(seen) < 63:
        socket = await subscribed(server, session_id, after=seen[-1] if seen else 0)
        seen += [e["seq"] for e in await next_events(socket, min(7, 63 - len(seen)))]
        await socket.close()
    await writing
    assert seen == list(range(1, 64))


async def test_a_used_ticket_is_refused(server: House) -> None:
    """FAILURES 26."""
    session_id = await a_session(server)
    ticket = await a_ticket(server, session_id)
    message = json.dumps({"type": "subscribe", "ticket": ticket})
    first, second = await opened(server), await opened(server)
    await first.send(message)
    await first.recv()
    await second.send(message)
    assert json.loads(await second.recv())["code"] == "forbidden"
    assert await closing_code(second) == w.WS_BAD_TICKET
    await first.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"binary",
        '{"type":"subscribe"}',
        '{"type":"other","ticket":"x"}',
        '{"type":"subscribe","ticket":"x","after":1' + "0" * 30 + "}",
    ],
)
async def test_nonsense_is_refused(server: House, text: str | bytes) -> None:
    socket = await opened(server)
    await socket.send(text)
    assert await closing_code(socket) == 1002


async def test_a_strange_origin_is_refused_and_a_named_one_is_not(server: House) -> None:
    """FAILURES 26."""
    assert await closing_code(await opened(server, "https://evil.example")) == w.WS_BAD_ORIGIN
    session_id = await a_session(server)
    for origin in (server.address, "https://app.example"):
        socket = await opened(server, origin)
        ticket = await a_ticket(server, session_id)
        await socket.send(json.dumps({"type": "subscribe", "ticket": ticket}))
        assert json.loads(await socket.recv())["type"] == "subscribed"
        await socket.close()


async def test_one_socket_may_follow_the_next_session(server: House) -> None:
    first, second = await a_session(server, "ada"), await a_session(server, "bob")
    socket = await subscribed(server, first)
    await next_events(socket, 2)
    ticket = await a_ticket(server, second)
    await socket.send(json.dumps({"type": "subscribe", "ticket": ticket}))
    events = await next_events(socket, 2)
    assert {e["session"] for e in events} == {second}
    await socket.close()


async def test_only_the_tickets_session_is_seen(server: House) -> None:
    """FAILURES 26."""
    mine, other = await a_session(server, "ada"), await a_session(server, "bob")
    socket = await subscribed(server, mine, after=2)
    await server.sessions.apply(other, i.Stop())
    await server.sessions.apply(mine, i.Stop())
    (event,) = await next_events(socket, 1)
    assert event["session"] == mine
    await socket.close()
