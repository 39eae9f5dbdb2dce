"""A browser that misbehaves: a WebSocket by hand, which reads only when it is told to."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
from typing import Any

from tests.conftest import House

TEXT, BINARY, CLOSE, PING, PONG, CONT = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
SMALL_BUFFER_BYTES = 4_096


class RawSocket:
    """One connection to ``/ws``. What comes lies in the kernel until `read` is called."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    @property
    def address(self) -> tuple[str, int]:
        """Its own, as the server sees it."""
        host, port = self._connection.getsockname()
        return host, port

    @classmethod
    async def open(cls, server: House, path: str = "/ws") -> RawSocket:
        """Connect, with as little room for what comes as there can be, and shake hands."""
        host, _, port = server.address.removeprefix("http://").partition(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
        raw = cls(connection)
        key = base64.b64encode(os.urandom(16)).decode()
        await raw.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        while b"\r\n\r\n" not in raw._buffer:
            raw._buffer += await raw._more()
        head, _, raw._buffer = raw._buffer.partition(b"\r\n\r\n")
        assert b" 101 " in head.splitlines()[0], head
        return raw

    @classmethod
    async def subscribed(cls, server: House, session_id: str) -> RawSocket:
        """A page that follows a session from its beginning."""
        ticket = await server.sessions.ticket(await server.session(session_id))
        raw = await cls.open(server)
        await raw.say({"type": "subscribe", "ticket": ticket, "after": 0})
        while (read := await raw.read())[0] == PING:
            await raw.frame(PONG, read[1])
        assert json.loads(read[1])["type"] == "subscribed"
        return raw

    async def write(self, data: str | bytes) -> None:
        """Send bytes as they are."""
        data = data.encode() if isinstance(data, str) else data
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """Send one frame, masked with zeros."""
        await self.write(frame(opcode, payload, fin=fin))

    async def say(self, message: object) -> None:
        """Send a message of JSON."""
        await self.frame(TEXT, json.dumps(message).encode())

    async def read(self, within_s: float = 10.0) -> tuple[int, bytes]:
        """The next frame: its opcode and its payload. Raises `EOFError` when there is none."""
        async with asyncio.timeout(within_s):
            while (found := self._next()) is None:
                self._buffer += await self._more()
        return found

    async def closing_code(self, within_s: float = 10.0) -> int | None:
        """Read until the server closes; its code, or None if it said nothing."""
        try:
            while True:
                opcode, payload = await self.read(within_s)
                if opcode == CLOSE:
                    return int(struct.unpack("!H", payload[:2])[0])
        except (EOFError, OSError):
            return None

    def close(self) -> None:
        """Be gone, without a word."""
        self._connection.close()

    def _next(self) -> tuple[int, bytes] | None:
        if len(self._buffer) < 2:
            return None
        length, at = self._buffer[1] & 0x7F, 2
        if length >= 126:
            size, at = ("!H", 4) if length == 126 else ("!Q", 10)
            if len(self._buffer) < at:
                return None
            length = struct.unpack_from(size, self._buffer, 2)[0]
        if len(self._buffer) < at + length:
            return None
        found = self._buffer[0] & 0xF, self._buffer[at : at + length]
        self._buffer = self._buffer[at + length :]
        return found

    async def _more(self) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(self._connection, 65_536)
        if not data:
            raise EOFError
        return data


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """One frame of a client."""
    length = len(payload)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 65_536:
        size = b"\xfe" + struct.pack("!H", length)
    else:
        size = b"\xff" + struct.pack("!Q", length)
    return bytes([(0x80 if fin else 0) | opcode]) + size + bytes(4) + payload


def event_in(payload: bytes) -> dict[str, Any] | None:
    """The stored event that a message tells, if it tells one."""
    message = json.loads(payload)
    return message["event"] if message["type"] == "event" else None
