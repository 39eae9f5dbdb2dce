"""Port: how busy this machine is."""

from __future__ import annotations

from typing import Protocol

from greenroom.session.policy import Load


class Capacity(Protocol):
    """Measures the machine that carries the bots."""

    def load(self) -> Load | None:
        """What was measured over the last seconds; None: nothing yet, or nothing can be."""
        ...

    async def run(self) -> None:
        """Measure until cancelled."""
        ...
