"""A launcher without processes: it remembers what it was asked, and exits are made by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from greenroom.errors import Halted, Unavailable
from greenroom.ports.launcher import BotExit, BotProcess, ExitCause, LaunchOrder
from greenroom.ports.store import Halt


class FakeLauncher:
    """Implements `greenroom.ports.launcher.Launcher` strictly: idempotent, exits kept.

    Attributes:
        orders: Every launch, by launch id.
        ended: The calls of `end`, in order: launch id, polite_s, term_s.
        broken: While true every call raises `Unavailable`.
    """

    starts_cold = False

    def __init__(self) -> None:
        self.orders: dict[str, LaunchOrder] = {}
        self.ended: list[tuple[str, float, float]] = []
        self.broken = False
        self._halt: Halt | None = None
        self._alive: set[str] = set()
        self._exits: dict[str, BotExit] = {}
        self._changed = asyncio.Condition()

    async def start(self, order: LaunchOrder) -> None:
        """See `Launcher.start`."""
        self._check()
        if self._halt is not None:
            raise Halted.because(self._halt.reason)
        if order.launch_id not in self.orders:
            self.orders[order.launch_id] = order
            self._alive.add(order.launch_id)

    async def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """See `Launcher.end`. The process ends when the test says so."""
        self._check()
        self.ended.append((launch_id, polite_s, term_s))

    async def exit(
        self, launch_id: str, cause: ExitCause = ExitCause.EXITED, exit_code: int | None = 0
    ) -> None:
        """Let a process end."""
        order = self.orders[launch_id]
        self._alive.discard(launch_id)
        self._exits[launch_id] = BotExit(
            launch_id, order.session_id, cause, exit_code, None, "", 0.0
        )
        async with self._changed:
            self._changed.notify_all()

    def vanish(self, launch_id: str) -> None:
        """Let a process be gone without a trace."""
        self._alive.discard(launch_id)

    async def living(self) -> list[BotProcess]:
        """See `Launcher.living`."""
        self._check()
        return [
            BotProcess(launch_id, self.orders[launch_id].session_id, 1, 0.0, "joined", 0)
            for launch_id in sorted(self._alive)
        ]

    async def exits(self) -> AsyncIterator[BotExit]:
        """See `Launcher.exits`."""
        told: set[str] = set()
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._exits.keys() - told))
            for launch_id in sorted(self._exits.keys() - told):
                told.add(launch_id)
                yield self._exits[launch_id]

    async def forget(self, launch_id: str) -> None:
        """See `Launcher.forget`."""
        self._exits.pop(launch_id, None)

    async def halt(self, reason: str) -> None:
        """See `Launcher.halt`."""
        self._halt = Halt(self._halt.at if self._halt else 0.0, reason)

    async def resume(self) -> bool:
        """See `Launcher.resume`."""
        earlier, self._halt = self._halt, None
        return earlier is not None

    async def halted(self) -> Halt | None:
        """See `Launcher.halted`."""
        return self._halt

    async def warm(self, bot: str) -> None:
        """See `Launcher.warm`."""

    async def close(self) -> None:
        """See `Launcher.close`."""

    async def shutdown(self) -> None:
        """See `Launcher.shutdown`."""
        self._alive.clear()

    def _check(self) -> None:
        if self.broken:
            raise Unavailable("The launcher does not answer.")
