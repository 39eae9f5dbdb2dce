"""Real HTTP servers on loopback, and an application that takes webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from standardwebhooks import Webhook
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.exceptions import InvalidState

from greenroom.wire.webhooks import Endpoint

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1yZWNlaXZlci0wMDAx"
OLD_SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1yZWNlaXZlci0wMDAw"
# As uvicorn's: how old the date on an answer may be, and how long connections have to close.
_DATE_EVERY_S = 1.0
_CLOSED_WITHIN_S = 0.1


def an_endpoint(
    url: str, *secrets: str, name: str = "app", types: Sequence[str] = ("*",)
) -> Endpoint:
    """As the settings would say it."""
    told = {"url": url, "secrets": secrets or (SECRET,), "name": name, "types": types}
    return Endpoint.model_validate(told)


@asynccontextmanager
async def listening(app: ASGIApp | Callable[..., Any], **more: Any) -> AsyncIterator[int]:
    """Serve the application on loopback while the block lasts; gives its port."""
    settings = {"port": 0, "log_config": None, "lifespan": "off", **more}
    async with serving(uvicorn.Config(app, **settings)) as port:
        yield port


@asynccontextmanager
async def serving(config: uvicorn.Config) -> AsyncIterator[int]:
    """As `listening`, however uvicorn is to serve."""
    async with running(config) as server:
        yield server.servers[0].sockets[0].getsockname()[1]


@asynccontextmanager
async def running(config: uvicorn.Config) -> AsyncIterator[uvicorn.Server]:
    """As `serving`; gives the server itself."""
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    up = asyncio.create_task(server.up.wait())
    async with asyncio.timeout(10):
        await asyncio.wait((serving, up), return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    if not server.started:
        await serving  # it says why
    try:
        yield server
    finally:
        server.force_exit = True
        server.leave.set()
        await serving


class _Server(uvicorn.Server):
    """Uvicorn's, which comes and goes at once: it looks for its end each 100 ms, and waits as long.

    That is 150 ms for each of a thousand tests. It also leaves the process's signals alone.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        self.up.set()
        while not await self.on_tick(0) and not self.leave.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_EVERY_S):
                    await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            # Uvicorn's own WebSocket stumbles where it is closing; ours does not.
            with contextlib.suppress(InvalidState):
                connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(0.001)
        if not self.force_exit:
            await self.lifespan.shutdown()


@dataclass
class Taken:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class Receiver:
    """An application: verifies signatures by the library, and answers as it is told.

    Attributes:
        answers: Statuses of the next answers; 204 when none is left.
        always: Answer this status from now on.
        hold: While this is not None, requests wait for it before they are answered.
        headers: Of every answer.
        taken: What came, and whether its signature held.
    """

    answers: list[int] = field(default_factory=list)
    always: int | None = None
    hold: asyncio.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)
    secret: str = SECRET
    verify: bool = True
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    @property
    def seqs(self) -> list[int]:
        return [taken.event["seq"] for taken in self.taken]

    async def until(self, count: int) -> list[Taken]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.taken) < count:
                await asyncio.sleep(0.005)
        return self.taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if self.verify:
            Webhook(self.secret).verify(body, headers)  # raises, and so answers 500
        self.taken.append(Taken(headers, body))
        if self.hold is not None:
            await self.hold.wait()
        status = self.always or (self.answers.pop(0) if self.answers else 204)
        sent = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def a_receiver(**given: Any) -> AsyncIterator[Receiver]:
    """An application that listens while the block lasts."""
    receiver = Receiver(**given)
    async with listening(receiver) as receiver.port:
        yield receiver
        if receiver.hold is not None:
            receiver.hold.set()
