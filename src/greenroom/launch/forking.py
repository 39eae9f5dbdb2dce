"""Bots by fork: one zygote per bot, seen from the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from greenroom.launch import kernel, logs
from greenroom.launch.hatch import (
    Bot,
    HatchFailed,
    Incubation,
    RawExit,
    bot_environment,
    interpreter,
)
from greenroom.launch.packets import (
    MAX_PACKET_BYTES,
    Awake,
    Exited,
    Fork,
    Forked,
    ForkFailed,
    Ready,
    from_zygote,
)
from greenroom.launch.reaper import Reaper
from greenroom.ports.launcher import ExitCause


class Zygote:
    """One zygote process: its import, its requests, its bots."""

    def __init__(self, host: str, bot: str, log: Path, preload_within_s: float, reaper: Reaper):
        self.log = log
        self._wanted: set[str] = set()  # launches that wait for a fork
        self._exits: dict[str, asyncio.Future[RawExit]] = {}  # launch id → its bot's exit
        self._forks: dict[str, asyncio.Future[int]] = {}  # launch id → its pid
        self._retired = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs, log.open("ab") as output:
            command = interpreter(
                "zygote", host=host, bot=bot, control=theirs.fileno(), supervisor=os.getpid()
            )
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                env=bot_environment(),
                # A group of its own within our session: if it is stopped when the supervisor
                # dies, the kernel continues it (SIGHUP, SIGCONT to orphaned groups; setpgid(2)).
                process_group=0,
            )
        self._process = process
        self._incubation = Incubation(process, log, preload_within_s)
        reaper.watch(process, self._ended)
        asyncio.get_running_loop().add_reader(self._control, self._read)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def ready(self) -> asyncio.Future[None]:
        """Done when the import is done; fails with `HatchFailed`."""
        return self._incubation.ready

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.returncode is None and not self._retired

    async def fork(self, launch_id: str, line: socket.socket, log: Path) -> Bot:
        """Fork one bot; see `greenroom.launch.hatch.Hatchery.hatch`."""
        self._wanted.add(launch_id)
        try:
            await asyncio.shield(self.ready)
            return await self._fork(launch_id, line, log)
        finally:
            self._wanted.discard(launch_id)
            self._close_if_done()

    def explain(self) -> Path | None:
        """See `greenroom.launch.hatch.Hatchery.explain`."""
        return self.log if self._incubation.explain() else None

    def retire(self) -> None:
        """Fork no more; end when the last bot has ended."""
        self._retired = True
        self._close_if_done()

    async def _fork(self, launch_id: str, line: socket.socket, log: Path) -> Bot:
        loop = asyncio.get_running_loop()
        output = logs.open_for_append(log)
        self._forks[launch_id] = forked = loop.create_future()
        self._exits[launch_id] = exit = loop.create_future()
        try:
            packet = Fork(launch_id=launch_id).to_json().encode()
            socket.send_fds(self._control, [packet], [line.fileno(), output])
            pid = await forked
        except OSError as error:
            # Gone, or so far behind that its socket is full.
            self._exits.pop(launch_id, None)
            raise HatchFailed(ExitCause.HOST_DIED, str(error)) from error
        finally:
            # If this is cancelled, the bot finds its line closed and leaves without a spec.
            os.close(output)
            self._forks.pop(launch_id, None)
        return Bot(pid, exit)

    def _close_if_done(self) -> None:
        if self._retired and not self._exits and not self._wanted and self._control.fileno() >= 0:
            self._close()

    def _close(self) -> None:
        """Cut the control socket: the zygote kills what it still has and leaves."""
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while packet := self._control.recv(MAX_PACKET_BYTES):
                self._take(packet)
                if self._control.fileno() < 0:
                    return
            asyncio.get_running_loop().remove_reader(self._control)

    def _take(self, packet: bytes) -> None:
        match from_zygote.validate_json(packet):
            case Awake():
                self._incubation.awake()
            case Ready():
                self._incubation.succeeded()
            case Forked(launch_id=launch_id, pid=pid):
                if (forked := self._forks.get(launch_id)) and not forked.done():
                    forked.set_result(pid)
            case ForkFailed(launch_id=launch_id, message=message):
                self._exits.pop(launch_id, None)
                if (forked := self._forks.get(launch_id)) and not forked.done():
                    forked.set_exception(HatchFailed(ExitCause.HOST_DIED, message))
            case Exited(launch_id=launch_id, returncode=returncode):
                _settle(self._exits.pop(launch_id, None), RawExit(returncode))
                self._close_if_done()

    def _ended(self, returncode: int) -> None:
        if self._control.fileno() >= 0:
            self._read()  # what it said last
        if self._control.fileno() >= 0:
            self._close()
        self._incubation.ended(returncode)
        for forked in self._forks.values():
            if not forked.done():
                words = logs.tail(self.log)
                forked.set_exception(HatchFailed(ExitCause.HOST_DIED, words, returncode))
        for exit in self._exits.values():
            _settle(exit, RawExit(None, host_died=True))
        self._exits.clear()


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of a bot's file was imported; a bot named by its module has none."""

    changed_at_ns: int = 0
    size_bytes: int = 0

    @classmethod
    def of(cls, bot: str) -> Version:
        """The state of the file at this moment."""
        if not bot.endswith(".py"):
            return cls()
        try:
            stat = Path(bot).stat()
        except OSError:
            return cls()
        return cls(stat.st_mtime_ns, stat.st_size)


