"""Starts bot processes for the tests: real ones, forked from a host that preloaded."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from greenroom.wire.process import BotSpec, Progress

HOST_READY_WITHIN_S = 30.0
PR_SET_PDEATHSIG = 1


class BotProcess:
    """One bot process, forked from a `Host`."""

    def __init__(self, pid: int, started_s: float, outcome: Connection, stderr: Path) -> None:
        self.pid = pid
        self.started_s = started_s
        self._outcome = outcome
        self._stderr = stderr
        self._progress: dict[str, float] = {}
        self._exit_code: int | None = None

    async def exit_code(self, within_s: float = 10.0) -> int:
        """Wait for the process to end; negative: the signal that ended it."""
        await self._until(lambda: self._exit_code is not None, within_s)
        assert self._exit_code is not None
        return self._exit_code

    async def reached(self, progress: Progress, within_s: float = 10.0) -> float:
        """Wait for this progress; returns the seconds from the start to it."""
        await self._until(lambda: progress.value in self._progress, within_s)
        return self._progress[progress.value] - self.started_s

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        self._read()
        return self._exit_code is None

    @property
    def last_words(self) -> str:
        """Its standard error."""
        return self._stderr.read_text()

    def kill(self) -> None:
        """Kill it, if it still lives."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def _until(self, true: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(0.005)
                self._read()

    def _read(self) -> None:
        while self._outcome.poll():
            try:
                kind, value, at_s = self._outcome.recv()
            except EOFError:
                return
            if kind == "progress":
                self._progress[value] = at_s
            else:
                self._exit_code = value


class Host:
    """Preloads one bot in a process of its own, as a launcher does, and forks it on demand."""

    def __init__(self, bot: str, directory: Path) -> None:
        self.bot = bot
        self._directory = directory
        self._count = 0
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_host, args=(bot, theirs), daemon=False)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(HOST_READY_WITHIN_S):
            raise TimeoutError("the host did not get ready")
        ready = self._pipe.recv()
        if ready != "ready":
            raise RuntimeError(ready)

    def start(self, spec: BotSpec) -> BotProcess:
        """Fork a child and have it run the session."""
        self._count += 1
        stderr = self._directory / f"stderr-{self._count}.txt"
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        started_s = time.monotonic()
        self._pipe.send((spec.model_dump(), theirs, str(stderr)))
        pid = self._pipe.recv()
        theirs.close()
        return BotProcess(pid, started_s, ours, stderr)

    def facts(self) -> dict[str, Any]:
        """What the host process looks like after preloading."""
        self._pipe.send("facts")
        facts: dict[str, Any] = self._pipe.recv()
        return facts

    def close(self) -> None:
        """End the host; its children end with their sessions."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _host(bot: str, pipe: Connection) -> None:
    """The host process: preload, then fork whenever asked."""
    from greenroom.bot import process

    try:
        process.preload(bot)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    gc.freeze()
    pipe.send("ready")
    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            return
        if order == "facts":
            pipe.send(_facts(pipe))
            continue
        spec, outcome, stderr = order
        pid = os.fork()
        if pid == 0:
            pipe.close()
            _grandchild(spec, outcome, stderr)
        outcome.close()
        pipe.send(pid)


def _grandchild(spec: dict[str, Any], outcome: Connection, stderr: str) -> None:
    """Two processes: one waits, so that how the other ended is known even if it is killed."""
    pid = os.fork()
    if pid != 0:
        _, status = os.waitpid(pid, 0)
        outcome.send(("exit", os.waitstatus_to_exitcode(status), time.monotonic()))
        os._exit(0)
    code = 1
    try:
        from greenroom.bot import process

        # Whoever kills the one that waits kills this one, too.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        code = process.run(
            BotSpec.model_validate(spec),
            lambda progress: outcome.send(("progress", progress.value, time.monotonic())),
        )
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _facts(pipe: Connection) -> dict[str, Any]:
    links = {}
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the directory's own descriptor
            links[entry.name] = str(entry.readlink())
    sockets = {link for link in links.values() if link.startswith("socket:")}
    return {
        "sockets": sorted(sockets - {links[str(pipe.fileno())]}),
        "polls": [link for link in links.values() if "eventpoll" in link],
        "threads": [thread.name for thread in threading.enumerate()],
    }
