"""A gate before somebody's port: open, shut, or open and silent; and lines that are cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from enum import Enum

_CONNECT_WITHIN_S = 2.0
_CHUNK_BYTES = 1 << 16


class Way(Enum):
    """How it goes through the gate now."""

    OPEN = "open"
    AWAY = "whoever knocks is turned away, and whoever is through is cut off"
    SILENT = "whoever knocks gets in, and no word is carried"


class Gate:
    """A TCP relay on loopback.

    Args:
        target: The port behind it, asked for at each connection.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._way = Way.OPEN
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._lines: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Hang up everywhere."""
        if self._server is not None:
            self._server.close()
            self.cut()

    @contextlib.asynccontextmanager
    async def being(self, way: Way) -> AsyncIterator[None]:
        """Let it be like that for as long as the block lasts."""
        self._way = way
        if way is Way.SILENT:
            self._speaks.clear()
        else:
            self.cut()
        try:
            yield
        finally:
            self._way = Way.OPEN
            self._speaks.set()

    def cut(self, victim: float | None = None) -> None:
        """Break one line, or all, without a word."""
        lines = list(self._lines)
        if victim is not None and lines:
            lines = [lines[int(victim * len(lines))]]
        for line in lines:
            for end in line:
                end.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._way is Way.AWAY:
            writer.transport.abort()
            return
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                behind = await asyncio.open_connection("127.0.0.1", self._target())
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        line = (writer, behind[1])
        self._lines.append(line)
        try:
            await asyncio.gather(self._carry(reader, behind[1]), self._carry(behind[0], writer))
        finally:
            self._lines.remove(line)
            for end in line:
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._speaks.wait()
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
