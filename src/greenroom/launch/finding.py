"""Finding the supervisor of a state directory; starting one if none answers."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import structlog

from greenroom.errors import Unavailable
from greenroom.launch import logs
from greenroom.launch.config import Config, is_of_this_code, supervisor_environment
from greenroom.launch.connection import Connection
from greenroom.launch.protocol import Done, Ping, Pong, Shutdown
from greenroom.launch.state import StateDir

# A fresh interpreter on a busy machine, and a predecessor that takes its time to leave.
START_WITHIN_S = 20.0
PING_WITHIN_S = 5.0
LOOK_AGAIN_S = 0.03
# One that was started and does not answer by then lost a race, or crashed.
START_AGAIN_S = 4.0
# It forks the supervisor and leaves; most of that is Python's start.
STARTER_LEAVES_WITHIN_S = 5.0

_log = structlog.get_logger(__name__)


class Finder:
    """Connects to the supervisor; one search at a time."""

    def __init__(self, state: StateDir, config: Config) -> None:
        self._state = state
        self._config = config.marked()
        self._searching = asyncio.Lock()
        # Since when one may be on its way up that nobody has spoken with yet.
        self._started_at_s = float("-inf")

    async def connect(self) -> Connection:
        """A connection to a supervisor that has answered.

        Raises:
            Unavailable: None answers and none could be started within `START_WITHIN_S`.
        """
        try:
            async with asyncio.timeout(START_WITHIN_S), self._searching:
                return await self._search()
        except (OSError, TimeoutError) as error:
            raise Unavailable("The bots' supervisor cannot be reached or started.") from error

    async def existing(self) -> Connection:
        """A connection to the supervisor that runs, or that we have only just started.

        Raises:
            OSError: There is none.
        """
        while True:
            try:
                return await Connection.open(self._state)
            except OSError:
                if not self._is_starting():
                    raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _search(self) -> Connection:
        while True:
            connection = await self._greet()
            if connection is not None:
                self._started_at_s = float("-inf")
                return connection
            if not self._is_starting():
                self._started_at_s = time.monotonic()
                await self._start()
            await asyncio.sleep(LOOK_AGAIN_S)

    def _is_starting(self) -> bool:
        return time.monotonic() - self._started_at_s <= START_AGAIN_S

    async def _greet(self) -> Connection | None:
        """A connection to a supervisor that suits; None if there is none (any more)."""
        try:
            connection = await Connection.open(self._state)
        except OSError:
            return None
        try:
            async with asyncio.timeout(PING_WITHIN_S):
                pong = await connection.ask(Ping(), Pong)
            if self._suits(pong):
                return connection
            await connection.ask(Shutdown(), Done)
        except ConnectionError:
            pass  # it is leaving
        except BaseException:
            # Also when it does not answer: it holds the lock, so another would not help.
            await connection.close()
            raise
        await connection.close()
        return None

    def _suits(self, pong: Pong) -> bool:
        ours = self._config.fingerprint
        if pong.fingerprint in ("", ours):
            return True
        alone = pong.launches == 0 and pong.clients <= 1
        same_code = is_of_this_code(pong.fingerprint, ours)
        _log.log(
            # One that can be replaced is, and nobody has to do anything.
            logging.INFO if alone else logging.WARNING,
            "supervisor.of_another_environment" if same_code else "supervisor.outdated",
            pid=pong.pid,
            replaced=alone,
            version=pong.version,
        )
        return not alone

    async def _start(self) -> None:
        """Start a supervisor in a session of its own; it leaves our side at once."""
        logs.trim(self._state.errors, 64 * 1024)
        errors = logs.open_for_append(self._state.errors)
        with open(errors, "ab") as output:  # noqa: ASYNC230, PTH123 - a descriptor, already open
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "greenroom.launch.supervisor",
                f"--state-dir={self._state.root}",
                "--detach",
                *self._config.arguments(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=output,
                env=supervisor_environment(),
                start_new_session=True,
            )
            try:
                await process.wait()
            finally:
                # A loop that closes before its child is gone loses sight of it.
                await _be_gone(process)


async def _be_gone(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(STARTER_LEAVES_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
