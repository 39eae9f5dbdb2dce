"""One zygote, seen from the supervisor: its import, what it is asked to fork, what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
from pathlib import Path
from typing import TypeVar

import structlog

from greenroom.launch import logs
from greenroom.launch.hatch import (
    Bot,
    HatchFailed,
    Incubation,
    RawExit,
    bot_environment,
    interpreter,
    retrieve,
)
from greenroom.launch.packets import (
    MAX_PACKET_BYTES,
    Awake,
    Exited,
    Fork,
    Forked,
    ForkFailed,
    ForkSpare,
    Ready,
    ToZygote,
    from_zygote,
)
from greenroom.launch.reaper import Reaper
from greenroom.launch.spares import REPLACED_AFTER_S, Birth, Spares
from greenroom.ports.launcher import ExitCause

T = TypeVar("T")


class Zygote:
    """One zygote process: its import, its requests, its bots and spares."""

    def __init__(
        self,
        host: str,
        bot: str,
        log: Path,
        *,
        preload_within_s: float,
        spares: int,
        reaper: Reaper,
        supervisor_log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.log = log
        self._waiting = 0  # launches that wait for a process
        self._numbers = itertools.count(1)
        self._births: dict[int, Birth] = {}  # asked for, and not heard of since
        self._exits: dict[int, asyncio.Future[RawExit]] = {}  # of all that has not ended
        self._spares = Spares(spares, self._fork_spare, supervisor_log)
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

    @property
    def spares(self) -> int:
        """How many processes wait for a launch."""
        return self._spares.count

    async def hatch(self, line: socket.socket, log: Path) -> Bot:
        """A spare or a fork; see `greenroom.launch.hatch.Hatchery.hatch`."""
        self._waiting += 1
        try:
            await asyncio.shield(self.ready)
            return await self._spares.hand_over(line, log) or await self._fork(line, log)
        finally:
            self._waiting -= 1
            self._spares.refill(REPLACED_AFTER_S)
            self._close_if_done()

    def explain(self) -> Path | None:
        """See `greenroom.launch.hatch.Hatchery.explain`."""
        return self.log if self._incubation.explain() else None

    def retire(self) -> None:
        """Fork no more; end when the last bot has ended."""
        self._retired = True
        self._spares.drop()
        self._close_if_done()

    async def _fork(self, line: socket.socket, log: Path) -> Bot:
        output = logs.open_for_append(log)
        try:
            birth = self._ask(Fork(number=next(self._numbers)), [line.fileno(), output])
        finally:
            os.close(output)
        # If this is cancelled, the bot finds its line closed and leaves without a spec.
        return Bot(await birth.pid, birth.exit)

    def _fork_spare(self, post: socket.socket) -> Birth:
        return self._ask(ForkSpare(number=next(self._numbers)), [post.fileno()])

    def _ask(self, request: ToZygote, descriptors: list[int]) -> Birth:
        try:
            socket.send_fds(self._control, [request.to_json().encode()], descriptors)
        except OSError as error:
            # Gone, or so far behind that its socket is full.
            raise HatchFailed(ExitCause.HOST_DIED, str(error)) from error
        loop = asyncio.get_running_loop()
        birth = Birth(loop.create_future(), loop.create_future())
        birth.pid.add_done_callback(retrieve)
        self._births[request.number] = birth
        self._exits[request.number] = birth.exit
        return birth

    def _close_if_done(self) -> None:
        if self._retired and not self._exits and not self._waiting and self._control.fileno() >= 0:
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
                # Who waits for this import comes first.
                self._spares.refill(REPLACED_AFTER_S if self._waiting else 0.0)
            case Forked(number=number, pid=pid):
                settle(self._births.pop(number).pid, pid)
            case ForkFailed(number=number, message=message):
                fail(self._births.pop(number).pid, HatchFailed(ExitCause.HOST_DIED, message))
                settle(self._exits.pop(number), RawExit(None))
            case Exited(number=number, returncode=returncode):
                settle(self._exits.pop(number), RawExit(returncode))
                self._close_if_done()

    def _ended(self, returncode: int) -> None:
        if self._control.fileno() >= 0:
            self._read()  # what it said last
        if self._control.fileno() >= 0:
            self._close()
        self._incubation.ended(returncode)
        self._spares.drop()
        for birth in self._births.values():
            words = logs.tail(self.log)
            fail(birth.pid, HatchFailed(ExitCause.HOST_DIED, words, returncode))
        self._births.clear()
        for exit in self._exits.values():
            settle(exit, RawExit(None, host_died=True))
        self._exits.clear()


def settle(future: asyncio.Future[T], result: T) -> None:
    """Set the result, unless nobody waits for it any more."""
    if not future.done():
        future.set_result(result)


def fail(future: asyncio.Future[T], error: HatchFailed) -> None:
    """Set the failure, unless nobody waits for it any more."""
    if not future.done():
        future.set_exception(error)
