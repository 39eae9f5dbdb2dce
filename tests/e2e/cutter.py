"""A network that can be cut: every TCP connection to the server goes through here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_CHUNK_BYTES = 65_536
_EVENT_STREAM = b"GET /ws"


@dataclass(eq=False)
class _Line:
    """One connection of the page, and the one made to the server for it."""

    page: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_event_stream: bool = False
    sent_bytes: int = 0

    def break_off(self) -> None:
        """As a network does it: no goodbye to anybody."""
        for writer in (self.page, self.server):
            writer.transport.abort()


@dataclass
class Cutter:
    """Passes bytes between pages and the server until somebody cuts.

    Attributes:
        port: Where pages connect to, on 127.0.0.1.
        streams: How many event streams were opened so far.
    """

    server_port: int
    port: int = 0
    streams: int = 0
    _lines: set[_Line] = field(default_factory=set)
    _stream_opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def event_stream(self) -> None:
        """Wait until a page has an event stream through which something came."""
        while not any(line.is_event_stream and line.sent_bytes for line in self._lines):
            self._stream_opened.clear()
            await self._stream_opened.wait()

    def cut(self) -> None:
        """Break every connection that there is now."""
        for line in list(self._lines):
            line.break_off()
        self._lines.clear()

    async def passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        try:
            upstream, server = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, server)
        self._lines.add(line)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, line))
                group.create_task(self._down(upstream, line))
        except* OSError:
            pass
        finally:
            self._lines.discard(line)
            line.break_off()

    async def _up(self, reader: asyncio.StreamReader, line: _Line) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if chunk.startswith(_EVENT_STREAM):
                line.is_event_stream = True
                self.streams += 1
            line.server.write(chunk)
            await line.server.drain()
        line.server.close()

    async def _down(self, upstream: asyncio.StreamReader, line: _Line) -> None:
        while chunk := await upstream.read(_CHUNK_BYTES):
            line.page.write(chunk)
            line.sent_bytes += len(chunk)
            self._stream_opened.set()
            await line.page.drain()
        line.page.close()


@asynccontextmanager
async def a_cutter(server_port: int) -> AsyncIterator[Cutter]:
    """Listen on a free port of loopback until the block ends."""
    cutter = Cutter(server_port)
    listening = await asyncio.start_server(cutter.passed, "127.0.0.1", 0)
    cutter.port = listening.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        listening.close()
        cutter.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(listening.wait_closed(), 5)
