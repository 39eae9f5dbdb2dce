"""The reaper: collects every process that ends under the supervisor, its own and adopted ones."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Collection

import psutil

from greenroom.launch import kernel


class Reaper:
    """Waits for the supervisor's processes without blocking; call `collect` on every SIGCHLD.

    It stands in for asyncio's own child watching, which does not know adopted processes.
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[subprocess.Popen[bytes], Callable[[int], None]]] = {}

    def watch(self, process: subprocess.Popen[bytes], ended: Callable[[int], None]) -> None:
        """Call `ended` with the return code (below zero: a signal) once the process is no more."""
        self._watched[process.pid] = (process, ended)

    def collect(self) -> None:
        """Collect whatever has ended."""
        for pid, (process, ended) in list(self._watched.items()):
            returncode = process.poll()
            if returncode is not None:
                del self._watched[pid]
                # What it left behind in its group; the group's id is taken while members live.
                kernel.signal_leftovers(pid, signal.SIGKILL)
                ended(returncode)
        if hasattr(os, "waitid"):
            self._collect_adopted()

    def kill_strays(self, living: Collection[int]) -> int:
        """Kill adopted processes that belong to no living bot's session; how many there were.

        A bot's descendants that left its process group and lost their parents end up here.
        """
        ours = os.getsid(0)
        killed = 0
        for process in psutil.Process().children():
            try:
                session = os.getsid(process.pid)
            except ProcessLookupError:
                continue
            if session != ours and session not in living and process.pid not in self._watched:
                kernel.kill_one(process.pid, signal.SIGKILL)
                killed += 1
        return killed

    def _collect_adopted(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in self._watched:
                # One of our own that ended just now: the SIGCHLD it sent brings us back.
                return
            os.waitpid(ended.si_pid, 0)
