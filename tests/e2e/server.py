"""A real Greenroom as its users start it: its own process, its own state directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

import httpx
import psutil

from greenroom.launch.child import SPARE_NAME

_MARK = "E2E_SERVER_MARK"
# How many there may be is tried elsewhere, and so is how long a server waits for its calls when it
# is to stop (tests/ops). Whether other tests keep this machine busy is no business of these.
_SETTINGS = {
    "GREENROOM_MOST_CPU_SHARE": "none",
    "GREENROOM_LIVE_LIMIT": "none",
    "GREENROOM_DRAIN_S": "0",
}
_ADDRESS = re.compile(r"Greenroom is up: http://127\.0\.0\.1:(\d+)")
_UP_WITHIN_S = 20.0
_DOWN_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.05
_ZYGOTE = "greenroom.launch.zygote"


class Server:
    """``greenroom serve`` on a free port of loopback.

    Every process that comes of it inherits a mark in its environment, so that none can hide by
    leaving the process group or by losing its parent.
    """

    def __init__(self, state_dir: Path, bot: str | None = None, **settings: str) -> None:
        self.port = 0
        self.log_path = state_dir / "server.log"
        self.state_dir = state_dir
        self._bot = bot
        self._mark = uuid.uuid4().hex
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The printed address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server wrote so far, over all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    async def start(self) -> None:
        """Start (again: on the same port and state) and wait until it has printed its address."""
        written = len(self.log)
        with self.log_path.open("ab") as log:
            self._process = self._spawn(log)
        await eventually(lambda: self._address_printed(written), _UP_WITHIN_S, "no address printed")

    async def ready(self) -> None:
        """Wait until it says of itself that it is ready: database and supervisor answer."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False) as client:
            async with asyncio.timeout(_UP_WITHIN_S):
                while (await client.get("/readyz")).is_error:
                    await asyncio.sleep(_LOOK_EVERY_S)

    def command(self) -> list[str]:
        """The command line up to its arguments."""
        return [str(Path(sys.executable).parent / "greenroom"), "serve"]

    def arguments(self) -> list[str]:
        """The rest of the command line."""
        bot = [self._bot] if self._bot else []
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [*bot, *where, "--state-dir", str(self.state_dir)]

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.command(), *self.arguments()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._settings, _MARK: self._mark, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )

    def _address_printed(self, written: int) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"the server ended by itself:\n{self.log}")
        found = _ADDRESS.search(self.log[written:])
        if found:
            self.port = int(found[1])
        return bool(found)

    async def kill9(self) -> None:
        """``kill -9`` for the server's own process and nothing else."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the server to go, as a service manager would (SIGTERM), and wait until it is gone."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, _DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait, 5)
            raise AssertionError(f"{how.name} did not end the server:\n{self.log}") from None

    def family(self) -> list[psutil.Process]:
        """Every living process that came of this server, in whatever way."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get(_MARK) == self._mark
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def bots(self) -> list[psutil.Process]:
        """The bots among them: forked or spawned, each for one session. A spare is none yet."""
        return [process for process in self.family() if _is_bot(process)]

    async def assert_nobody_lives(self, within_s: float = 5.0) -> None:
        """After `stop`: no process of the family lives."""
        living: list[psutil.Process] = self.family()

        def nobody() -> bool:
            living[:] = self.family()
            return not living

        try:
            await eventually(nobody, within_s, "somebody lives")
        except AssertionError as error:
            who = [" ".join(process.as_dict(["cmdline"])["cmdline"] or []) for process in living]
            raise AssertionError(f"{error}: {who}") from None

    def kill_family(self) -> None:
        """Whatever happened: leave nothing behind on this machine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _is_bot(process: psutil.Process) -> bool:
    try:
        if "greenroom.launch.spawned" in process.cmdline():
            return True
        parent = process.parent()
        # A fork keeps the command line of the zygote it came from.
        forked = parent is not None and _ZYGOTE in process.cmdline() and _ZYGOTE in parent.cmdline()
        return forked and process.name() != SPARE_NAME
    except psutil.NoSuchProcess:
        return False


async def eventually(is_so: Callable[[], bool], within_s: float, otherwise: str) -> None:
    """Look again and again until something is so: for what sends no event, like a process table."""
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{otherwise} (after {within_s:g} s)")
        await asyncio.sleep(_LOOK_EVERY_S)
