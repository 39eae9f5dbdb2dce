"""The waiting room: whoever is next is let in as soon as there is a place, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from greenroom.errors import Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.store import Move, StaleWrite, Store
from greenroom.service.admission import Admission
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import QUEUE_TOPIC, Sessions
from greenroom.service.writer import as_move
from greenroom.session.facts import Change
from greenroom.session.inputs import LetIn, MovedUp
from greenroom.session.lifecycle import transition
from greenroom.session.model import Session
from greenroom.session.policy import Occupancy

log = structlog.get_logger("greenroom.queue")

# Another server's sessions end without a word to us, and a machine's load falls by itself.
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Step:
    before: Session
    change: Change


class WaitingRoom:
    """Lets in whose turn it is, and tells the others how far they have come."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        sessions: Sessions,
        admission: Admission,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._sessions = sessions
        self._admission = admission
        self._metrics = metrics

    async def run(self) -> None:
        """Look whenever a session ends, and now and then. Until cancelled."""
        async with self._hub.subscribe(QUEUE_TOPIC) as waiter:
            while True:
                try:
                    await self.look()
                except Unavailable as error:
                    log.warning("store.unavailable", error=error.message)
                except Exception:
                    self._metrics.uncaught.labels(place="queue").inc()
                    log.exception("queue.uncaught")
                await waiter.wait(LOOK_EVERY_S)

    async def look(self) -> int:
        """Let in whoever may come in now; returns how many were."""
        # Most of the time nobody waits, and then nobody is kept from starting by a look.
        waiting = await self._store.waiting()
        self._metrics.sessions_queued.set(len(waiting))
        if not waiting or not self._sessions.takes_new:
            return 0
        now = self._clock.now()
        steps: list[_Step] = []

        def decide(occupancy: Occupancy, waiting: Sequence[Session]) -> Sequence[Move]:
            steps[:] = self._steps(occupancy, waiting, now)
            return [as_move(step.before, step.change) for step in steps]

        try:
            await self._store.let_in(self._admission.quotas, now, decide)
        except StaleWrite:
            self._hub.publish(QUEUE_TOPIC)  # somebody left at this moment: look again at once
            return 0
        for step in steps:
            self._sessions.announce(step.before, step.change, now)
        return sum(step.change.session.admitted_at is not None for step in steps)

    def _steps(self, occupancy: Occupancy, waiting: Sequence[Session], now: float) -> list[_Step]:
        let_in = set(self._admission.next_in(occupancy))
        steps = []
        position = 0
        for index, session in enumerate(waiting):
            if index in let_in:
                change = transition(session, LetIn(), now)
            else:
                position += 1
                change = transition(session, MovedUp(position), now)
            if change.session != session:
                steps.append(_Step(session, change))
        return steps
