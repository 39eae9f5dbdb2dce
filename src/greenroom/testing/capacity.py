"""A machine that is as busy as the test says."""

from __future__ import annotations

import asyncio

from greenroom.session.policy import Load


class FakeCapacity:
    """Implements `greenroom.ports.capacity.Capacity`.

    Attributes:
        measured: What `load` answers; None: nobody has measured.
    """

    def __init__(self, measured: Load | None = None) -> None:
        self.measured = measured

    def load(self) -> Load | None:
        """See `Capacity.load`."""
        return self.measured

    async def run(self) -> None:
        """See `Capacity.run`. There is nothing to do."""
        await asyncio.Event().wait()
