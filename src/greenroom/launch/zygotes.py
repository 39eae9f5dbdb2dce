"""Bots by fork: the zygotes of one supervisor, one per bot."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import structlog

from greenroom.launch import kernel
from greenroom.launch.config import Config
from greenroom.launch.forking import Zygote
from greenroom.launch.hatch import Bot, HatchFailed
from greenroom.launch.reaper import Reaper
from greenroom.ports.launcher import ExitCause


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of a bot's file was imported; a bot named by its module has none."""

    changed_at_ns: int = 0
    size_bytes: int = 0

    @classmethod
    def of(cls, bot: str) -> Version:
        """The state of the file at this moment."""
        if not bot.endswith(".py"):
            return cls()
        try:
            stat = Path(bot).stat()
        except OSError:
            return cls()
        return cls(stat.st_mtime_ns, stat.st_size)


class ForkingHatchery:
    """Zygotes by bot, each started when first needed and again when its bot's file has changed.

    Args:
        config: Names the host, the time an import may take, and the number of spares of a bot.
        logs: The folder of the zygotes' logs.
        reaper: Collects the zygotes.
        log: The supervisor's.
    """

    def __init__(
        self, config: Config, logs: Path, reaper: Reaper, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._config = config
        self._logs = logs
        self._reaper = reaper
        self._log = log
        self._zygotes: dict[str, tuple[Version, Zygote]] = {}
        self._numbers = itertools.count(1)

    async def hatch(self, launch_id: str, bot: str, line: socket.socket, log: Path) -> Bot:
        """See `greenroom.launch.hatch.Hatchery`."""
        return await self._zygote(bot).hatch(line, log)

    async def warm(self, bot: str) -> None:
        """See `greenroom.launch.hatch.Hatchery`."""
        await asyncio.shield(self._zygote(bot).ready)

    @property
    def spares(self) -> int:
        """See `greenroom.launch.hatch.Hatchery`."""
        return sum(zygote.spares for _, zygote in self._zygotes.values())

    def explain(self, launch_id: str, bot: str) -> Path | None:
        """See `greenroom.launch.hatch.Hatchery`."""
        _, zygote = self._zygotes.get(bot, (None, None))
        if zygote is None:
            return None
        if zygote.ready.done():
            # It imported well and does not fork: it gets no further requests.
            del self._zygotes[bot]
            zygote.retire()
            return None
        return zygote.explain()

    def close(self) -> None:
        """See `greenroom.launch.hatch.Hatchery`."""
        for _, zygote in self._zygotes.values():
            if zygote.alive:
                zygote.retire()
                kernel.kill_one(zygote.pid, signal.SIGKILL)
        self._zygotes.clear()

    def _zygote(self, bot: str) -> Zygote:
        version = Version.of(bot)
        known = self._zygotes.get(bot)
        if known is not None:
            imported, zygote = known
            if zygote.alive and imported == version:
                return zygote
            if zygote.alive:
                zygote.retire()
        log = self._logs / f"zygote-{os.getpid()}-{next(self._numbers)}.log"
        try:
            zygote = Zygote(
                self._config.host,
                bot,
                log,
                preload_within_s=self._config.preload_within_s,
                spares=self._config.spares,
                reaper=self._reaper,
                supervisor_log=self._log,
            )
        except OSError as error:
            raise HatchFailed(ExitCause.HOST_DIED, str(error)) from error
        self._zygotes[bot] = (version, zygote)
        return zygote
