"""What a bot may still do and until when: pure, with the time passed in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntEnum

from greenroom.ports.launcher import ExitCause, LaunchOrder

# Between asking a bot where it hangs and killing it: long enough to write a traceback.
DUMP_S = 0.3
# After SIGKILL: how long the process may need to disappear before we stop waiting for news.
SETTLE_S = 3.0


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on both clocks. The monotonic one stands still while the machine sleeps."""

    monotonic_s: float
    epoch_s: float

    @classmethod
    def read(cls) -> Now:
        """The present moment."""
        return cls(time.monotonic(), time.time())


class Measure(IntEnum):
    """What is to be done to a bot, in the order of severity."""

    NOTHING = 0
    TERM = 1
    DUMP = 2
    KILL = 3
    SETTLE = 4  # it was killed and nobody has told us that it died


@dataclass(frozen=True, slots=True)
class Ending:
    """How a bot is being brought to its end: moments of the monotonic clock."""

    cause: ExitCause
    term_at_s: float
    dump_at_s: float
    kill_at_s: float

    @classmethod
    def at_once(cls, cause: ExitCause, at_s: float) -> Ending:
        """SIGKILL now."""
        return cls(cause, at_s, at_s, at_s)

    @classmethod
    def explained(cls, cause: ExitCause, at_s: float) -> Ending:
        """Where it hangs, then SIGKILL: a bot that never began has nothing to finish."""
        return cls(cause, at_s + DUMP_S, at_s, at_s + DUMP_S)

    @classmethod
    def polite(cls, cause: ExitCause, term_at_s: float, term_s: float) -> Ending:
        """SIGTERM at that moment; if it lives on for `term_s`: where it hangs, SIGKILL."""
        kill_at_s = term_at_s + term_s
        dump_at_s = kill_at_s - DUMP_S if term_s >= 2 * DUMP_S else kill_at_s
        return cls(cause, term_at_s, dump_at_s, kill_at_s)

    def hurried(self, other: Ending) -> Ending:
        """The earlier of both at each step; the first cause stays."""
        return Ending(
            self.cause,
            min(self.term_at_s, other.term_at_s),
            min(self.dump_at_s, other.dump_at_s),
            min(self.kill_at_s, other.kill_at_s),
        )


class Watch:
    """The limits of one launch.

    The wall clock is kept on both clocks, whichever comes first: a laptop that slept for an hour
    finds its overdue bots at once, and a clock set back prolongs nothing.
    """

    def __init__(self, order: LaunchOrder, now: Now) -> None:
        self._join_at_s: float | None = now.monotonic_s + order.join_within_s
        self._wall_at_s = now.monotonic_s + order.wall_clock_s
        self._wall_at_epoch_s = now.epoch_s + order.wall_clock_s
        self._memory_limit_bytes = order.memory_limit_bytes
        self._ending: Ending | None = None
        self._done = Measure.NOTHING

    @property
    def cause(self) -> ExitCause | None:
        """Why we are ending it, if we are."""
        return self._ending.cause if self._ending else None

    def born(self) -> None:
        """There is a process now: what was due before there was one is due to it, too."""
        self._done = Measure.NOTHING

    def joined(self) -> None:
        """Its pipeline runs: nobody waits for it any more."""
        self._join_at_s = None

    def end(self, now: Now, *, polite_s: float, term_s: float) -> None:
        """Somebody asked for its end; a second call with shorter times hurries."""
        term_at_s = now.monotonic_s + polite_s
        self._bring(Ending.polite(ExitCause.ENDED, term_at_s, term_s))

    def saw_memory(self, now: Now, private_bytes: int) -> None:
        """Its private memory at this moment."""
        if private_bytes > self._memory_limit_bytes:
            self._bring(Ending.at_once(ExitCause.MEMORY, now.monotonic_s))

    def due(self, now: Now) -> Measure:
        """The severest measure that is due and was not yet returned."""
        self._notice_deadlines(now)
        measure = self._measure_at(now.monotonic_s)
        if measure <= self._done:
            return Measure.NOTHING
        self._done = measure
        return measure

    def next_at_s(self) -> float:
        """The moment of the monotonic clock at which `due` may have something new."""
        ending, moments = self._ending, []
        if ending is not None:
            steps = {
                Measure.TERM: ending.term_at_s,
                Measure.DUMP: ending.dump_at_s,
                Measure.KILL: ending.kill_at_s,
                Measure.SETTLE: ending.kill_at_s + SETTLE_S,
            }
            moments = [at_s for measure, at_s in steps.items() if measure > self._done]
        elif self._join_at_s is not None:
            moments = [self._join_at_s]
        if self._done < Measure.KILL:
            moments.append(self._wall_at_s)
        return min(moments, default=self._wall_at_s)

    def _notice_deadlines(self, now: Now) -> None:
        if now.monotonic_s >= self._wall_at_s or now.epoch_s >= self._wall_at_epoch_s:
            if self._done < Measure.KILL:
                self._bring(Ending.at_once(ExitCause.WALL_CLOCK, now.monotonic_s))
        elif self._join_at_s is not None and now.monotonic_s >= self._join_at_s:
            self._join_at_s = None
            self._bring(Ending.explained(ExitCause.JOIN_DEADLINE, now.monotonic_s))

    def _bring(self, ending: Ending) -> None:
        self._ending = ending if self._ending is None else self._ending.hurried(ending)

    def _measure_at(self, at_s: float) -> Measure:
        ending = self._ending
        if ending is None or at_s < min(ending.term_at_s, ending.dump_at_s):
            return Measure.NOTHING
        if at_s >= ending.kill_at_s + SETTLE_S:
            return Measure.SETTLE
        if at_s >= ending.kill_at_s:
            return Measure.KILL
        if at_s >= ending.dump_at_s:
            return Measure.DUMP
        return Measure.TERM
