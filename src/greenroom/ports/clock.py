"""Port: what time it is."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall-clock time. Deadlines are wall-clock rows, so that a sleeping laptop makes them due."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...
