"""How full a pool of agents is, so that whoever finds no agent waits, or is refused, at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from greenroom.errors import Unavailable
from greenroom.launch.pipecat_cloud.client import CannotTell, CloudClient, Pool
from greenroom.session.policy import Load, MachineQuotas

LOOK_EVERY_S = 5.0
# After a refusal for want of agents nobody is let in for so long, unless a look says otherwise.
FULL_FOR_S = 10.0
# An agent counts as a core that its session keeps busy; nothing is known of its memory.
AGENT_QUOTAS = MachineQuotas(most_cpu_share=1.0, call_cores=1.0, keep_free_bytes=0, call_bytes=0)
_NO_END_OF_MEMORY = 1 << 60


class AgentCapacity:
    """Implements `greenroom.ports.capacity.Capacity` for a pool of agents; see `AGENT_QUOTAS`.

    Args:
        client: Asks how full it is.
        clock_s: Seconds, from wherever.
    """

    def __init__(self, client: CloudClient, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._pool: Pool | None = None
        self._full_until_s = float("-inf")

    def load(self) -> Load | None:
        """See `Capacity.load`."""
        if self._clock_s() < self._full_until_s:
            return Load(0, 0, _NO_END_OF_MEMORY)  # also for who would be alone there
        if self._pool is None:
            return None
        return Load(self._pool.most, self._pool.active, _NO_END_OF_MEMORY)

    def refused(self, retry_after_s: float | None) -> None:
        """A start was refused for want of agents."""
        self._full_until_s = self._clock_s() + max(FULL_FOR_S, retry_after_s or 0.0)

    async def look(self) -> None:
        """Ask once. What cannot be asked is not known."""
        try:
            self._pool = await self._client.pool()
        except (CannotTell, Unavailable):
            self._pool = None

    async def run(self) -> None:
        """See `Capacity.run`."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
