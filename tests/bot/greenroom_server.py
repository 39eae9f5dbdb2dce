"""A stand-in for Greenroom's end of the link: a real WebSocket server that keeps records."""

from __future__ import annotations

import asyncio
import http
import itertools
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from greenroom.wire.link import (
    LINK_FENCED,
    Answer,
    Command,
    CommandDone,
    CommandKind,
    Ephemeral,
    Hello,
    Offer,
    OfferRefused,
    Report,
    ReportAck,
    ReportKind,
    RoomSpec,
    SessionSpec,
    Welcome,
    from_bot,
)
from greenroom.wire.process import BotSpec

_TRY_AGAIN = 1013
SECRET = "the-launch-s-own-secret"


class FakeGreenroom:
    """Welcomes one launch, acknowledges its reports, and can vanish and come back.

    Attributes:
        reports: Every report taken, in order, each once.
        received: Every report message, repeats included.
        hellos: Every hello.
        ephemeral: Every ephemeral event that came.
        acking: Whether reports are acknowledged.
        keeps: Whether it can keep reports; if not, it breaks the link at each.
    """

    def __init__(self, **session: Any) -> None:
        room = RoomSpec(name="voice-test-0123456789ab", allow_loopback=True)
        self.session = SessionSpec(
            session_id="session-1",
            launch_id="launch-1",
            assistant="cards",
            room=room,
            persistence_s=300,
            **session,
        )
        self.reports: list[Report] = []
        self.received: list[Report] = []
        self.hellos: list[Hello] = []
        self.ephemeral: list[Ephemeral] = []
        self.replies: list[Answer | OfferRefused | CommandDone] = []
        self.acking = True
        self.keeps = True
        self.refuse_with: http.HTTPStatus | None = None
        self._changed = asyncio.Condition()
        self._server: Server | None = None
        self.socket: ServerConnection | None = None
        self._numbers = itertools.count(1)
        self.port = 0

    async def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._admit, ping_interval=None
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def vanish(self) -> None:
        """Be gone at once, without a word, as after ``kill -9``."""
        assert self._server is not None
        self._server.close(close_connections=False)
        if self.socket is not None:
            self.socket.transport.abort()
            self.socket = None
        await self._server.wait_closed()

    async def fence(self) -> None:
        """Close the link with the code that says: never come back."""
        assert self.socket is not None
        await self.socket.close(LINK_FENCED)

    def spec(self, bot: str) -> BotSpec:
        """What a bot process is to be started with."""
        return BotSpec(
            launch_id=self.session.launch_id,
            session_id=self.session.session_id,
            bot=bot,
            link_url=f"ws://127.0.0.1:{self.port}/link",
            secret=SECRET,
        )

    async def linked(self, times: int = 1, within_s: float = 10.0) -> None:
        """Wait until the bot has said hello so many times."""
        await self._until(lambda: len(self.hellos) >= times, within_s)

    async def offer(
        self, offer_id: str, participant: str, sdp: str, *, renegotiates: bool = False
    ) -> Answer | OfferRefused:
        """Relay an offer and wait for what becomes of it."""
        before = len(self.replies)
        offer = Offer(
            offer_id=offer_id, participant=participant, sdp=sdp, renegotiates=renegotiates
        )
        await self._send(offer)

        def found() -> list[Answer | OfferRefused]:
            return [
                reply
                for reply in self.replies[before:]
                if not isinstance(reply, CommandDone) and reply.offer_id == offer_id
            ]

        await self._until(lambda: bool(found()), 10.0)
        return found()[0]

    async def command(
        self, kind: CommandKind, data: dict[str, Any] | None = None, command_id: str = ""
    ) -> None:
        """Send a command and wait until it is done."""
        command_id = command_id or f"command-{next(self._numbers)}"
        before = len(self.replies)
        await self._send(Command(command_id=command_id, kind=kind, data=data or {}))
        done = CommandDone(command_id=command_id)
        await self._until(lambda: done in self.replies[before:], 10.0)

    async def report(
        self,
        kind: ReportKind,
        matches: Callable[[dict[str, Any]], bool] = lambda data: True,
        *,
        after: int = 0,
        within_s: float = 10.0,
    ) -> Report:
        """Wait for the first such report whose number is greater than `after`."""

        def found() -> list[Report]:
            return [
                report
                for report in self.reports
                if report.seq > after and report.kind is kind and matches(report.data)
            ]

        try:
            await self._until(lambda: bool(found()), within_s)
        except TimeoutError:
            seen = [(r.seq, str(r.kind), r.data) for r in self.reports]
            raise AssertionError(f"no {kind} after {after} in {seen}") from None
        return found()[0]

    async def heard(self, event: str) -> Ephemeral:
        """Wait for an ephemeral event of this type; returns the newest."""

        def found() -> list[Ephemeral]:
            return [told for told in self.ephemeral if told.event == event]

        await self._until(lambda: bool(found()), 10.0)
        return found()[-1]

    @property
    def last_seq(self) -> int:
        """The number of the last report taken."""
        return self.reports[-1].seq if self.reports else 0

    def kinds(self) -> list[str]:
        """The kinds of all reports, in order."""
        return [str(report.kind) for report in self.reports]

    async def _send(self, message: Offer | Command) -> None:
        assert self.socket is not None
        await self.socket.send(message.to_json())

    async def _until(self, true: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(true)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        known = request.headers.get("Authorization") == f"Bearer {SECRET}"
        if not known or request.headers.get("X-Greenroom-Launch") != self.session.launch_id:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "")
        if self.refuse_with is not None:
            return connection.respond(self.refuse_with, "")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            hello = from_bot.validate_json(await socket.recv())
            assert isinstance(hello, Hello)
            self.socket = socket
            welcome = Welcome(report_seq=self.last_seq, session=self.session)
            await socket.send(welcome.to_json())
            await self._note(lambda: self.hellos.append(hello))
            async for text in socket:
                await self._take(socket, text)
        except ConnectionClosed:
            pass

    async def _take(self, socket: ServerConnection, text: str | bytes) -> None:
        message = from_bot.validate_json(text)
        if isinstance(message, Report):
            self.received.append(message)
            if not self.keeps:
                await socket.close(_TRY_AGAIN)
                return
            if message.seq == self.last_seq + 1:
                await self._note(lambda: self.reports.append(message))
            if self.acking:
                await socket.send(ReportAck(seq=self.last_seq).to_json())
        elif isinstance(message, Ephemeral):
            await self._note(lambda: self.ephemeral.append(message))
        elif not isinstance(message, Hello):
            await self._note(lambda: self.replies.append(message))

    async def _note(self, change: Callable[[], object]) -> None:
        async with self._changed:
            change()
            self._changed.notify_all()
