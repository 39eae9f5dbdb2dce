"""Agents of the stand-in for Pipecat Cloud that are real processes, as its base image runs them.

Each is a ``python -m greenroom.testing.agent_process bot.py``; it gets nothing but its arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.testing.deployments import Hosted

STOPS_WITHIN_S = 2.0


@dataclass(frozen=True)
class Arguments:
    """What an agent is started with, whatever its transport."""

    session_id: str
    body: Any = field(default_factory=dict)
    room_url: str | None = None
    token: str | None = None


class Processes:
    """Implements `greenroom.testing.deployments.Agent`: each session has a process of its own.

    Args:
        bot: The ``.py`` file with ``async def bot(runner_args)``.
        environment: What the process has in its environment besides the path: its secrets.
        output: Where it writes; nowhere if None.
    """

    def __init__(
        self,
        bot: Path,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
    ) -> None:
        self._bot = bot.absolute()
        self._environment = dict(environment or {})
        self._output = output
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, session: Hosted) -> None:
        """See `Agent.start`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GREENROOM_", "PIPECAT_"))}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "greenroom.testing.agent_process", str(self._bot)),
            stdin=asyncio.subprocess.PIPE,
            stdout=self._output or asyncio.subprocess.DEVNULL,
            stderr=self._output or asyncio.subprocess.DEVNULL,
            env={**kept, **self._environment},
            start_new_session=True,
        )
        self.processes[session.id] = process
        arguments = Arguments(session.id, session.body, session.daily_room, session.daily_token)
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(arguments)).encode())
        process.stdin.close()

    async def stop(self, session: Hosted) -> None:
        """See `Agent.stop`."""
        process = self.processes.get(session.id)
        if process is None or process.returncode is not None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOPS_WITHIN_S):
                    await process.wait()
                return

    def exit_code(self, session: Hosted) -> int | None:
        """See `Agent.exit_code`."""
        process = self.processes.get(session.id)
        return process.returncode if process else None
