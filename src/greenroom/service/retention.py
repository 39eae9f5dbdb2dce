"""What is kept how long: words of ended sessions are erased, and sessions forgotten, by rule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from greenroom.errors import GreenroomError
from greenroom.ports.clock import Clock
from greenroom.ports.records import Records

log = structlog.get_logger("greenroom.retention")

SWEEP_EVERY_S = 3600.0
# So many in one transaction: on SQLite nobody else writes meanwhile.
BATCH = 100
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long is kept what, in seconds from a session's end; None: for ever.

    Attributes:
        words_s: Its events: transcripts, answers, and whatever else a page was told.
        sessions_s: The session itself: whose it was, when, why it ended, what it cost.
    """

    words_s: float | None = None
    sessions_s: float | None = None


def keeping_of(words_days: float | None, sessions_days: float | None) -> Keeping:
    """The rule, from days as people set them."""
    words_s = None if words_days is None else words_days * DAY_S
    return Keeping(words_s, None if sessions_days is None else sessions_days * DAY_S)


@dataclass(frozen=True, slots=True)
class Swept:
    """Of how many sessions the words were erased, and how many were forgotten."""

    erased: int
    forgotten: int


class Retention:
    """Erases and forgets what is older than its rule.

    Args:
        records: What is kept.
        clock: The time.
        keeping: The rule.
    """

    def __init__(self, records: Records, clock: Clock, keeping: Keeping) -> None:
        self._records = records
        self._clock = clock
        self._keeping = keeping

    async def run(self) -> None:
        """Sweep every hour, and now. Until cancelled."""
        while True:
            try:
                swept = await self.sweep()
            except GreenroomError as error:
                log.warning("retention.not_swept", error=error.message, code=error.code)
            else:
                if swept != Swept(0, 0):
                    log.info("retention.swept", erased=swept.erased, forgotten=swept.forgotten)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self) -> Swept:
        """Do away with everything that is too old by now.

        Raises:
            Unavailable: The store is away; what is left is done next time.
        """
        now, keeping, records = self._clock.now(), self._keeping, self._records
        erased = forgotten = 0
        if keeping.sessions_s is not None:
            before = now - keeping.sessions_s
            forgotten = await _all(lambda: records.forget(before, BATCH))
        if keeping.words_s is not None:
            words_before = now - keeping.words_s
            erased = await _all(lambda: records.erase_words(words_before, now, BATCH))
        return Swept(erased, forgotten)


async def _all(some: Callable[[], Awaitable[int]]) -> int:
    done = 0
    while count := await some():
        done += count
        await asyncio.sleep(0)  # calls go first
    return done
