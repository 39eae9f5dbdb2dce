"""``WS /ws``: a session's numbered events to a browser, each once and in order.

The page sends `Subscribe` with a one-time ticket and the last number it has seen; everything
stored after that follows, and then whatever comes. Subscribing to another session over the same
socket replaces the first. A reader that does not keep up is closed, and resumes where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NoReturn

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from greenroom.api.limits import Pace
from greenroom.api.origins import is_allowed_origin
from greenroom.api.server import write_of
from greenroom.errors import Forbidden, GreenroomError
from greenroom.ports.hub import Word
from greenroom.service.feeds import Feeds, Reader
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import Sessions
from greenroom.service.tracing import ids_of
from greenroom.session.model import Session
from greenroom.wire import http as w
from greenroom.wire.base import WireModel

log = structlog.get_logger("greenroom.events")
router = APIRouter()

HELLO_WITHIN_S = 10.0
# Whoever takes longer for one message is looked at with the next heartbeat, and closed.
SEND_WITHIN_S = 10.0
# A page subscribes once for each connection, and again for each further session.
MOST_SUBSCRIBES = 10
IN_S = 10.0

_PROTOCOL_ERROR, _UNSUPPORTED, _TOO_BIG, _TRY_AGAIN = 1002, 1003, 1009, 1013
_HEARTBEAT = Word(None, "heartbeat", w.Heartbeat().to_json())


class _Closed(Exception):
    """This socket has to be closed, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@router.websocket("/ws")
async def events(websocket: WebSocket) -> None:
    """One browser's event stream."""
    state = websocket.app.state
    metrics: Metrics = state.metrics
    await websocket.accept()
    if is_allowed_origin(websocket, state.origins):
        stream = _Stream(websocket, state.sessions, state.feeds)
        with metrics.sockets.track_inprogress():
            code = await _until_closed(stream, metrics)
    else:
        code = w.WS_BAD_ORIGIN
    metrics.sockets_closed.labels(code=str(code)).inc()
    # It may be closed already, or break while being closed.
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        await websocket.close(code)


async def _until_closed(stream: _Stream, metrics: Metrics) -> int:
    """Serve the stream; returns the code to close with."""
    try:
        await stream.serve()
    except WebSocketDisconnect:
        return 1000
    except _Closed as closed:
        return closed.code
    except Forbidden as error:
        await stream.refuse(error)
        return w.WS_BAD_TICKET
    except (GreenroomError, OSError) as error:
        log.warning("events.broken", error=str(error), **stream.ids)
        return _TRY_AGAIN
    except Exception:
        metrics.uncaught.labels(place="events").inc()
        log.exception("events.uncaught", **stream.ids)
        return _TRY_AGAIN


class _Stream:
    """One socket: this task listens, and another one tells."""

    def __init__(self, websocket: WebSocket, sessions: Sessions, feeds: Feeds) -> None:
        self._websocket = websocket
        self._sessions = sessions
        self._feeds = feeds
        self._pace = Pace(MOST_SUBSCRIBES, IN_S)
        self.ids: dict[str, str] = {}

    async def serve(self) -> NoReturn:
        """Never returns: raises why the socket is to be closed."""
        subscribe = await self._first()
        try:
            async with asyncio.TaskGroup() as group:
                telling: asyncio.Task[None] | None = None
                while True:
                    session, own = await self._sessions.redeem(subscribe.ticket)
                    self.ids = ids_of(session)
                    if telling is not None:
                        telling.cancel()
                        await asyncio.wait((telling,))
                    telling = group.create_task(self._tell(session, own, subscribe.after))
                    subscribe = await self._receive()
        except* Exception as errors:
            raise errors.exceptions[0] from None

    async def refuse(self, error: GreenroomError) -> None:
        """Say why, before the socket is closed; the page may be gone already."""
        with contextlib.suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(SEND_WITHIN_S):
                await self._send(w.Refused(code=error.code, message=error.message))

    async def _first(self) -> w.Subscribe:
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                return await self._receive()
        except TimeoutError:
            raise _Closed(w.WS_TOO_SLOW) from None

    async def _receive(self) -> w.Subscribe:
        try:
            text = await self._websocket.receive_text()
        except KeyError:
            raise _Closed(_UNSUPPORTED) from None  # a binary frame
        if not self._pace.keeps(asyncio.get_running_loop().time()):
            raise _Closed(w.WS_TOO_MANY)
        if len(text) > w.MAX_SUBSCRIBE_CHARS:
            raise _Closed(_TOO_BIG)
        try:
            return w.Subscribe.model_validate_json(text)
        except ValidationError:
            raise _Closed(_PROTOCOL_ERROR) from None

    async def _tell(self, session: Session, own: bool, after: int) -> None:
        pulse = _Pulse()
        write = write_of(self._websocket.scope)
        with self._feeds.follow(session.id, after, write, pulse.too_many) as reader:
            async with pulse.beating(reader):
                await self._send(w.Subscribed(session=session.id, after=after, own=own))
                pulse.sent()
                while True:
                    text = await reader.next()
                    pulse.sending()
                    await self._websocket.send_text(text)
                    pulse.sent()

    async def _send(self, message: WireModel) -> None:
        await self._websocket.send_text(message.to_json())


class _Pulse:
    """Heartbeats for a reader, and the end of one that does not keep up.

    One timer for each socket does both, so that nothing has to be set and unset for each message.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._within = asyncio.timeout(None)
        self._code = w.WS_TOO_SLOW
        self._sending_since_s: float | None = self._loop.time()

    @contextlib.asynccontextmanager
    async def beating(self, reader: Reader) -> AsyncIterator[None]:
        """Beat; what runs in the context is ended by `_Closed` when it has to be."""
        self._beat_later(reader)
        try:
            async with self._within:
                yield
        except TimeoutError:
            raise _Closed(self._code) from None
        finally:
            self._timer.cancel()

    def sending(self) -> None:
        """A message is being sent."""
        self._sending_since_s = self._loop.time()

    def sent(self) -> None:
        """It is."""
        self._sending_since_s = None

    def too_many(self) -> None:
        """Others came, and this socket has to go."""
        self._end(w.WS_TOO_MANY)

    def _beat_later(self, reader: Reader) -> None:
        self._timer = self._loop.call_later(w.HEARTBEAT_S, self._beat, reader)

    def _beat(self, reader: Reader) -> None:
        since_s = self._sending_since_s
        if since_s is not None and self._loop.time() - since_s >= SEND_WITHIN_S:
            self._end(w.WS_TOO_SLOW)
            return
        reader.hear(_HEARTBEAT)
        self._beat_later(reader)

    def _end(self, code: int) -> None:
        self._code = code
        self._within.reschedule(self._loop.time())
