"""The event stream: a ticket each time, every event once and in order, whatever breaks."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from greenroom.session import inputs as i
from greenroom.wire import http as w
from greenroom.wire.link import MOST_EPHEMERAL_PER_S, Ephemeral, ReportKind
from tests.api.fakebot import FakeBot
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
    assert first == {"type": "subscribed", "session": session_id, "after": after, "own": True}
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
    for strange in ("https://evil.example", "null", "http://[", server.address + ".evil.example"):
        assert await closing_code(await opened(server, strange)) == w.WS_BAD_ORIGIN
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


# ---- of this moment


async def a_bot(server: House) -> tuple[str, FakeBot]:
    session_id = await a_session(server)
    await server.until_true(lambda: bool(server.launcher.orders))
    (order,) = server.launcher.orders.values()
    return session_id, await FakeBot.join(server, order)


async def next_message(socket: ClientConnection, type_: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == type_:
                return message


def passed_on(server: House, outcome: str) -> float:
    return float(server.parts.metrics.ephemeral.labels(outcome=outcome)._value.get())


async def test_an_ephemeral_event_of_a_bot_reaches_who_is_there_and_nobody_else(
    server: House,
) -> None:
    session_id, bot = await a_bot(server)
    page = await subscribed(server, session_id)
    other = await subscribed(server, await a_session(server, "bob"))
    await next_events(page, 2)
    before = await server.session(session_id)
    await bot.send(Ephemeral(event="voice.audio.level", data={"role": "user", "level": 0.5}))
    event = (await next_message(page, "ephemeral"))["event"]
    assert event["time"].endswith("Z")
    assert event == {
        "v": 1, "session": session_id, "time": event["time"], "type": "voice.audio.level",
        "data": {"role": "user", "level": 0.5}, "ephemeral": True,
    }  # fmt: skip
    assert await server.session(session_id) == before, "nothing is stored"
    late = await subscribed(server, session_id)
    await bot.report(ReportKind.APP, type="app.x", data={})
    assert [e["seq"] for e in await next_events(late, 3)] == [1, 2, 3]
    assert json.loads(await other.recv())["type"] == "event"
    for socket in (page, other, late):
        await socket.close()
    await bot.close()


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("voice.session.end", {"reason": "user"}),
        ("voice.audio.level", {"role": "user", "level": 2}),
        ("voice.audio.level", {"role": "nobody", "level": 0.5}),
        ("app.large", {"text": "x" * 5_000}),
        ("", {}),
    ],
)
async def test_what_a_bot_may_not_tell_is_dropped_and_the_link_stays(
    server: House, event: str, data: dict[str, Any]
) -> None:
    session_id, bot = await a_bot(server)
    page = await subscribed(server, session_id, after=2)
    await bot.send(Ephemeral(event=event, data=data))
    await bot.send(Ephemeral(event="app.good", data={}))
    assert (await next_message(page, "ephemeral"))["event"]["type"] == "app.good"
    assert (passed_on(server, "malformed"), passed_on(server, "passed")) == (1, 1)
    await page.close()
    await bot.close()


async def test_a_flood_of_ephemeral_events_is_thinned_and_reports_pass(server: House) -> None:
    session_id, bot = await a_bot(server)
    page = await subscribed(server, session_id, after=2)
    for number in range(MOST_EPHEMERAL_PER_S + 50):
        await bot.send(Ephemeral(event="app.pointer", data={"x": number}))
    await bot.report(ReportKind.APP, type="app.x", data={})
    assert (await next_events(page, 1))[0]["type"] == "app.x"
    assert passed_on(server, "too_many") > 0
    assert passed_on(server, "passed") >= MOST_EPHEMERAL_PER_S
    await page.close()
    await bot.close()


async def test_stop_everything_tells_every_page_before_the_record_can(
    server: House, sqlite_file: Path
) -> None:
    pages = [
        await subscribed(server, await a_session(server, user), after=2) for user in ("ada", "bob")
    ]
    other = sqlite3.connect(sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # nothing can be written
    stopping = asyncio.create_task(server.emergency.stop("fire"))
    for page in pages:
        event = (await next_message(page, "ephemeral"))["event"]
        assert event["type"] == "voice.emergency"
        assert event["data"]["message"].endswith("the people in charge: fire")
        assert "session" not in event
    assert not stopping.done()
    other.execute("ROLLBACK")
    other.close()
    for page in pages:
        assert (await next_events(page, 1))[0]["data"]["status"] == "disconnecting"
        await page.close()
    for launch_id in list(server.launcher.orders):
        await server.launcher.exit(launch_id)
    assert (await stopping).ended == 2
