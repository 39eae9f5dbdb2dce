"""Whatever a browser does to ``WS /ws``: events in order, only its own, a defined end, no rest."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from greenroom.session import inputs as i
from greenroom.wire import http as w
from tests.api.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawSocket, frame
from tests.api.test_events import next_events, subscribed
from tests.conftest import House
from tests.fuzz.conftest import examples
from tests.fuzz.test_webhook import JSON
from tests.fuzz.world import ANSWER_WITHIN_S, NAMED, World, a_world

# RFC 6455's: gone, protocol error, unsupported, not UTF-8, too big, try again; and our own.
DEFINED = {1000, 1001, 1002, 1003, 1007, 1009, 1013, w.WS_BAD_TICKET, w.WS_TOO_SLOW, w.WS_TOO_MANY}
TOLD: TypeAdapter[Any] = TypeAdapter(
    w.Subscribed | w.EventMessage | w.EphemeralMessage | w.Heartbeat | w.Refused
)
QUIET_S = 0.05

SUBSCRIBE = st.tuples(
    st.just("subscribe"),
    st.sampled_from((*NAMED, "used", "forged")),
    st.integers(0, 8) | st.integers() | JSON,
)
SAY = st.tuples(st.just("say"), JSON | st.fixed_dictionaries({"type": st.just("subscribe")}))
FRAME = st.tuples(
    st.just("frame"),
    st.sampled_from([TEXT, BINARY, CONT, CLOSE, PING, PONG, 0x3, 0xB]),
    st.binary(max_size=130),
    st.booleans(),
)
BYTES = st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=24))
HAPPENS = st.tuples(st.just("happens"), st.sampled_from(("ada's", "bob's")))
LISTEN = st.tuples(st.just("listen"))
ACTS = st.lists(SUBSCRIBE | SAY | FRAME | BYTES | HAPPENS | LISTEN, min_size=1, max_size=7)
# A handshake, well begun or not.
HEAD = st.lists(
    st.sampled_from(
        [
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            *("Sec-WebSocket-Version: 7", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Host: x"),
            *(
                "Sec-WebSocket-Key: x",
                "Sec-WebSocket-Protocol: a, b",
                "Origin: https://evil.example",
            ),
            *(
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
                "Origin: ",
            ),
            *("Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue", "X: \xff"),
        ]
    ),
    max_size=8,
)


@dataclass
class Page:
    """One connection, what it subscribed to, and what it was told."""

    raw: RawSocket
    follows: str = ""
    seen: int = 0
    used: list[str] = field(default_factory=list)

    def told(self, payload: bytes) -> None:
        """Take a message; it must be one that is due."""
        match TOLD.validate_json(payload):
            case w.Subscribed(session=session, after=after):
                self.follows, self.seen = session, after
            case w.EventMessage(event=event):
                assert (event.session, event.seq) == (self.follows, self.seen + 1)
                self.seen = event.seq

    async def listen(self) -> bool:
        """Hear what comes now; whether the connection still stands."""
        try:
            while True:
                opcode, payload = await self.raw.read(QUIET_S)
                if opcode == TEXT:
                    self.told(payload)
                elif opcode == CLOSE:
                    assert int.from_bytes(payload[:2], "big") in DEFINED
                    return False
        except TimeoutError:
            return True
        except (EOFError, OSError):
            return False


@pytest.fixture
async def world(server: House) -> AsyncIterator[World]:
    async with a_world(server) as world:
        await world.settle()
        yield world


@examples(30)
@given(acts=ACTS, waits=st.booleans())
async def test_whatever_a_page_does(world: World, acts: list[Any], waits: bool) -> None:
    page = Page(await RawSocket.open(world.house))
    try:
        for act in acts:
            await _do(world, page, act)
        if waits:
            await page.listen()
    except OSError:  # closed by the server, in the midst of it
        await page.listen()
    page.raw.close()
    await _nobody_is_left(world.house)
    followed = await world.house.session(world.sessions["ada's"])
    one_more = await subscribed(world.house, followed.id, after=followed.last_seq - 1)
    (event,) = await next_events(one_more, 1)
    assert event["seq"] == followed.last_seq, "others are served as ever"
    await one_more.close()


@examples(20)
@given(lines=HEAD, rest=st.binary(max_size=16))
async def test_whatever_a_handshake_says(world: World, lines: list[str], rest: bytes) -> None:
    host, _, port = world.house.address.removeprefix("http://").partition(":")
    head = "\r\n".join(["GET /ws HTTP/1.1", f"Host: {host}:{port}", *lines, "", ""])
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(head.encode("latin-1") + rest)
        writer.write_eof()  # nothing more will come: who waits for a body has waited enough
        async with asyncio.timeout(ANSWER_WITHIN_S):
            first = await reader.readline()
        assert first == b"" or first.split(b" ")[1][:1] in (b"1", b"4"), first
    finally:
        writer.close()
    await _nobody_is_left(world.house)


async def _do(world: World, page: Page, act: Any) -> None:
    match act:
        case ("subscribe", who, after):
            ticket = await _ticket(world, page, who)
            await page.raw.say({"type": "subscribe", "ticket": ticket, "after": after})
        case ("say", what):
            await page.raw.say(what)
        case ("frame", opcode, payload, fin):
            await page.raw.write(frame(opcode, payload, fin=fin))
        case ("bytes", some):
            await page.raw.write(some)
        case ("happens", whose):
            session = await world.house.session(world.sessions[whose])
            report = i.Reported(session.launch_id, session.report_seq + 1, i.AppReport("app.x", {}))
            await world.house.sessions.apply(session.id, report)
        case ("listen",):
            await page.listen()


async def _ticket(world: World, page: Page, who: str) -> str:
    if who == "used" and page.used:
        return page.used[-1]
    if who in NAMED:
        session = await world.house.session(world.sessions[who])
        page.used.append(await world.house.sessions.ticket(session))
        return page.used[-1]
    return os.urandom(18).hex()


async def _nobody_is_left(house: House) -> None:
    """Only the bots' links are, of all connections."""
    bots = len(house.parts.links)
    await house.until_true(lambda: house.parts.metrics.sockets._value.get() == 0)
    await house.until_true(lambda: len(house.connections) <= bots)
    assert len(house.parts.feeds) == 0
    assert house.parts.metrics.uncaught.labels(place="events")._value.get() == 0
