"""``WS /ws``: a session's numbered events to a browser, each once and in order.

The page sends `Subscribe` with a one-time ticket and the last number it has seen; everything
stored after that follows, and then whatever comes. Subscribing to another session over the same
socket replaces the first. A reader that does not read is closed, and resumes where it was.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from greenroom.api.origins import is_allowed_origin
from greenroom.errors import Forbidden, GreenroomError
from greenroom.ports.hub import Hub
from greenroom.ports.store import Store
from greenroom.service.events import as_event
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import Sessions, session_topic
from greenroom.service.tracing import ids_of
from greenroom.wire import http as w
from greenroom.wire.base import WireModel

log = structlog.get_logger("greenroom.events")
router = APIRouter()

HELLO_WITHIN_S = 10.0
SEND_WITHIN_S = 10.0
BATCH = 200
MAX_MESSAGE_CHARS = 4_096
_TRY_AGAIN = 1013
_PROTOCOL_ERROR = 1002


@router.websocket("/ws")
async def events(websocket: WebSocket) -> None:
    """One browser's event stream."""
    state = websocket.app.state
    if not is_allowed_origin(websocket, state.origins):
        await websocket.accept()
        await websocket.close(w.WS_BAD_ORIGIN)
        return
    await websocket.accept()
    stream = _Stream(websocket, state.sessions, state.store, state.hub)
    metrics: Metrics = state.metrics
    with metrics.sockets.track_inprogress():
        code = await _until_closed(stream, metrics)
    # It may be closed already, or break while being closed.
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        await websocket.close(code)


async def _until_closed(stream: _Stream, metrics: Metrics) -> int:
    """Serve the stream; returns the code to close with."""
    try:
        await stream.serve()
    except WebSocketDisconnect:
        return 1000
    except Forbidden as error:
        await stream.refuse(error)
        return w.WS_BAD_TICKET
    except ValidationError:
        return _PROTOCOL_ERROR
    except TimeoutError:
        return w.WS_TOO_SLOW
    except (GreenroomError, OSError) as error:
        log.warning("events.broken", error=str(error), **stream.ids)
        return _TRY_AGAIN
    except Exception:
        metrics.uncaught.labels(place="events").inc()
        log.exception("events.uncaught", **stream.ids)
        return _TRY_AGAIN
    return 1000


class _Stream:
    def __init__(self, websocket: WebSocket, sessions: Sessions, store: Store, hub: Hub) -> None:
        self._websocket = websocket
        self._sessions = sessions
        self._store = store
        self._hub = hub
        self.ids: dict[str, str] = {}

    async def serve(self) -> None:
        async with asyncio.timeout(HELLO_WITHIN_S):
            subscribe = await self._receive()
        listening = asyncio.create_task(self._receive())
        try:
            while True:
                following = asyncio.create_task(self._follow(subscribe))
                try:
                    await asyncio.wait((listening, following), return_when=asyncio.FIRST_COMPLETED)
                    if following.done():
                        following.result()  # it only ends by an error
                    subscribe = listening.result()
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                listening = asyncio.create_task(self._receive())
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def refuse(self, error: GreenroomError) -> None:
        """Say why, before the socket is closed; the page may be gone already."""
        with contextlib.suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
            await self._send(w.Refused(code=error.code, message=error.message))

    async def _follow(self, subscribe: w.Subscribe) -> None:
        session = await self._sessions.redeem(subscribe.ticket)
        self.ids = ids_of(session)
        seen = subscribe.after
        async with self._hub.subscribe(session_topic(session.id)) as waiter:
            await self._send(w.Subscribed(session=session.id, after=seen))
            while True:
                stored = await self._store.events_after(session.id, seen, BATCH)
                for event in stored:
                    await self._send(w.EventMessage(event=as_event(event)))
                    seen = event.seq
                if not stored and not await waiter.wait(w.HEARTBEAT_S):
                    await self._send(w.Heartbeat())

    async def _receive(self) -> w.Subscribe:
        try:
            text = await self._websocket.receive_text()
        except KeyError:
            text = ""  # a binary frame: nothing of ours
        return w.Subscribe.model_validate_json(text[:MAX_MESSAGE_CHARS])

    async def _send(self, message: WireModel) -> None:
        async with asyncio.timeout(SEND_WITHIN_S):
            await self._websocket.send_text(message.to_json())
