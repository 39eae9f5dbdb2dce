"""What the launcher's tests share: orders, waiting, and looking at real processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import psutil

from greenroom.launch.child import SPARE_NAME
from greenroom.launch.connection import Connection
from greenroom.launch.local import LocalLauncher
from greenroom.launch.protocol import Ping, Pong
from greenroom.launch.state import StateDir
from greenroom.ports.launcher import BotExit, BotProcess, LaunchOrder
from greenroom.testing.hosts import Trouble
from greenroom.wire.process import Progress

SECRET = "a-secret-nobody-may-see"
HOST = "greenroom.testing.hosts"
PRELOAD_WITHIN_S = 2.5
# Nothing of this takes long; a busy machine does.
PATIENCE_S = 30.0

T = TypeVar("T")
_numbers = itertools.count(1)


def an_order(
    bot: str = Trouble.NONE,
    *,
    launch_id: str | None = None,
    join_within_s: float = 20.0,
    wall_clock_s: float = 60.0,
    memory_limit_bytes: int = 500 * 1024 * 1024,
) -> LaunchOrder:
    """An order with limits that do not bite unless the test says so."""
    return LaunchOrder(
        launch_id=launch_id or f"launch-{os.getpid()}-{next(_numbers)}",
        session_id="session-1",
        bot=bot,
        link_url="ws://127.0.0.1:1/link",
        secret=SECRET,
        join_within_s=join_within_s,
        wall_clock_s=wall_clock_s,
        memory_limit_bytes=memory_limit_bytes,
    )


async def eventually(look: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """Poll until `look` returns something true; fail after `within_s`."""
    async with asyncio.timeout(within_s):
        while not (seen := look()):
            await asyncio.sleep(0.02)  # processes send no events
    return seen


class Exits:
    """Collects what a launcher's `exits` says, without forgetting."""

    def __init__(self) -> None:
        self.all: list[BotExit] = []
        self._more = asyncio.Condition()

    async def collect(self, launcher: LocalLauncher) -> None:
        async with contextlib.aclosing(launcher.exits()) as exits:
            async for exit in exits:
                async with self._more:
                    self.all.append(exit)
                    self._more.notify_all()

    def known(self, launch_id: str) -> list[BotExit]:
        return [exit for exit in self.all if exit.launch_id == launch_id]

    async def of(self, order: LaunchOrder, within_s: float = PATIENCE_S) -> BotExit:
        async with asyncio.timeout(within_s), self._more:
            await self._more.wait_for(lambda: self.known(order.launch_id))
        return self.known(order.launch_id)[0]


@contextlib.asynccontextmanager
async def exits_of(launcher: LocalLauncher) -> AsyncIterator[Exits]:
    exits = Exits()
    task = asyncio.create_task(exits.collect(launcher))
    try:
        yield exits
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def process_of(launcher: LocalLauncher, order: LaunchOrder) -> BotProcess | None:
    return next((p for p in await launcher.living() if p.launch_id == order.launch_id), None)


async def joined(launcher: LocalLauncher, order: LaunchOrder) -> BotProcess:
    """The process of a launch, once its pipeline runs."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            process = await process_of(launcher, order)
            if process is not None and process.progress == Progress.JOINED:
                return process
            await asyncio.sleep(0.02)


def supervisor_of(state_dir: Path) -> psutil.Process | None:
    """The supervisor that holds the directory's lock, as far as its pid tells."""
    try:
        return psutil.Process(int(StateDir(state_dir).lock.read_text()))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


async def pong_of(state_dir: Path) -> Pong:
    """What the supervisor says of itself."""
    connection = await Connection.open(StateDir(state_dir))
    try:
        return await connection.ask(Ping(), Pong)
    finally:
        await connection.close()


def supervisors_of(state_dir: Path) -> list[int]:
    return _processes_with(f"--state-dir={state_dir}")


def kin_of(supervisor_pid: int) -> list[int]:
    """Every zygote and bot that this supervisor has started, whoever their parent is by now."""
    return _processes_with(f"--supervisor={supervisor_pid}")


def spares_of(supervisor_pid: int) -> list[int]:
    """Those of its kin that wait for a launch."""
    return [pid for pid in kin_of(supervisor_pid) if _name_of(pid) == SPARE_NAME]


async def waiting_spare(launcher: LocalLauncher) -> int:
    """The one spare of a launcher's supervisor, once it waits for a launch."""
    async with asyncio.timeout(PATIENCE_S):
        while (pong := await pong_of(launcher.state_dir)).spares != 1:
            await asyncio.sleep(0.02)
    (spare,) = spares_of(pong.pid)
    return spare


def busy_kin_of(supervisor_pid: int) -> list[int]:
    """Its kin without the spares, which come and go as they please.

    A zygote bears their name itself while it forks one, and is missing then.
    """
    return [pid for pid in kin_of(supervisor_pid) if _name_of(pid) != SPARE_NAME]


def _name_of(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return ""


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def group_members(group: int) -> list[int]:
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and is_alive(process.pid):
                members.append(process.pid)
    return members


def _processes_with(argument: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if argument in process.cmdline() and is_alive(process.pid):
                found.append(process.pid)
    return found


async def children_of(launcher: LocalLauncher, order: LaunchOrder) -> tuple[int, int]:
    """The children that a bot with `Trouble.HAS_CHILDREN` has: one in its group, and a daemon."""
    log = launcher.state_dir / "logs" / f"{order.launch_id}.log"
    await eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    grouped, daemon = map(int, log.read_text().split()[1:])
    return grouped, daemon
