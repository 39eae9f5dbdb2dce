"""A clock that tests set."""

from __future__ import annotations


class FakeClock:
    """Implements `greenroom.ports.clock.Clock`; moves only when told.

    Args:
        now: Seconds since the epoch at the beginning.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """The time it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on (or, negative, back: real clocks do that too)."""
        self._now += seconds
