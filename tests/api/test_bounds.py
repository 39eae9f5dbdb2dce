"""What one browser may do to the server and to the others: nothing, and within a bound."""

from __future__ import annotations

import asyncio
import json

import pytest

from greenroom.api import events as door
from greenroom.api import server as serving
from greenroom.session import inputs as i
from greenroom.wire import http as w
from tests.api.raw import BINARY, CLOSE, CONT, PING, TEXT, RawSocket, event_in, frame
from tests.api.test_events import a_session, a_ticket, closing_code, happen, next_events, subscribed
from tests.conftest import House

LARGE = "x" * 100_000
# More than the kernel keeps for one connection.
MANY = 80


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for. Whoever reads is far from them, also on a busy machine."""
    monkeypatch.setattr(w, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(door, "SEND_WITHIN_S", 0.5)
    monkeypatch.setattr(serving, "CLOSED_WITHIN_S", 0.3)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that asks often whether anybody is there; requested before `server`."""
    monkeypatch.setattr(serving, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(serving, "PONG_WITHIN_S", 0.5)
    monkeypatch.setattr(serving, "CLOSED_WITHIN_S", 0.3)


async def tell_much(server: House, session_id: str) -> None:
    for _ in range(MANY):
        session = await server.session(session_id)
        report = i.AppReport("app.large", {"text": LARGE})
        event = i.Reported(session.launch_id, session.report_seq + 1, report)
        await server.sessions.apply(session_id, event)


def followers(server: House) -> float:
    """How many event sockets the server has open."""
    return float(server.parts.metrics.sockets._value.get())


def closed_with(server: House, code: int) -> float:
    return float(server.parts.metrics.sockets_closed.labels(code=str(code))._value.get())


async def all_gone(server: House, but: int = 0) -> None:
    """Wait until the server has got rid of its connections, and of all that it kept for them."""
    await server.until_true(lambda: followers(server) == but)
    await server.until_true(lambda: len(server.connections) <= but)
    assert len(server.parts.feeds) <= but


async def test_a_reader_that_never_reads_is_closed_and_delays_nobody(
    impatient: None, server: House
) -> None:
    session_id = await a_session(server)
    deaf = await RawSocket.subscribed(server, session_id)
    good = await subscribed(server, session_id)
    (theirs,) = (c for c in server.connections if c.client == deaf.address)
    await tell_much(server, session_id)
    assert [e["seq"] for e in await next_events(good, 2 + MANY)] == list(range(1, 3 + MANY))
    assert theirs.transport.get_write_buffer_size() < 3 * len(LARGE), "nothing piles up for it"
    await server.until_true(lambda: closed_with(server, w.WS_TOO_SLOW) == 1)
    await server.until_true(lambda: len(server.connections) == 1)
    await server.sessions.apply(session_id, i.Stop())
    assert (await next_events(good, 1))[0]["type"] == "voice.session.status"
    await good.close()
    deaf.close()
    await all_gone(server)


async def test_a_page_that_said_goodbye_and_reads_nothing_does_not_break_the_servers_end(
    server: House,
) -> None:
    session_id = await a_session(server)
    deaf = await RawSocket.subscribed(server, session_id)
    (theirs,) = (c for c in server.connections if c.client == deaf.address)
    await tell_much(server, session_id)
    await deaf.frame(CLOSE, b"\x03\xe8")
    await server.until_true(theirs.transport.is_closing)
    assert theirs in server.connections, "what was written before it has not taken yet"
    theirs.shutdown()  # as uvicorn does when it ends, one after the other
    deaf.close()
    await all_gone(server)


async def test_a_slow_reader_that_wakes_up_is_told_why(
    impatient: None, server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "CLOSED_WITHIN_S", 10.0)
    session_id = await a_session(server)
    slow = await RawSocket.subscribed(server, session_id)
    await tell_much(server, session_id)
    await server.until_true(lambda: closed_with(server, w.WS_TOO_SLOW) == 1)
    assert await slow.closing_code() == w.WS_TOO_SLOW
    slow.close()
    await all_gone(server)


async def test_what_a_slow_reader_missed_it_gets_when_it_comes_back(
    impatient: None, server: House
) -> None:
    session_id = await a_session(server)
    slow = await RawSocket.subscribed(server, session_id)
    await tell_much(server, session_id)
    await server.until_true(lambda: closed_with(server, w.WS_TOO_SLOW) == 1)
    seen: list[int] = []
    try:
        while True:
            opcode, payload = await slow.read()
            if opcode == TEXT and (event := event_in(payload)):
                seen.append(event["seq"])
    except (EOFError, OSError):
        slow.close()
    assert seen == list(range(1, len(seen) + 1))
    again = await subscribed(server, session_id, after=len(seen))
    rest = await next_events(again, 2 + MANY - len(seen))
    assert [e["seq"] for e in rest] == list(range(len(seen) + 1, 3 + MANY))
    await again.close()


async def test_a_peer_that_is_not_there_is_found_out_by_pings(pings: None, server: House) -> None:
    deaf = await RawSocket.subscribed(server, await a_session(server))
    await all_gone(server)
    deaf.close()


async def test_a_socket_that_says_nothing_is_closed(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HELLO_WITHIN_S", 0.05)
    silent = await RawSocket.open(server)
    assert await silent.closing_code() == w.WS_TOO_SLOW
    silent.close()
    await all_gone(server)


@pytest.mark.parametrize("line", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_what_turns_out_to_be_no_handshake_is_refused_and_closed(
    server: House, line: str
) -> None:
    host, _, port = server.address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade"
    writer.write(f"GET /ws HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n{line}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await all_gone(server)


async def test_binary_is_not_understood(server: House) -> None:
    raw = await RawSocket.open(server)
    await raw.frame(BINARY, b"\x00\x01")
    assert await raw.closing_code() == 1003
    raw.close()


@pytest.mark.parametrize("size", [w.MAX_SUBSCRIBE_CHARS + 1, serving.MAX_MESSAGE_BYTES + 1])
async def test_a_message_that_is_too_large(server: House, size: int) -> None:
    raw = await RawSocket.subscribed(server, await a_session(server))
    await raw.frame(TEXT, b" " * size)
    assert await raw.closing_code() == 1009
    raw.close()
    await all_gone(server)


async def test_a_message_in_endless_parts(server: House) -> None:
    raw = await RawSocket.open(server)
    await raw.frame(TEXT, b"", fin=False)
    await raw.write(frame(CONT, b"", fin=False) * (serving.MAX_FRAGMENTS + 1))
    assert await raw.closing_code() == 1009
    raw.close()
    await all_gone(server)


async def test_a_flood_of_messages(server: House) -> None:
    """Each has a ticket that is good, so that only their number is wrong."""
    session_id = await a_session(server)
    raw = await RawSocket.subscribed(server, session_id)
    for _ in range(door.MOST_SUBSCRIBES):
        ticket = await a_ticket(server, session_id)
        await raw.say({"type": "subscribe", "ticket": ticket, "after": 0})
    assert await raw.closing_code() == w.WS_TOO_MANY
    raw.close()
    await all_gone(server)


async def test_a_flood_of_pings_without_reading_the_pongs(server: House) -> None:
    session_id = await a_session(server)
    raw = await RawSocket.subscribed(server, session_id)
    (theirs,) = server.connections
    await tell_much(server, session_id)
    await server.until_true(lambda: not theirs.writable.is_set())
    before_bytes = theirs.transport.get_write_buffer_size()
    for _ in range(20):
        await raw.write(frame(PING, b"p" * 125) * 400)  # a megabyte of them
    await raw.say("and then something that ends the socket, behind them")
    await server.until_true(lambda: closed_with(server, 1002) == 1)
    assert theirs.transport.get_write_buffer_size() <= before_bytes + 125
    raw.close()
    await all_gone(server)


async def test_the_oldest_of_too_many_tabs_goes(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.service.feeds.MOST_READERS", 2)
    session_id = await a_session(server)
    first, second, third = [await subscribed(server, session_id) for _ in range(3)]
    assert await closing_code(first) == w.WS_TOO_MANY
    for tab in (second, third):
        assert [e["seq"] for e in await next_events(tab, 2)] == [1, 2]
        await tab.close()
    await all_gone(server)


async def test_every_tab_sees_every_event(server: House) -> None:
    session_id = await a_session(server)
    tabs = [await subscribed(server, session_id) for _ in range(5)]
    await happen(server, session_id, 30)
    for tab in tabs:
        assert [e["seq"] for e in await next_events(tab, 32)] == list(range(1, 33))
        await tab.close()
    await all_gone(server)


async def test_an_idle_reader_hears_a_heartbeat(impatient: None, server: House) -> None:
    socket = await subscribed(server, await a_session(server), after=2)
    async with asyncio.timeout(10):
        assert json.loads(await socket.recv()) == {"type": "heartbeat"}
    await socket.close()
