"""The relay's doors: ``/in/…`` for senders, ``/listen`` and ``/status`` for who has a token."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

import structlog
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection

from greenroom import __version__
from greenroom.errors import GreenroomError, TooLarge, Unauthorized, Unavailable
from greenroom.relay import keep as k
from greenroom.relay.addresses import Addresses
from greenroom.relay.bounds import Bounds
from greenroom.relay.line import Answer, Line
from greenroom.wire.relay import (
    FROM_LISTENER,
    Answered,
    KeptItem,
    Replay,
    Status,
    type_of,
    without_hop_headers,
)

log = structlog.get_logger("greenroom.relay")

READ_WITHIN_S = 10.0
LISTED = 20
_POLICY_VIOLATION = 1008
_PROTOCOL_ERROR = 1002
_UNFIT_FOR_KEEPING = ("GET", "HEAD")


class Relay:
    """All lines of one relay.

    Args:
        addresses: Which addresses there are.
        keep: What is kept.
        bounds: How much is allowed.
        public_url: Where the relay is reached, without a slash at the end.
        now: The time, in seconds since the epoch.
    """

    def __init__(
        self,
        addresses: Addresses,
        keep: k.Keep,
        bounds: Bounds,
        *,
        public_url: str,
        now: Callable[[], float],
    ) -> None:
        self.addresses = addresses
        self.keep = keep
        self.bounds = bounds
        self._public_url = public_url.rstrip("/")
        self._now = now
        self._lines: dict[str, Line] = {}

    def line(self, name: str) -> Line:
        """The line of a name that has been proven to be one."""
        if name not in self._lines:
            address = f"{self._public_url}/in/{self.addresses.address_of(name)}"
            self._lines[name] = Line(name, address, self.keep, self.bounds, self._now)
        return self._lines[name]

    def line_for(self, connection: HTTPConnection) -> Line:
        """The line on which the bearer of the request's token may listen.

        Raises:
            Unauthorized: There is no token, or a wrong one.
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("A token is needed here: greenroom relay address NAME shows it.")
        return self.line(self.addresses.name_for(token.strip()))

    async def status(self, line: Line) -> Status:
        """How a line stands."""
        waiting, waiting_bytes = await self.keep.waiting(line.name)
        return Status(
            name=line.name,
            address=line.address,
            listening=line.listening,
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            most=self.bounds.kept,
            most_bytes=self.bounds.kept_bytes,
            longest_s=self.bounds.kept_s,
            kept=[_item(kept) for kept in await self.keep.last(line.name, LISTED)],
        )


def _item(kept: k.Kept) -> KeptItem:
    return KeptItem(
        number=kept.number,
        received_at=kept.received_at,
        method=kept.request.method,
        type=type_of(kept.request.method, kept.request.body),
        size_bytes=kept.request.size_bytes,
        status=None if kept.waiting else kept.status,
    )


def build_relay_app(relay: Relay) -> FastAPI:
    """The application over these lines."""
    app = FastAPI(title="Greenroom relay", version=__version__, docs_url=None, redoc_url=None)

    @app.exception_handler(GreenroomError)
    async def refused(request: Request, error: GreenroomError) -> JSONResponse:
        headers = {"Retry-After": str(error.detail.get("retry_in_s", 5))} if error.retryable else {}
        return JSONResponse(error.as_json(), status_code=error.status, headers=headers)

    @app.api_route("/in/{address}", methods=["POST", "PUT", "PATCH", "DELETE", "GET"])
    async def take(address: str, request: Request) -> Response:
        line = relay.line(relay.addresses.name_at(address))
        _refuse_haste(line)
        if request.method in _UNFIT_FOR_KEEPING and not line.listening:
            raise Unavailable("Nobody listens on this address just now.")
        answer = await line.take(await _read(request, relay.bounds))
        return _response(answer)

    @app.get("/status")
    async def status(request: Request) -> Response:
        found = await relay.status(relay.line_for(request))
        return Response(found.model_dump_json(by_alias=True), media_type="application/json")

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.websocket("/listen")
    async def listen(websocket: WebSocket) -> None:
        try:
            line = relay.line_for(websocket)
        except Unauthorized:
            await websocket.close(_POLICY_VIOLATION)  # not accepted yet: an HTTP 403
            return
        await websocket.accept()
        await _listen(line, websocket)

    return app


def _refuse_haste(line: Line) -> None:
    wait_s = line.rate.take()
    if wait_s:
        # Its own answer: 429 tells a sender to slow down, and Standard Webhooks to come again.
        headers = {"Retry-After": str(math.ceil(wait_s))}
        raise HTTPException(429, "Too many requests to this address at once.", headers)


async def _read(request: Request, bounds: Bounds) -> k.Request:
    """The request, byte for byte, within bounds of size and time."""
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for part in request.stream():
                body += part
                if len(body) > bounds.body_bytes:
                    raise TooLarge(f"The body is larger than {bounds.body_bytes} bytes.")
    except TimeoutError:
        raise HTTPException(408, "The body did not arrive in time.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The sender went away.") from None
    raw = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    return k.Request(request.method, request.url.query, without_hop_headers(raw), bytes(body))


def _response(answer: Answer | None) -> Response:
    if answer is None:
        text = "Nobody listens just now; this is kept and passed on later."
        return JSONResponse({"status": "kept", "message": text}, status_code=202)
    response = Response(answer.body, status_code=answer.status)
    own = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in without_hop_headers(answer.headers)
        if name.lower() != "set-cookie"  # the relay's name is not the application's
    ]
    length = [pair for pair in response.raw_headers if pair[0] == b"content-length"]
    response.raw_headers = [*own, *length, (b"x-content-type-options", b"nosniff")]
    return response


class _Socket:
    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, text: str) -> None:
        await self._websocket.send_text(text)

    async def close(self, code: int) -> None:
        # It may be closed already, or break while being closed.
        with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
            await self._websocket.close(code)


async def _listen(line: Line, websocket: WebSocket) -> None:
    async def receive() -> Answered | Replay:
        try:
            return FROM_LISTENER.validate_json(await websocket.receive_text())
        except KeyError:
            raise ValueError("a binary frame") from None

    socket = _Socket(websocket)
    try:
        await line.listen(socket, receive)
    except* (WebSocketDisconnect, OSError, TimeoutError, RuntimeError):
        await socket.close(1000)  # gone, or too slow to be told anything
    except* (ValidationError, ValueError):
        log.warning("relay.bad_message", name=line.name)
        await socket.close(_PROTOCOL_ERROR)
    except* GreenroomError as errors:
        log.warning("relay.broken", name=line.name, error=str(errors.exceptions[0]))
        await socket.close(1011)
