"""The browsers of `bench/events.py`: thousands of WebSockets in a process of their own.

They speak just enough of RFC 6455 to follow a stream and to answer pings, so that the machine is
busy with the server and not with its clients. All clocks are ``time.monotonic``, which on Linux and
macOS is one clock for all processes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import multiprocessing
import os
import resource
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import uvloop

OPENING_AT_ONCE = 64
# One source address has some 28,000 ports; several leave room for those of the last run.
SOCKETS_PER_ADDRESS = 2_500
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


def allow_many_files() -> int:
    """As many open files as this process may have; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass
class _Arrivals:
    """When the messages came that are waited for, by a clock that all processes share.

    Attributes:
        mark: What a message that counts has in it.
        closed: How many sockets were closed by the server.
    """

    mark: bytes = b""
    at_s: list[float] = field(default_factory=list)
    expected: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    closed: int = 0

    def expect(self, count: int, mark: str) -> None:
        self.mark = mark.encode()
        self.at_s.clear()
        self.expected = count
        self.complete.clear()

    def note(self, payload: bytes) -> None:
        if self.mark in payload:
            self.at_s.append(time.monotonic())
            if len(self.at_s) >= self.expected:
                self.complete.set()


class _Socket(asyncio.Protocol):
    """One browser: the handshake, its first message, and then whatever comes."""

    def __init__(self, host: str, hello: str, arrivals: _Arrivals) -> None:
        self._host = host
        self._hello = hello
        self._arrivals = arrivals
        self._open = False
        self._buffer = b""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /ws HTTP/1.1",
            f"Host: {self._host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise ConnectionError(head.decode())
            self._open, self._buffer = True, rest
            self._transport.write(_frame(_TEXT, self._hello.encode()))
        for opcode, payload in self._frames():
            if opcode == _TEXT and self.ready.done():
                self._arrivals.note(payload)
            elif opcode == _PING:
                self._transport.write(_frame(_PONG, payload))
            elif opcode == _CLOSE:
                self._transport.close()
            elif not self.ready.done():
                self.ready.set_result(None)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while len(self._buffer) >= 2:
            length, at = self._buffer[1] & 0x7F, 2
            if length == 126:
                length, at = struct.unpack_from("!H", self._buffer, 2)[0], 4
            elif length == 127:
                length, at = struct.unpack_from("!Q", self._buffer, 2)[0], 10
            if len(self._buffer) < at + length:
                return
            opcode, payload = self._buffer[0] & 0xF, self._buffer[at : at + length]
            self._buffer = self._buffer[at + length :]
            yield opcode, payload

    def connection_lost(self, error: Exception | None) -> None:
        self._arrivals.closed += 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"closed at once: {error}"))

    def close(self) -> None:
        self._transport.abort()


def _frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros: nobody between us has to be protected."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length)
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


def _main(pipe: Connection) -> None:
    allow_many_files()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    arrivals = _Arrivals()
    sockets: list[_Socket] = []
    while True:
        what, *args = await asyncio.to_thread(pipe.recv)
        match what:
            case "open":
                port, hellos = args
                sockets += await _open(port, hellos, arrivals, len(sockets))
                pipe.send(len(sockets))
            case "expect":
                arrivals.expect(*args)
                pipe.send(None)
            case "arrived":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(arrivals.complete.wait(), *args)
                pipe.send((list(arrivals.at_s), arrivals.expected, arrivals.closed))
            case "close":
                for socket in sockets:
                    socket.close()
                sockets.clear()
                await asyncio.sleep(0)
                arrivals.closed = 0
                pipe.send(None)
            case "end":
                return


async def _open(
    port: int, hellos: Sequence[str], arrivals: _Arrivals, already: int
) -> list[_Socket]:
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one(number: int, hello: str) -> _Socket:
        source = f"127.0.0.{2 + number // SOCKETS_PER_ADDRESS}"
        async with places:
            _, socket = await loop.create_connection(
                lambda: _Socket(f"127.0.0.1:{port}", hello, arrivals),
                "127.0.0.1",
                port,
                local_addr=(source, 0),
            )
            await asyncio.wait_for(socket.ready, 60)
        return socket

    return list(await asyncio.gather(*(one(already + n, h) for n, h in enumerate(hellos))))


class Clients:
    """The process of clients, as the bench sees it. Every call waits for its answer."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs,), daemon=True)
        self._process.start()

    def open(self, port: int, hellos: Sequence[str]) -> None:
        """Open a socket for each first message, and wait until each was answered."""
        self._ask("open", port, list(hellos))

    def expect(self, count: int, mark: str) -> None:
        """Count anew from here on, and only messages that have this in them."""
        self._ask("expect", count, mark)

    def arrived(self, within_s: float) -> list[float]:
        """When the expected messages came. Raises if not all did, or if a socket was closed."""
        at_s, expected, closed = self._ask("arrived", within_s)
        if closed or len(at_s) < expected:
            raise AssertionError(f"{len(at_s)} of {expected} came, {closed} sockets were closed")
        return list(at_s)

    def close(self) -> None:
        """Close all sockets."""
        self._ask("close")

    def end(self) -> None:
        """End the process."""
        self._pipe.send(("end",))
        self._process.join(10)

    def _ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        return self._pipe.recv()
