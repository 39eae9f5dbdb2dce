"""The bot's end of the link: dials Greenroom, keeps what it reports, and dials again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from loguru import logger
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from greenroom.errors import BadRequest, TooLarge
from greenroom.wire.link import (
    LINK_FENCED,
    MAX_EPHEMERAL_BYTES,
    MAX_LINK_MESSAGE_BYTES,
    MOST_AGO_MS,
    Answer,
    BotLevel,
    Candidates,
    Command,
    CommandDone,
    Ephemeral,
    Hello,
    Offer,
    OfferRefused,
    Report,
    ReportAck,
    ReportKind,
    SessionSpec,
    Welcome,
    to_bot,
)
from greenroom.wire.process import BotSpec

MAX_KEPT_REPORTS = 10_000
GIVE_UP_AFTER_S = 15 * 60.0
FIRST_DELAY_S = 0.1
# A restarted server must find its bots within 3 s, so they never wait longer than this.
LONGEST_DELAY_S = 1.0
WELCOME_WITHIN_S = 10.0
# Refused for good: the secret is unknown, the launch is not ours, or the session is gone.
FINAL_STATUSES = frozenset({401, 403, 410})
# Ephemeral events of different types that wait for a moment when nothing else is to be sent.
MOST_EPHEMERAL_TYPES = 16
# A report that waited no longer than this is news; one that did says so, for which there is room.
TELLS_AGO_MS = 500
_ROOM_BYTES = 32
# What may be lost when nobody has listened for so long that the buffer is full.
EXPENDABLE = frozenset({ReportKind.USER_SPEECH, ReportKind.BOT_SPEECH, ReportKind.USAGE})

# A session's spec comes with every welcome but the first: what was missed meanwhile is in it.
FromGreenroom = Command | Offer | Candidates | SessionSpec
Reply = Answer | OfferRefused | CommandDone


class LinkEnd(StrEnum):
    """Why the link is over for good."""

    FENCED = "fenced"  # a newer launch has the session, or the session is over
    REFUSED = "refused"  # Greenroom does not know this launch
    LOST = "lost"  # Greenroom could not be reached for too long


class LinkClient:
    """One bot's link to Greenroom, across any number of connections; made in a running loop.

    Guarantees: reports are numbered without a gap, kept until acknowledged and sent again
    after every reconnect; they are never reordered. When `MAX_KEPT_REPORTS` wait for an
    acknowledgement, new reports that only describe the moment (speaking, usage, transcripts
    that are not final) are not taken; all others still are.
    Replies are sent once, on the connection that is open: whoever misses one asks again.
    Ephemeral events are sent when nothing else waits, of each type the newest, or not at all.
    """

    def __init__(
        self,
        spec: BotSpec,
        *,
        level: BotLevel,
        pid: int,
        received: Callable[[FromGreenroom], None],
        give_up_after_s: float = GIVE_UP_AFTER_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._level = level
        self._pid = pid
        self._received = received
        self._give_up_after_s = give_up_after_s
        self._clock_s = clock_s
        self._last_seq = 0
        self._sent_seq = 0
        self._unacked: dict[int, _Kept] = {}
        self._replies: deque[str] = deque()
        self._ephemeral: dict[str, str] = {}
        self._connected = False
        self._to_send = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._all_acked = asyncio.Event()
        self._all_acked.set()
        self._session: asyncio.Future[SessionSpec] = asyncio.get_running_loop().create_future()

    async def welcomed(self) -> SessionSpec:
        """Wait for the first welcome; returns what it says of the session."""
        return await asyncio.shield(self._session)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as anybody here knows."""
        return self._connected

    def report(self, kind: ReportKind, data: dict[str, Any]) -> None:
        """Number a report and send it as soon as there is a connection. Never blocks.

        Raises:
            TooLarge: It does not fit into `MAX_LINK_MESSAGE_BYTES`.
            BadRequest: Nobody could read it (nested too deeply), so it must not be sent for ever.
        """
        if len(self._unacked) >= MAX_KEPT_REPORTS and _expendable(kind, data):
            return
        report = Report(
            seq=self._last_seq + 1, at_ms=time.time_ns() // 1_000_000, kind=kind, data=data
        )
        text = report.to_json()
        if len(text.encode()) > MAX_LINK_MESSAGE_BYTES - _ROOM_BYTES:
            raise TooLarge("A report is larger than the link allows.", kind=kind.value)
        try:
            Report.model_validate_json(text)
        except ValidationError as error:
            raise BadRequest("A report cannot be read back.", kind=kind.value) from error
        self._last_seq = report.seq
        self._unacked[report.seq] = _Kept(report, text, self._clock_s())
        self._all_acked.clear()
        self._to_send.set()

    def ephemeral(self, event: str, data: dict[str, Any]) -> None:
        """Tell whoever follows just now, if there is a connection. Never blocks, keeps nothing.

        Raises:
            TooLarge: It does not fit into `MAX_EPHEMERAL_BYTES`.
        """
        if not self._connected:
            return
        text = Ephemeral(event=event, data=data).to_json()
        if len(text.encode()) > MAX_EPHEMERAL_BYTES:
            raise TooLarge("An ephemeral event is larger than the link allows.", event=event)
        if event in self._ephemeral or len(self._ephemeral) < MOST_EPHEMERAL_TYPES:
            self._ephemeral[event] = text
            self._to_send.set()

    def reply(self, message: Reply) -> None:
        """Answer an offer or a command. Never blocks."""
        self._replies.append(message.to_json())
        self._all_sent.clear()
        self._to_send.set()

    async def sent(self, within_s: float) -> bool:
        """Wait until every reply has left, or the time is up."""
        try:
            async with asyncio.timeout(within_s):
                await self._all_sent.wait()
        except TimeoutError:
            return False
        return True

    async def flush(self, within_s: float) -> bool:
        """Wait until every reply is sent and every report acknowledged, or the time is up."""
        try:
            async with asyncio.timeout(within_s):
                await self._all_sent.wait()
                await self._all_acked.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> LinkEnd:
        """Dial, talk, and dial again until Greenroom refuses us or is gone for too long.

        Cancellation closes the connection and ends it.
        """
        lost_at_s = self._clock_s()
        delay_s = FIRST_DELAY_S
        while True:
            try:
                async with self._dial() as connection:
                    await self._greet(connection)
                    linked_at_s = self._clock_s()
                    try:
                        await self._talk(connection)
                    finally:
                        lost_at_s = self._clock_s()
                        # Who welcomes us, and cannot keep what we report, is not to be stormed.
                        if lost_at_s - linked_at_s > LONGEST_DELAY_S:
                            delay_s = FIRST_DELAY_S
            except InvalidStatus as refused:
                if refused.response.status_code in FINAL_STATUSES:
                    return LinkEnd.REFUSED
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == LINK_FENCED:
                    return LinkEnd.FENCED
            except (OSError, TimeoutError, WebSocketException, ValidationError):
                pass  # not there, or not itself yet: dial again
            if self._clock_s() - lost_at_s > self._give_up_after_s:
                return LinkEnd.LOST
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    def _dial(self) -> connect:
        return connect(
            self._spec.link_url,
            additional_headers={
                "Authorization": f"Bearer {self._spec.secret}",
                "X-Greenroom-Launch": self._spec.launch_id,
            },
            proxy=None if _is_loopback(self._spec.link_url) else True,
            compression=None,
            open_timeout=WELCOME_WITHIN_S,
            close_timeout=0.5,
            ping_interval=10,
            ping_timeout=10,
            max_size=MAX_LINK_MESSAGE_BYTES,
        )

    async def _greet(self, connection: ClientConnection) -> None:
        hello = Hello(
            launch_id=self._spec.launch_id,
            pid=self._pid,
            level=self._level,
            resumed=self._session.done(),
        )
        async with asyncio.timeout(WELCOME_WITHIN_S):
            await connection.send(hello.to_json())
            welcome = Welcome.model_validate_json(await connection.recv())
        self._forget_up_to(welcome.report_seq)
        self._sent_seq = min(self._unacked, default=self._last_seq + 1) - 1
        self._replies.clear()  # whoever still waits for one asks again on this connection
        self._ephemeral.clear()
        self._connected = True
        self._to_send.set()
        if self._session.done():
            self._received(welcome.session)
        else:
            self._session.set_result(welcome.session)

    async def _talk(self, connection: ClientConnection) -> None:
        """Send and receive until the connection is closed; raises `ConnectionClosed`."""
        sender = asyncio.create_task(self._send_all(connection))
        try:
            while True:
                self._take(await connection.recv())
        finally:
            self._connected = False
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send_all(self, connection: ClientConnection) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._replies:
                await connection.send(self._replies[0])
                self._replies.popleft()
            self._all_sent.set()
            while (kept := self._unacked.get(self._sent_seq + 1)) is not None:
                await connection.send(kept.told(self._clock_s()))
                self._sent_seq += 1
            while self._ephemeral and not self._to_send.is_set():
                await connection.send(self._ephemeral.pop(next(iter(self._ephemeral))))

    def _take(self, text: str | bytes) -> None:
        try:
            message = to_bot.validate_json(text)
        except ValidationError:
            logger.warning("Greenroom sent a message that this bot does not know")
            return
        if isinstance(message, ReportAck):
            self._forget_up_to(message.seq)
        elif not isinstance(message, Welcome):
            self._received(message)

    def _forget_up_to(self, seq: int) -> None:
        while self._unacked and (first := next(iter(self._unacked))) <= seq:
            del self._unacked[first]
        if not self._unacked:
            self._all_acked.set()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A report that is not acknowledged yet, and since when by the bot's own clock."""

    report: Report
    text: str
    since_s: float

    def told(self, now_s: float) -> str:
        """As it is sent now: one that had to wait says for how long."""
        ago_ms = round((now_s - self.since_s) * 1000)
        if ago_ms < TELLS_AGO_MS:
            return self.text
        return self.report.model_copy(update={"ago_ms": min(ago_ms, MOST_AGO_MS)}).to_json()


def _expendable(kind: ReportKind, data: dict[str, Any]) -> bool:
    partial = kind is ReportKind.TRANSCRIPT and not data.get("final")
    return partial or kind in EXPENDABLE


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
