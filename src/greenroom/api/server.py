"""How uvicorn serves the application: the bounds of its sockets, and what these lack.

Uvicorn's WebSocket waits for a peer that does not read, without end: to say that it closes, and to
get rid of what was written before. It also keeps pongs, and fragments of a message however small,
for whoever sends pings and fragments. `WebSockets` puts an end to each. And it offers what ASGI has
no word for: to write a message at once or not at all, so that one event for a thousand browsers
need not wake a thousand tasks.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

# The longest message of a bot; browsers say far less.
MAX_MESSAGE_BYTES = 256 * 1024
# Nobody needs more parts for a message of that size.
MAX_FRAGMENTS = 256
PING_EVERY_S = 10.0
PONG_WITHIN_S = 10.0
# So long a peer has to take what was written to it, and the close frame behind it.
CLOSED_WITHIN_S = 5.0
# When a server is back, all pages are back at once.
BACKLOG = 4_096
# The name of what `WebSockets` adds to ASGI's ``extensions``.
_WRITE = "greenroom.write"
_NO_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class WebSockets(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket, whose end no peer can put off.

    It overrides methods that uvicorn (0.54) calls itself; there is a test for each bound.
    """

    _abort: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """As uvicorn's; what is no handshake after all is refused.

        Uvicorn would keep such a connection for ever (one with a body, say), unseen by the
        application, and stumble over it when the server is to end.
        """
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated and not self.close_sent:
            said = b"".join(self.conn.data_to_send())
            self.transport.write(said or _NO_HANDSHAKE)
            self.handshake_complete = self.close_sent = True
            self._abort_soon()
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """As uvicorn's; the application is also told how to `write_at_once`."""
        super().handle_connect(event)
        if not self.handshake_complete:  # it was not refused, and its task has not begun
            self.scope["extensions"][_WRITE] = {"write": self.write_at_once}

    def write_at_once(self, text: str) -> bool:
        """Write a message, unless that would have to wait; whether it was written.

        It must not be called while a `send` is under way.
        """
        if not self.writable.is_set() or self.transport.is_closing():
            return False
        if self.conn.state is not State.OPEN or self.conn.extensions:
            return False
        self.transport.write(_frame(text))
        return True

    async def send(self, message: Any) -> None:
        """As uvicorn's; to close, it waits for the peer only so long."""
        if message["type"] == "websocket.close" and self.handshake_complete:
            self._abort_soon()
        await super().send(message)

    def handle_close(self, event: Frame) -> None:
        """As uvicorn's, within a bound."""
        self._abort_soon()
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        """As uvicorn's, within a bound."""
        self._abort_soon()
        super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """As uvicorn's, within a bound."""
        self._abort_soon()
        super().keepalive_timeout()

    def shutdown(self) -> None:
        """As uvicorn's; but who has said goodbye and not yet taken the rest is told nothing more.

        Uvicorn would say goodbye once more, which is an error that breaks off the server's end.
        """
        if self.handshake_complete and not self.close_sent and self.conn.state is not State.OPEN:
            self.stop_keepalive()
            self.transport.close()
        else:
            super().shutdown()

    def handle_ping(self) -> None:
        """As uvicorn's, but whoever does not read gets no pongs (RFC 6455, 5.5.3, allows it)."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """As uvicorn's, up to so many fragments: each is kept, however short it is."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(CloseCode.MESSAGE_TOO_BIG)
        self.handle_parser_exception()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        if self._abort is not None:
            self._abort.cancel()
        super().connection_lost(exc)

    def _abort_soon(self) -> None:
        if self._abort is None:
            self._abort = self.loop.call_later(CLOSED_WITHIN_S, self.transport.abort)


@functools.lru_cache(maxsize=16)
def _frame(text: str) -> bytes:
    """A server's frame, which is the same for all browsers (theirs are masked, ours are not)."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def write_of(scope: Mapping[str, Any]) -> Callable[[str], bool]:
    """How to write a message at once to the WebSocket of this scope; on other servers: never."""
    extension = scope.get("extensions", {}).get(_WRITE)
    return extension["write"] if extension is not None else lambda text: False


def server_config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """Uvicorn's configuration for an application; ``more`` goes to it as it is."""
    return uvicorn.Config(
        app,
        ws=WebSockets,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_EVERY_S,
        ws_ping_timeout=PONG_WITHIN_S,
        # Events are short. To compress them would cost 50 kB for each page, and time.
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        **more,
    )
