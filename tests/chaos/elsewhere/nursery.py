"""Where agents come from: one process that has loaded everything, and forks for each of them.

``python -m tests.chaos.elsewhere.nursery``: a line of JSON in for each agent that is to begin, a
line out when it has and when it is gone. A real container takes seconds to load what is loaded
here once; how long it takes to begin is the stand-in's to say.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import sys
from typing import Any

from pipecat.runner.types import RunnerArguments

from greenroom.bot import elsewhere, hooks, posting, rejoin, serve, sparing  # noqa: F401
from greenroom.launch.kernel import die_with_parent
from tests.chaos.elsewhere.agent import bot

LOOK_EVERY_S = 0.02


def main() -> None:
    """Until standard input ends; then nobody is left."""
    gc.freeze()
    agents: dict[int, str] = {}
    rest = b""
    os.set_blocking(0, False)
    while True:
        if select.select([0], [], [], LOOK_EVERY_S)[0]:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                begun = json.loads(line)
                pid = _fork(begun)
                agents[pid] = begun["id"]
                _tell({"id": begun["id"], "pid": pid})
        _reap(agents)
    for pid in agents:
        os.killpg(pid, signal.SIGKILL)


def _reap(agents: dict[int, str]) -> None:
    while agents:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell({"id": agents.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _tell(line: dict[str, Any]) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


def _fork(begun: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        die_with_parent(parent, signal.SIGKILL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(nowhere, number)
        code = _be_an_agent(begun)
    finally:
        os._exit(code)


def _be_an_agent(begun: dict[str, Any]) -> int:
    arguments = RunnerArguments(body=begun["body"])
    arguments.session_id = begun["id"]

    async def run() -> None:
        task = asyncio.create_task(bot(arguments))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await task

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        return 0
    except Exception as error:
        print(f"agent {begun['id']}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
