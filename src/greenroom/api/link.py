"""``WS /link``: where bots dial in. Fenced by launch, acknowledged by number."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from starlette.datastructures import State

from greenroom.api.limits import Pace
from greenroom.errors import BadRequest, GreenroomError, NotFound
from greenroom.ports.hub import Hub
from greenroom.service.entrance import Entrance
from greenroom.service.events import word_of_a_bot
from greenroom.service.feeds import ephemeral_topic
from greenroom.service.links import Link, Links
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.reports import Reports, Way
from greenroom.service.sessions import EFFECTS_TOPIC, Sessions, session_topic
from greenroom.service.specs import spec_of
from greenroom.service.tracing import ids_of
from greenroom.session.facts import Outcome
from greenroom.session.model import Session, Stage
from greenroom.wire.base import WireModel
from greenroom.wire.link import (
    LINK_FENCED,
    MAX_LINK_MESSAGE_BYTES,
    MOST_EPHEMERAL_PER_S,
    Answer,
    CommandDone,
    Ephemeral,
    Hello,
    OfferRefused,
    Report,
    ReportAck,
    Welcome,
    from_bot,
)

log = structlog.get_logger("greenroom.link")
router = APIRouter()

HELLO_WITHIN_S = 5.0
SEND_WITHIN_S = 5.0
_PROTOCOL_ERROR = 1002
_TRY_AGAIN = 1013


class _Fenced(Exception):
    """This bot is not (any more) the one that its session listens to."""


@router.websocket("/link")
async def link(websocket: WebSocket) -> None:
    """One bot's connection, from its hello to its end."""
    state = websocket.app.state
    launch_id = websocket.headers.get("x-greenroom-launch", "")
    _, _, secret = websocket.headers.get("authorization", "").partition(" ")
    keyring: Keyring = state.keyring
    await websocket.accept()
    if not keyring.is_launch_secret(launch_id, secret):
        await websocket.close(LINK_FENCED)
        return
    metrics: Metrics = state.metrics
    door = _Door(websocket, launch_id, state)
    try:
        with metrics.links.track_inprogress():
            await door.serve()
    except _Fenced:
        await _close(websocket, LINK_FENCED)
    except (ValidationError, TimeoutError):
        await _close(websocket, _PROTOCOL_ERROR)
    except GreenroomError as error:
        # The store is away, or a number is missing: the bot dials again and sends again.
        log.warning("link.broken", **door.ids, error=error.message)
        await _close(websocket, _TRY_AGAIN)
    except (WebSocketDisconnect, OSError):
        pass
    except Exception:
        metrics.uncaught.labels(place="link").inc()
        log.exception("link.uncaught", **door.ids)
        await _close(websocket, _TRY_AGAIN)


async def _close(websocket: WebSocket, code: int) -> None:
    # It may be closed already, or break while being closed.
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        await websocket.close(code)


class _Door:
    """The state of one connection."""

    def __init__(self, websocket: WebSocket, launch_id: str, parts: State) -> None:
        self._websocket = websocket
        self._metrics: Metrics = parts.metrics
        self._sessions: Sessions = parts.sessions
        self._reports: Reports = parts.reports
        self._links: Links = parts.links
        self._entrance: Entrance = parts.entrance
        self._hub: Hub = parts.hub
        self._link = Link(launch_id, self._send)
        self._pace = Pace(MOST_EPHEMERAL_PER_S, 1.0)
        self.ids = {"launch": launch_id}

    async def serve(self) -> None:
        async with asyncio.timeout(HELLO_WITHIN_S):
            hello = await self._receive()
        if not isinstance(hello, Hello) or hello.launch_id != self._link.launch_id:
            raise _Fenced
        session = await self._welcome()
        # This task is the connection's alone.
        self.ids = ids_of(session)
        structlog.contextvars.bind_contextvars(**self.ids)
        spawned_in_s = self._links.opened(self._link)
        if spawned_in_s is not None:
            self._metrics.bot_spawn_seconds.observe(spawned_in_s)
        try:
            self._hub.publish(session_topic(session.id))
            self._hub.publish(EFFECTS_TOPIC)
            async with asyncio.TaskGroup() as group:
                fence = group.create_task(self._until_replaced())
                await self._listen(session)
                fence.cancel()
        except* (WebSocketDisconnect, GreenroomError, _Fenced, ValidationError, OSError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._links.closed(self._link)

    async def _welcome(self) -> Session:
        try:
            session = await self._sessions.by_launch(self._link.launch_id)
        except NotFound:
            raise _Fenced from None
        if session.stage is Stage.ENDED:
            raise _Fenced
        offer_follows = self._links.is_wanted(session.launch_id)
        spec = spec_of(session, await self._entrance.bot(session), offer_follows=offer_follows)
        await self._send(Welcome(report_seq=session.report_seq, session=spec))
        return session

    async def _until_replaced(self) -> None:
        await self._link.replaced.wait()
        raise _Fenced

    async def _listen(self, session: Session) -> None:
        while True:
            message = await self._receive()
            match message:
                case Report():
                    session = await self._take(session, message)
                case Ephemeral():
                    self._pass_on(session, message)
                case Answer():
                    self._link.answered(message)
                case OfferRefused():
                    self._link.refused(message)
                case CommandDone():
                    self._link.done(message.command_id)
                case Hello():
                    raise _Fenced

    async def _take(self, session: Session, report: Report) -> Session:
        """Returns the session afterwards: the next report will most likely find it like that."""
        taken = await self._reports.take(Way.LINK, session.launch_id, session.id, report, session)
        if taken.outcome is Outcome.FENCED:
            raise _Fenced
        if taken.outcome is Outcome.GAP:
            raise NotFound("A report is missing; send again from the last one on record.")
        await self._send(ReportAck(seq=report.seq))
        return taken.session

    def _pass_on(self, session: Session, told: Ephemeral) -> None:
        """To whoever follows just now. What is too much, or no such thing, is only counted."""
        outcome = "passed"
        try:
            if not self._pace.keeps(time.monotonic()):
                outcome = "too_many"
            else:
                word = word_of_a_bot(session.id, time.time(), told)
                self._hub.publish(ephemeral_topic(session.id), [word])
        except BadRequest:
            outcome = "malformed"
        self._metrics.ephemeral.labels(outcome=outcome).inc()

    async def _receive(self) -> WireModel:
        try:
            text = await self._websocket.receive_text()
        except KeyError:
            text = ""  # a binary frame: nothing of ours
        except RuntimeError as error:  # it broke while somebody else sent
            raise ConnectionResetError("The bot's connection broke.") from error
        if len(text) > MAX_LINK_MESSAGE_BYTES:
            raise _Fenced
        return from_bot.validate_json(text)

    async def _send(self, message: WireModel) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await self._websocket.send_text(message.to_json())
        # It breaks while we send, or broke while somebody else did (a `RuntimeError`); to whoever
        # sends, a link is any connection.
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionResetError("The bot's connection broke.") from error
