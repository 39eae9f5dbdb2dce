"""A bot's end of ``POST /webhook``: numbers, signs and posts, until it is on record."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from greenroom.errors import LaunchFenced, ReportGap, TooLarge, Unavailable
from greenroom.service.policies import Policy
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.reports import (
    MAX_REPORTS,
    ReportBatch,
    ReportsAnswer,
    signed_headers,
    webhook_secret,
)

POSTING = Policy(timeout_s=10.0, attempts=6)
# The server reads 256 KiB; the rest is for what stands around the reports.
MAX_REPORTS_BYTES = 240 * 1024


class Reporter:
    """Reports for one launch, for tests and for agents that run Python.

    Reports are kept until the server says that they are on record; so a break, a restart of the
    server, or an answer that got lost loses none and repeats none.

    Args:
        client: Posts; its base URL is the server's.
        launch_id: Whose reports they are.
        launch_secret: That launch's secret.
        now: Seconds since the epoch; a clock that is wrong by minutes is refused.
        sleep: Waits between two tries.
        last_seq: The last number this launch has used; a bot that begins anew in mid-session gets
            it from an empty `post`.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        launch_id: str,
        launch_secret: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        last_seq: int = 0,
    ) -> None:
        self._client = client
        self._launch_id = launch_id
        self._secret = webhook_secret(launch_secret)
        self._now = now
        self._retrying = AsyncRetrying(
            stop=stop_after_attempt(POSTING.attempts),
            wait=_wait_s,
            retry=retry_if_exception_type((Unavailable, httpx.TransportError)),
            reraise=True,
            sleep=sleep,
        )
        self._last_seq = last_seq
        self._waiting: deque[Report] = deque()

    def add(self, kind: ReportKind | str, **data: Any) -> Report:
        """Number a report; the next `post` sends it.

        Raises:
            TooLarge: It does not fit into one message.
        """
        at_ms = int(self._now() * 1000)
        report = Report(seq=self._last_seq + 1, at_ms=at_ms, kind=kind, data=data)
        if _size_bytes(report) > MAX_REPORTS_BYTES:
            raise TooLarge("A report is larger than a message may be.")
        self._last_seq = report.seq
        self._waiting.append(report)
        return report

    async def post(self) -> ReportsAnswer:
        """Send what waits, or only ask how the session stands.

        Returns:
            The last answer. With ``ended`` the bot must end; what still waits is of no use then.

        Raises:
            LaunchFenced: The launch has no session (any more): the bot must end.
            ReportGap: The server misses reports that were never given to this object.
            Unavailable: The server did not take it, on none of the tries; it still waits.
            httpx.TransportError: It could not be reached, on none of the tries.
            httpx.HTTPStatusError: It refuses what was sent, for good.
        """
        while True:
            batch = self._next_batch()
            answer: ReportsAnswer = await self._retrying(self._post_once, batch)
            while self._waiting and self._waiting[0].seq <= answer.report_seq:
                self._waiting.popleft()
            if answer.ended or not self._waiting:
                return answer

    def _next_batch(self) -> list[Report]:
        """The oldest that wait, as many as one message may carry."""
        batch: list[Report] = []
        left_bytes = MAX_REPORTS_BYTES
        for report in islice(self._waiting, MAX_REPORTS):
            left_bytes -= _size_bytes(report)
            if left_bytes < 0:
                break
            batch.append(report)
        return batch

    async def _post_once(self, batch: list[Report]) -> ReportsAnswer:
        body = ReportBatch(reports=batch).to_json()
        response = await self._client.post(
            "/webhook",
            content=body,
            headers=signed_headers(
                self._launch_id, self._secret, self._message_id(batch), self._now(), body
            ),
            timeout=POSTING.timeout_s,
        )
        match response.status_code:
            case 410:
                raise LaunchFenced("This launch has no session (any more).")
            case 409 if response.json()["code"] == ReportGap.code:
                raise ReportGap("The server misses reports that are not here.")
            case 409 | 429 | 502 | 503 | 504:
                after = response.headers.get("Retry-After", "")
                after_s = float(after) if after.isdigit() else None
                raise Unavailable("The server takes no reports now.", retry_after_s=after_s)
        response.raise_for_status()
        return ReportsAnswer.model_validate_json(response.content)

    def _message_id(self, batch: list[Report]) -> str:
        """The same at each try; Standard Webhooks has no full stop in it."""
        first, last = (batch[0].seq, batch[-1].seq) if batch else (0, 0)
        return f"{self._launch_id}_{first}_{last}"


def _size_bytes(report: Report) -> int:
    return len(report.to_json().encode()) + 1


def _wait_s(tried: RetryCallState) -> float:
    error = tried.outcome.exception() if tried.outcome else None
    asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
    return max(asked_s or 0.0, POSTING.wait_s(tried.attempt_number))
