"""Bots by spawn: a fresh interpreter each, seen from the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

from greenroom.launch import kernel, logs
from greenroom.launch.hatch import (
    Bot,
    HatchFailed,
    Incubation,
    RawExit,
    bot_environment,
    interpreter,
)
from greenroom.launch.reaper import Reaper
from greenroom.launch.spawned import AWAKE, READY
from greenroom.ports.launcher import ExitCause


class SpawningHatchery:
    """A new process per launch, which imports everything itself."""

    def __init__(self, host: str, preload_within_s: float, reaper: Reaper) -> None:
        self._host = host
        self._preload_within_s = preload_within_s
        self._reaper = reaper
        self._importing: dict[str, Incubation] = {}

    async def hatch(self, launch_id: str, bot: str, line: socket.socket, log: Path) -> Bot:
        """See `greenroom.launch.hatch.Hatchery`."""
        loop = asyncio.get_running_loop()
        exit: asyncio.Future[RawExit] = loop.create_future()
        ready, theirs = os.pipe()
        try:
            process = self._spawn(bot, line.fileno(), theirs, log)
        except OSError as error:
            os.close(ready)
            raise HatchFailed(ExitCause.HOST_DIED, str(error)) from error
        finally:
            os.close(theirs)
        incubation = self._importing[launch_id] = Incubation(process, log, self._preload_within_s)

        def ended(returncode: int) -> None:
            incubation.ended(returncode)
            if not exit.done():  # it was given up for dead, and died late
                exit.set_result(RawExit(returncode))

        self._reaper.watch(process, ended)
        loop.add_reader(ready, _read_ready, ready, incubation)
        try:
            await incubation.ready
        except asyncio.CancelledError:
            kernel.kill_group(process.pid, signal.SIGKILL)
            raise
        finally:
            loop.remove_reader(ready)
            os.close(ready)
            del self._importing[launch_id]
        return Bot(process.pid, exit)

    async def warm(self, bot: str) -> None:
        """Nothing to do: no import outlives its launch."""

    @property
    def spares(self) -> int:
        """None: no process is there before its launch."""
        return 0

    def explain(self, launch_id: str, bot: str) -> Path | None:
        """See `greenroom.launch.hatch.Hatchery`."""
        incubation = self._importing.get(launch_id)
        return incubation.log if incubation is not None and incubation.explain() else None

    def close(self) -> None:
        """Nothing to do: no process only waits."""

    def _spawn(self, bot: str, line: int, ready: int, log: Path) -> subprocess.Popen[bytes]:
        command = interpreter(
            "spawned", host=self._host, bot=bot, line=line, ready=ready, supervisor=os.getpid()
        )
        output = logs.open_for_append(log)
        try:
            return subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[line, ready],
                env=bot_environment(),
                start_new_session=True,
            )
        finally:
            os.close(output)


def _read_ready(ready: int, incubation: Incubation) -> None:
    """Something was said, or the process is no more, which the reaper tells."""
    said = os.read(ready, 16)
    if AWAKE in said:
        incubation.awake()
    if READY in said:
        incubation.succeeded()
    if not said or READY in said:
        asyncio.get_running_loop().remove_reader(ready)
