"""How a bot process comes to be: the contract of the two ways, forked and spawned."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from greenroom.launch import kernel
from greenroom.launch.child import DUMP_SIGNAL
from greenroom.launch.logs import tail
from greenroom.launch.watch import DUMP_S
from greenroom.ports.launcher import ExitCause

# From the order to start a process until it runs our code: an interpreter and our own imports.
AWAKE_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class RawExit:
    """What the system says of a process that ended.

    Attributes:
        returncode: As in `subprocess`: below zero it is a signal; None if nobody could tell.
        host_died: It did not end by itself: the process that forked it died.
    """

    returncode: int | None
    host_died: bool = False


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot process that waits for its spec. ``exit`` is set once it has ended."""

    pid: int
    exit: asyncio.Future[RawExit]


class HatchFailed(Exception):
    """No bot came to be."""

    def __init__(self, cause: ExitCause, last_words: str, returncode: int | None = None) -> None:
        super().__init__(f"{cause}: {last_words}")
        self.cause = cause
        self.last_words = last_words
        self.returncode = returncode


class Hatchery(Protocol):
    """Brings bots to life. Owned by the supervisor; used from its event loop only."""

    async def hatch(self, launch_id: str, bot: str, line: socket.socket, log: Path) -> Bot:
        """A process that has the bot's module imported, reads its spec from `line`, logs to `log`.

        When cancelled, no process is left.

        Raises:
            HatchFailed: The import raised or hung, or the system gave no process.
        """
        ...

    async def warm(self, bot: str) -> None:
        """Have the bot imported, where that is of use.

        Raises:
            HatchFailed: The import raised or hung.
        """
        ...

    @property
    def spares(self) -> int:
        """How many processes wait for a launch, and are no bots yet."""
        ...

    def explain(self, launch_id: str, bot: str) -> Path | None:
        """Ask where the import hangs that this launch waits for.

        Returns:
            The log in which the answer appears within `DUMP_S`; None if it is no import that hangs.
        """
        ...

    def close(self) -> None:
        """Let go of every process that only waits."""
        ...


class Incubation:
    """One process that imports a bot: bounded in time, and explained if it hangs.

    The limit is the bot's: it begins when the process has done our own imports and is `awake`,
    which a busy machine may delay.

    Attributes:
        ready: Set when the import is done; fails with `HatchFailed` if it never will be.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.log = log
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ready.add_done_callback(retrieve)
        self._process = process
        self._limit_s = limit_s
        self._awake = self._overdue = False
        self._timer = loop.call_later(AWAKE_WITHIN_S, self._give_up)

    def awake(self) -> None:
        """The process runs our code and begins to import the bot."""
        self._awake = True
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._give_up)

    def succeeded(self) -> None:
        """The import is done."""
        self._timer.cancel()
        if not self.ready.done():
            self.ready.set_result(None)

    def ended(self, returncode: int) -> None:
        """The process is no more."""
        self._timer.cancel()
        if not self.ready.done():
            cause = ExitCause.IMPORT_HUNG if self._overdue else ExitCause.IMPORT_FAILED
            self.ready.set_exception(HatchFailed(cause, tail(self.log), returncode))

    def explain(self) -> bool:
        """Have the process write to its log where it is; False if it is not awake to do so."""
        if self._awake:
            kernel.kill_one(self._process.pid, DUMP_SIGNAL)
        return self._awake

    def _give_up(self) -> None:
        self._overdue = True
        self.explain()
        self._timer = asyncio.get_running_loop().call_later(DUMP_S, self._kill)

    def _kill(self) -> None:
        kernel.kill_group(self._process.pid, signal.SIGKILL)


def interpreter(module: str, **arguments: str | int) -> list[str]:
    """The command line of one of our own processes."""
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    return [sys.executable, "-m", f"greenroom.launch.{module}", *flags]


def bot_environment() -> dict[str, str]:
    """The environment of bots: the supervisor's, with native thread pools kept to one thread.

    Pools started before a fork are lost in the child, and one session needs no more than one.
    """
    pools = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {**dict.fromkeys(pools, "1"), **os.environ}


def retrieve(future: asyncio.Future[Any]) -> None:
    """Nobody may be waiting for this failure; that is no news for the event loop."""
    if not future.cancelled():
        future.exception()