class ForkingHatchery:
    """Zygotes by bot, each started when first needed and again when its bot's file has changed."""

    def __init__(self, host: str, logs: Path, preload_within_s: float, reaper: Reaper) -> None:
        self._host = host
        self._logs = logs
        self._preload_within_s = preload_within_s
        self._reaper = reaper
        self._zygotes: dict[str, tuple[Version, Zygote]] = {}
        self._numbers = itertools.count(1)

    async def hatch(self, launch_id: str, bot: str, line: socket.socket, log: Path) -> Bot:
        """See `greenroom.launch.hatch.Hatchery`."""
        return await self._zygote(bot).fork(launch_id, line, log)

    async def warm(self, bot: str) -> None:
        """See `greenroom.launch.hatch.Hatchery`."""
        await asyncio.shield(self._zygote(bot).ready)

    def explain(self, launch_id: str, bot: str) -> Path | None:
        """See `greenroom.launch.hatch.Hatchery`."""
        _, zygote = self._zygotes.get(bot, (None, None))
        if zygote is None:
            return None
        if zygote.ready.done():
            # It imported well and does not fork: it gets no further requests.
            del self._zygotes[bot]
            zygote.retire()
            return None
        return zygote.explain()

    def close(self) -> None:
        """See `greenroom.launch.hatch.Hatchery`."""
        for _, zygote in self._zygotes.values():
            if zygote.alive:
                zygote.retire()
                kernel.kill_one(zygote.pid, signal.SIGKILL)
        self._zygotes.clear()

    def _zygote(self, bot: str) -> Zygote:
        version = Version.of(bot)
        known = self._zygotes.get(bot)
        if known is not None:
            imported, zygote = known
            if zygote.alive and imported == version:
                return zygote
            if zygote.alive:
                zygote.retire()
        log = self._logs / f"zygote-{os.getpid()}-{next(self._numbers)}.log"
        try:
            zygote = Zygote(self._host, bot, log, self._preload_within_s, self._reaper)
        except OSError as error:
            raise HatchFailed(ExitCause.HOST_DIED, str(error)) from error
        self._zygotes[bot] = (version, zygote)
        return zygote


def _settle(exit: asyncio.Future[RawExit] | None, raw: RawExit) -> None:
    if exit is not None and not exit.done():
        exit.set_result(raw)
