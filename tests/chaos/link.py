"""A bad line between bots and server: cuts, repeats, holds back and swaps what bots report."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException

_CONNECT_WITHIN_S = 5.0
_MAX_BYTES = 1 << 20


@dataclass
class _Line:
    """One bot's connection, and what will be done to its next reports."""

    bot: ServerConnection
    server: ClientConnection
    duplicate: int = 0
    delay_s: float = 0.0
    swap: int = 0
    held: list[str] = field(default_factory=list)


class BadLine:
    """A WebSocket relay on loopback that bots dial instead of the server.

    Args:
        target: The server's own address of the link, asked for at each connection.
    """

    def __init__(self, target: Callable[[], str]) -> None:
        self._target = target
        self._lines: list[_Line] = []
        self._server: Server | None = None

    async def open(self) -> str:
        """Listen; returns the address that bots dial."""
        self._server = await serve(
            self._relay, "127.0.0.1", 0, max_size=_MAX_BYTES, ping_interval=None, compression=None
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/link"

    async def close(self) -> None:
        """Hang up everywhere."""
        if self._server is not None:
            self.cut()
            self._server.close()
            await self._server.wait_closed()

    def cut(self, victim: float | None = None) -> None:
        """Break one line, or all, without a word."""
        for line in self._chosen(victim):
            line.bot.transport.abort()
            line.server.transport.abort()

    def trouble(
        self, victim: float, *, duplicate: int = 0, delay_s: float = 0.0, swap: int = 0
    ) -> None:
        """Mistreat the next reports of one line."""
        for line in self._chosen(victim):
            line.duplicate += duplicate
            line.delay_s += delay_s
            line.swap += swap

    def _chosen(self, victim: float | None) -> list[_Line]:
        if victim is None:
            return list(self._lines)
        return [self._lines[int(victim * len(self._lines))]] if self._lines else []

    async def _relay(self, bot: ServerConnection) -> None:
        wanted = ("authorization", "x-greenroom-launch")
        assert bot.request is not None
        headers = {name: bot.request.headers[name] for name in wanted}
        try:
            async with connect(
                self._target(),
                additional_headers=headers,
                open_timeout=_CONNECT_WITHIN_S,
                max_size=_MAX_BYTES,
                ping_interval=None,
                compression=None,
                proxy=None,
            ) as server:
                await self._carry(_Line(bot, server))
        except (OSError, WebSocketException, TimeoutError):
            bot.transport.abort()

    async def _carry(self, line: _Line) -> None:
        self._lines.append(line)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._down(line))
                group.create_task(self._up(line))
        except* ConnectionClosed:
            pass
        finally:
            self._lines.remove(line)

    async def _down(self, line: _Line) -> None:
        try:
            while True:
                await line.bot.send(await line.server.recv())
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1011
            with contextlib.suppress(ConnectionClosed, ValueError):
                await line.bot.close(code if code not in (1005, 1006) else 1011)
            raise

    async def _up(self, line: _Line) -> None:
        try:
            while True:
                await self._pass_on(line, str(await line.bot.recv()))
        except ConnectionClosed:
            line.server.transport.abort()
            raise

    async def _pass_on(self, line: _Line, text: str) -> None:
        if json.loads(text).get("type") != "report":
            await line.server.send(text)
            return
        if line.delay_s:
            delay_s, line.delay_s = line.delay_s, 0.0
            await asyncio.sleep(delay_s)
        if line.swap and not line.held:
            line.swap -= 1
            line.held.append(text)
            return
        await line.server.send(text)
        if line.duplicate:
            line.duplicate -= 1
            await line.server.send(text)
        while line.held:
            await line.server.send(line.held.pop())
