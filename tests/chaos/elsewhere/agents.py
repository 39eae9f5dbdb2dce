"""Agents of the stand-in for Pipecat Cloud that are forks of the nursery's one process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from greenroom.testing.deployments import Hosted
from tests.chaos.elsewhere.agent import MEDIA_ENV

_READY_WITHIN_S = 60.0
_GONE_WITHIN_S = 2.0


class Nursery:
    """Implements `greenroom.testing.deployments.Agent`.

    Args:
        media_url: Where agents go into their rooms.
        log: Where they write.
    """

    def __init__(self, media_url: str, log: Path) -> None:
        self._media_url = media_url
        self._log = log
        self._pids: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._gone: dict[str, asyncio.Event] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have everything loaded. What agents have in their environment is where rooms are."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GREENROOM_", "PIPECAT_"))}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.chaos.elsewhere.nursery"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**kept, MEDIA_ENV: self._media_url, "OPENBLAS_NUM_THREADS": "1"},
                cwd=Path(__file__).parents[3],
            )
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Nobody is left: the kernel ends them with the process that they are forks of."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def start(self, session: Hosted) -> None:
        """See `Agent.start`."""
        self._gone[session.id] = asyncio.Event()
        line = json.dumps({"id": session.id, "body": session.body})
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def stop(self, session: Hosted) -> None:
        """See `Agent.stop`."""
        if (gone := self._gone.get(session.id)) is None:
            return  # its instance was never there
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.signal(session, how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GONE_WITHIN_S / 4):
                    await gone.wait()
                return

    def signal(self, session: Hosted, number: signal.Signals) -> None:
        """Send its process a signal, if it has one."""
        pid = self._pids.get(session.id)
        if pid is not None and session.id not in self._codes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def exit_code(self, session: Hosted) -> int | None:
        """See `Agent.exit_code`."""
        return self._codes.get(session.id)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "pid" in told:
                self._pids[told["id"]] = told["pid"]
            else:
                self._codes[told["id"]] = told["code"]
                self._gone[told["id"]].set()
