"""One agent's process: ``python -m greenroom.testing.agent_process bot.py``.

Its arguments come as JSON on standard input (`greenroom.testing.agents.Arguments`), and it calls
``bot(runner_args)`` with them, as Pipecat Cloud's base image does. Nothing else is handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import signal
import sys

from pipecat.runner.types import DailyRunnerArguments, RunnerArguments

from greenroom.testing.agents import Arguments


def main() -> None:
    """Run one agent in this process."""
    given = Arguments(**json.load(sys.stdin))
    bot = runpy.run_path(sys.argv[1])["bot"]
    arguments: RunnerArguments
    if given.room_url is not None:
        arguments = DailyRunnerArguments(given.room_url, given.token, body=given.body)
    else:
        arguments = RunnerArguments(body=given.body)
    arguments.session_id = given.session_id

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(bot(arguments))
        # Not the loop's own handler: it is gone with the loop, before the process is.
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(task.cancel))
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # A bot that has returned is leaving by itself: being told to go changes nothing.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    asyncio.run(run())


if __name__ == "__main__":
    main()
