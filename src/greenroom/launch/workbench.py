"""Tries an assistant's services in a process of its own, in the environment that bots have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from typing import Any

from greenroom.errors import Unavailable
from greenroom.launch.config import supervisor_environment
from greenroom.ports.readiness import Lack

# By name: nothing of a bot, and so nothing of Pipecat, is imported here.
MODULE = "greenroom.bot.services.check"
# Importing Pipecat and a provider's library takes about two seconds, more on a busy machine.
WITHIN_S = 60.0


class LocalWorkbench:
    """`greenroom.ports.readiness.Workbench` for bots on this machine."""

    async def lacks(self, record: Mapping[str, Any], *, try_it: bool = False) -> list[Lack]:
        """See the port. The process is killed if it takes too long, or this is cancelled."""
        asked = json.dumps({"record": dict(record), "try": try_it}).encode()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a library's complaint may quote a key
            env=supervisor_environment(),
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                said, _ = await process.communicate(asked)
        except TimeoutError as late:
            raise Unavailable("Trying the assistant's services took too long.") from late
        finally:
            await _end(process)
        try:
            return [Lack(**one) for one in json.loads(said)["problems"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable("The assistant's services could not be tried.") from error


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
