"""The one writer: read, decide, commit, and tell whoever waits. Every change goes through it."""

from __future__ import annotations

import math
from asyncio import Lock
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog

from greenroom.errors import Conflict
from greenroom.ports.clock import Clock
from greenroom.ports.effects import NewEffect, PendingEffect
from greenroom.ports.hub import Hub
from greenroom.ports.store import (
    Move,
    New,
    NewEvent,
    StaleWrite,
    Store,
)
from greenroom.service.deliveries import DELIVERIES_TOPIC
from greenroom.service.events import words_of
from greenroom.service.metrics import Metrics
from greenroom.service.purse import Purse
from greenroom.service.redaction import Redaction
from greenroom.service.tracing import ids_of, span
from greenroom.session import inputs as i
from greenroom.session.deadlines import deadlines
from greenroom.session.facts import Change
from greenroom.session.lifecycle import transition
from greenroom.session.model import Session, Stage
from greenroom.wire.translate import event_of

log = structlog.get_logger("greenroom.sessions")

# Writers of this process take turns; only another process can be faster.
MOST_ROUNDS = 20

EFFECTS_TOPIC = "effects"
DEADLINES_TOPIC = "deadlines"
# Published when a place may have become free, or a place in the queue.
QUEUE_TOPIC = "queue"


def session_topic(session_id: str) -> str:
    """The hub's topic that is published on every change of a session, and when its bot links."""
    return f"session:{session_id}"


class Writer:
    """Makes of every input one transaction.

    Args:
        store: The truth.
        hub: Woken after every commit.
        clock: The time.
        metrics: Counters.
        purse: Prices and budgets.
        redaction: What is taken out of people's words before they are kept.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        metrics: Metrics,
        purse: Purse,
        redaction: Redaction | None = None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._metrics = metrics
        self._purse = purse
        self._redaction = redaction or Redaction()
        self._turns: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    async def apply(
        self,
        session_id: str,
        event: i.Input,
        known: Session | None = None,
        *,
        settles: PendingEffect | None = None,
    ) -> Session:
        """Let something happen to a session: read, decide, commit; again if somebody was faster."""
        _, change = await self.change(session_id, event, known, settles=settles)
        return change.session

    async def change(
        self,
        session_id: str,
        event: i.Input,
        known: Session | None = None,
        *,
        settles: PendingEffect | None = None,
    ) -> tuple[Session, Change]:
        """As `apply`; returns the session as it was, and what became of it.

        Args:
            session_id: Which session.
            event: What happens to it.
            known: The session as the caller has last seen it. If it still is on record like that,
                which the commit finds out, the look at it is spared.
            settles: The effect that this is what came of; it is struck off, whatever happens.

        Raises:
            AlreadySettled: ``settles`` was struck off before; nothing has happened.
            NotFound: There is no such session.
            Conflict: Other processes were faster every time.
            GreenroomError: What `lifecycle.transition` refuses, and `Unavailable`.
        """
        # First come, first served: a bot that reports without pause must not outrun its own end.
        async with self._turns.setdefault(session_id, Lock()):
            before, change = await self._in_turn(session_id, event, known, settles)
            return before, await self._within_budget(before, change)

    async def _within_budget(self, before: Session, change: Change) -> Change:
        """The change, and what follows at once if it has cost more than there is."""
        after = change.session
        while verdict := await self._purse.verdict(before, after):
            before, next_change = await self._in_turn(after.id, verdict, after)
            after = next_change.session
        return replace(change, session=after)

    async def _in_turn(
        self,
        session_id: str,
        event: i.Input,
        known: Session | None,
        settles: PendingEffect | None = None,
    ) -> tuple[Session, Change]:
        for _ in range(MOST_ROUNDS):
            before = known or await self._store.get(session_id)
            now = self._clock.now()
            change = transition(before, event, now)
            # What is told or asked counts too: a message may leave the record as it was.
            nothing = change.session == before and not change.facts and not change.effects
            if nothing and settles is None:
                if known is None:
                    return before, change
                known = None  # no commit has found out whether it still is so
                continue
            events = self._redaction.of(_events(change))
            try:
                with span(f"session.{type(event).__name__}", before):
                    after = await self._store.commit(
                        before, change.session, events, self._effects(change), now, settles
                    )
            except StaleWrite:
                known = None
                continue
            self._announce(before, change, events, now)
            return before, Change(after, change.facts, change.effects, change.outcome)
        raise Conflict("The session is changing too fast. Try again.")

    def _effects(self, change: Change) -> list[NewEffect]:
        """The effects, and what is kept of those that give an assistant something to know."""
        return [
            replace(effect, context=self._redaction.context_in(effect))
            for effect in _effects(change)
        ]

    def announce(self, before: Session, change: Change, at: float) -> None:
        """Count and log what was committed at this time, and tell whoever waits for it."""
        self._announce(before, change, _events(change), at)

    def _announce(
        self, before: Session, change: Change, events: Sequence[NewEvent], at: float
    ) -> None:
        after = change.session
        self._purse.note(before, after)
        if before.stage is Stage.QUEUED and after.stage is Stage.CONNECTING:
            self._note_start(after)
        self._note_end(before, after)
        self._wake(before.last_seq, change, events, at)
        if _first_due_at(after) < _first_due_at(before):
            self._hub.publish(DEADLINES_TOPIC)  # those who keep time know of the later ones
        if Stage.QUEUED is before.stage is not after.stage or after.stage is Stage.ENDED:
            self._hub.publish(QUEUE_TOPIC)

    def begun(self, change: Change, at: float) -> None:
        """As `announce`, of a session that was stored for the first time."""
        self._note_start(change.session)
        self._wake(0, change, _events(change), at)
        self._hub.publish(DEADLINES_TOPIC)

    def _note_start(self, session: Session) -> None:
        queued = session.stage is Stage.QUEUED
        if not queued:
            self._metrics.sessions_started.inc()
        log.info("session.queued" if queued else "session.started", **ids_of(session))

    def _note_end(self, before: Session, after: Session) -> None:
        if before.stage is Stage.ENDED or after.stage is not Stage.ENDED:
            return
        assert after.reason is not None
        assert after.ended_at is not None
        duration_s = after.duration_s(after.ended_at)
        self._metrics.sessions_ended.labels(reason=after.reason.value).inc()
        self._metrics.session_seconds.observe(duration_s)
        log.info(
            "session.ended",
            **ids_of(after),
            reason=after.reason.value,
            duration_s=round(duration_s, 1),
        )

    def _wake(self, last_seq: int, change: Change, events: Sequence[NewEvent], at: float) -> None:
        session_id = change.session.id
        self._hub.publish(session_topic(session_id), words_of(session_id, last_seq, at, events))
        if events:
            self._hub.publish(DELIVERIES_TOPIC)
        if change.effects:
            self._hub.publish(EFFECTS_TOPIC)


def _first_due_at(session: Session) -> float:
    return min(deadlines(session).values(), default=math.inf)


def as_new(change: Change) -> New:
    """What the store is given of a session's first change."""
    return New(change.session, _events(change), _effects(change))


def as_move(before: Session, change: Change) -> Move:
    """What the store is given of a change."""
    return Move(before, change.session, _events(change), _effects(change))


def _events(change: Change) -> list[NewEvent]:
    return [NewEvent(*event_of(fact)) for fact in change.facts]


def _effects(change: Change) -> list[NewEffect]:
    return [NewEffect(effect.kind, effect.payload) for effect in change.effects]
