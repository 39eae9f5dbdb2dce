"""The bot's line to Greenroom where only webhooks are possible: reports go out, little comes back.

It has the face of `greenroom.bot.link.LinkClient`. The answers say how the session stands, and so
the bot learns that it is muted, paused or no longer wanted: at the next post, and when it asks.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
from loguru import logger
from pydantic import ValidationError

from greenroom.bot.link import FromGreenroom, LinkEnd, Reply
from greenroom.errors import TooLarge
from greenroom.wire.handover import Handover
from greenroom.wire.link import (
    BotLevel,
    Command,
    CommandKind,
    Report,
    ReportKind,
    SessionSpec,
)
from greenroom.wire.posted import (
    MAX_REPORTS,
    ReportBatch,
    Standing,
    signed_headers,
    webhook_secret,
)

POST_WITHIN_S = 10.0
# How long a bot may not know that it was muted, or that its session is over.
ASK_EVERY_S = 2.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 10.0
GIVE_UP_AFTER_S = 15 * 60.0
MAX_BATCH_BYTES = 240 * 1024


class WebhookLine:
    """One launch's reports by webhook; made in a running loop.

    Guarantees: reports are numbered without a gap, kept until they are on record, and sent again.
    Offers, typed text and `say` do not come this way, and ephemeral events are not sent.

    Args:
        told: What was handed over.
        spec: As `LinkClient` has it; what was handed over says the same.
        level: What the bot's module promises; the report that it has joined says what it is.
        pid: As `LinkClient` has it.
        received: Called with what Greenroom wants.
        transport: How to get there; the network if None.
        now: Seconds since the epoch; a clock that is wrong by minutes is refused.
    """

    def __init__(
        self,
        told: Handover,
        spec: Any = None,
        *,
        level: BotLevel = BotLevel.OBSERVED,
        pid: int = 0,
        received: Callable[[FromGreenroom], None],
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._told = told
        self._secret = webhook_secret(told.secret)
        self._received = received
        self._transport = transport
        self._now = now
        self._last_seq = 0
        self._waiting: deque[Report] = deque()
        self._to_send = asyncio.Event()
        self._all_acked = asyncio.Event()
        self._all_acked.set()
        self._stands = (told.session.muted, told.session.paused)
        self._ended = False
        self._session: asyncio.Future[SessionSpec] = asyncio.get_running_loop().create_future()

    async def welcomed(self) -> SessionSpec:
        """See `LinkClient.welcomed`: the session as it stands at the first answer."""
        return await asyncio.shield(self._session)

    @property
    def is_connected(self) -> bool:
        """Whether it has reached Greenroom at all."""
        return self._session.done()

    def report(self, kind: ReportKind, data: dict[str, Any]) -> None:
        """See `LinkClient.report`.

        Raises:
            TooLarge: It does not fit into one message.
        """
        at_ms = int(self._now() * 1000)
        report = Report(seq=self._last_seq + 1, at_ms=at_ms, kind=kind, data=data)
        if len(report.to_json().encode()) > MAX_BATCH_BYTES:
            raise TooLarge("A report is larger than a message may be.", kind=kind.value)
        self._last_seq = report.seq
        self._waiting.append(report)
        self._all_acked.clear()
        self._to_send.set()

    def ephemeral(self, event: str, data: dict[str, Any]) -> None:
        """Not sent: by the time of the next post it is worthless."""

    def reply(self, message: Reply) -> None:
        """Not sent: nobody asks anything on this line."""

    async def sent(self, within_s: float) -> bool:
        """See `LinkClient.sent`: there is nothing to wait for."""
        return True

    async def flush(self, within_s: float) -> bool:
        """Wait until every report is on record, or the time is up."""
        try:
            async with asyncio.timeout(within_s):
                await self._all_acked.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> LinkEnd:
        """Post and ask until the session is over, Greenroom refuses us, or is gone for too long."""
        answered_s, delay_s = time.monotonic(), FIRST_DELAY_S
        async with httpx.AsyncClient(transport=self._transport, timeout=POST_WITHIN_S) as client:
            while True:
                self._to_send.clear()
                ending, taken = await self._post(client)
                if ending is not None:
                    return ending
                if taken:
                    answered_s, delay_s = time.monotonic(), FIRST_DELAY_S
                    if not self._waiting:
                        await self._until_something(ASK_EVERY_S)
                elif time.monotonic() - answered_s > GIVE_UP_AFTER_S:
                    return LinkEnd.LOST
                else:
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _until_something(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._to_send.wait()
        except TimeoutError:
            pass

    async def _post(self, client: httpx.AsyncClient) -> tuple[LinkEnd | None, bool]:
        """One message: why the line is over, if it is, and whether it was taken."""
        batch = self._batch()
        body = ReportBatch(reports=batch).to_json()
        first, last = (batch[0].seq, batch[-1].seq) if batch else (0, 0)
        launch_id = self._told.session.launch_id
        headers = signed_headers(
            launch_id, self._secret, f"{launch_id}_{first}_{last}", self._now(), body
        )
        try:
            answer = await client.post(self._told.webhook_url, content=body, headers=headers)
        except (httpx.HTTPError, OSError):
            return None, False
        match answer.status_code:
            case 410:
                return LinkEnd.FENCED, False
            case 401 | 403:
                return LinkEnd.REFUSED, False
            case 400 | 413 if batch:  # for good: the rest must not wait for it for ever
                logger.warning("Greenroom could not read a report of this bot")
        if not answer.is_success:
            return None, False
        try:
            self._take(Standing.model_validate_json(answer.content))
        except ValidationError:
            return None, False
        return None, True

    def _batch(self) -> list[Report]:
        batch: list[Report] = []
        left_bytes = MAX_BATCH_BYTES
        for report in self._waiting:
            left_bytes -= len(report.to_json().encode()) + 1
            if left_bytes < 0 or len(batch) == MAX_REPORTS:
                break
            batch.append(report)
        return batch

    def _take(self, answer: Standing) -> None:
        while self._waiting and self._waiting[0].seq <= answer.report_seq:
            self._waiting.popleft()
        self._last_seq = max(self._last_seq, answer.report_seq)
        if not self._waiting:
            self._all_acked.set()
        stands = {"muted": answer.muted, "paused": answer.paused}
        session = self._told.session.model_copy(update=stands)
        if not self._session.done():
            self._session.set_result(session)
        elif self._stands != (answer.muted, answer.paused):
            self._received(session)
        self._stands = (answer.muted, answer.paused)
        if answer.ended and not self._ended:
            self._ended = True
            data = {"reason": "ended"}
            self._received(Command(command_id="ended", kind=CommandKind.END, data=data))
