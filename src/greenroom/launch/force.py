"""Ending every bot of a state directory by force, whoever else answers or does not.

Processes are found by what they are: a supervisor names the directory in its command line, and
what it started writes its log into the directory. No file of pids is believed, so that a number
which the kernel gave to somebody else by now is never hit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from greenroom.errors import GreenroomError
from greenroom.launch import halt, kernel
from greenroom.launch.connection import Connection
from greenroom.launch.protocol import List as ListBots
from greenroom.launch.protocol import Living, Shutdown
from greenroom.launch.state import StateDir

# The supervisor sends SIGTERM at once; asked a second time it sends SIGKILL.
HURRY_AFTER_S = 1.0
ANSWER_WITHIN_S = 1.0
ASK_WITHIN_S = 3.0
DIE_WITHIN_S = 2.0
# What is forked while we look is found by the next look.
LOOKS = 5
_SUPERVISOR = "greenroom.launch.supervisor"
_OURS = "greenroom.launch."


@dataclass(frozen=True, slots=True)
class Forced:
    """What was done.

    Attributes:
        halted: The brake is pulled: nothing begins until ``resume``.
        bots: How many bots lived, as the supervisor said; None if it did not answer.
        killed: Pids that had to be killed from here.
        left: Pids that live all the same.
    """

    halted: bool
    bots: int | None
    killed: list[int]
    left: list[int]


async def stop_by_force(root: Path, reason: str) -> Forced:
    """Pull the brake, ask the supervisor to end its bots and itself, and kill what is left.

    ``root`` is absolute, as the supervisor was told it.
    Bounded in time: about `ASK_WITHIN_S` + `LOOKS` × `DIE_WITHIN_S` at worst. Never raises for
    what does not answer.
    """
    state = StateDir(root)
    halted = False
    with contextlib.suppress(OSError):
        halt.pull(state.root, reason)
        halted = True
    bots = await _ask_to_end(state)
    killed: list[int] = []
    for _ in range(LOOKS):
        family = processes_of(state)
        if not family:
            break
        killed += [process.pid for process in family]
        await asyncio.to_thread(_kill, family)
    return Forced(halted, bots, sorted(set(killed)), [p.pid for p in processes_of(state)])


async def _ask_to_end(state: StateDir) -> int | None:
    """Through the supervisor's socket; None if it does not answer in time."""
    bots: int | None = None
    with contextlib.suppress(OSError, TimeoutError, GreenroomError):
        async with asyncio.timeout(ASK_WITHIN_S):
            connection = await Connection.open(state)
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    bots = len((await connection.ask(ListBots(), Living)).processes)
                await connection.say(Shutdown())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HURRY_AFTER_S):
                        await _until_closed(connection)
                await connection.say(Shutdown())
                await _until_closed(connection)
            finally:
                await connection.close()
    return bots


async def _until_closed(connection: Connection) -> None:
    while True:
        await connection.hear()


def processes_of(state: StateDir) -> list[psutil.Process]:
    """The supervisor of this directory and all that came of it; the supervisor first."""
    found = [p for p in psutil.process_iter(["cmdline", "uids"]) if _is_of(p, state)]
    found.sort(key=lambda process: _SUPERVISOR not in process.info["cmdline"])
    family = {process.pid: process for process in found}
    for process in found:
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                family.setdefault(child.pid, child)
    return [process for process in family.values() if _lives(process)]


def _is_of(process: psutil.Process, state: StateDir) -> bool:
    uids, words = process.info["uids"], process.info["cmdline"] or []
    if uids is None or uids.real != os.getuid():
        return False
    if not any(word.startswith(_OURS) for word in words):
        return False
    if f"--state-dir={state.root}" in words:
        return True
    logs = str(state.logs) + os.sep
    with contextlib.suppress(psutil.Error):
        return any(opened.path.startswith(logs) for opened in process.open_files())
    return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill(family: Iterable[psutil.Process]) -> None:
    """SIGKILL to each and to the group it leads; waits until they are gone, but not for ever."""
    family = list(family)
    for process in family:
        # psutil looks once more whether this number is still the process that was found.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.is_running() and os.getpgid(process.pid) == process.pid:
                kernel.signal_leftovers(process.pid, signal.SIGKILL)
            process.kill()
    psutil.wait_procs(family, timeout=DIE_WITHIN_S)
