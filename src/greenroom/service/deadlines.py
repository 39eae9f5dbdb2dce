"""Carrying deadlines out: rows with a time, looked at when one comes due. No timer is kept."""

from __future__ import annotations

import structlog

from greenroom.errors import GreenroomError, Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.store import Store
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import DEADLINES_TOPIC, Sessions
from greenroom.session.inputs import Due

log = structlog.get_logger("greenroom.deadlines")

# A clock that jumps, or a laptop that slept, is noticed after at most this long.
LONGEST_NAP_S = 1.0
BATCH = 500


class Timekeeper:
    """Tells sessions that their deadlines have come."""

    def __init__(
        self, store: Store, hub: Hub, clock: Clock, sessions: Sessions, metrics: Metrics
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._sessions = sessions
        self._metrics = metrics

    async def run(self) -> None:
        """Keep time until cancelled."""
        async with self._hub.subscribe(DEADLINES_TOPIC) as waiter:
            while True:
                nap_s = LONGEST_NAP_S
                try:
                    await self.tick()
                    nap_s = await self._nap_s()
                except Unavailable as error:
                    log.warning("store.unavailable", error=error.message)
                await waiter.wait(nap_s)

    async def tick(self) -> int:
        """Carry out everything that is due now; returns how many deadlines were."""
        due = await self._store.due(self._clock.now(), BATCH)
        for deadline in due:
            try:
                await self._sessions.apply(deadline.session_id, Due(deadline.kind))
            except Unavailable:
                raise
            except GreenroomError as error:
                log.warning(
                    "deadline.failed",
                    session=deadline.session_id,
                    kind=deadline.kind.value,
                    error=error.message,
                )
            except Exception:
                self._metrics.uncaught.labels(place="deadlines").inc()
                log.exception("deadline.uncaught", session=deadline.session_id)
        return len(due)

    async def _nap_s(self) -> float:
        next_at = await self._store.next_due_at()
        if next_at is None:
            return LONGEST_NAP_S
        return min(LONGEST_NAP_S, max(0.01, next_at - self._clock.now()))
