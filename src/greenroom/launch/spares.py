"""The spares of one zygote, seen from the supervisor: kept at a number, handed over, given up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from greenroom.launch import kernel, logs
from greenroom.launch.hatch import Bot, HatchFailed, RawExit
from greenroom.launch.packets import MAX_PACKET_BYTES, HandOver, Taken, Waiting, from_spare

# A spare is replaced this long after the last start: forking takes from a call that begins.
REPLACED_AFTER_S = 1.0
# A spare that takes longer over its rehearsal is killed.
WAITING_WITHIN_S = 10.0
# A spare that takes longer to answer a hand-over is killed, and the launch gets a fork of its own.
TAKEN_WITHIN_S = 0.5
# After so many spares in a row that never came to wait, a zygote gets no more of them.
MOST_FAILURES = 3

_HAND_OVER = HandOver().to_json().encode()


@dataclass(frozen=True, slots=True)
class Birth:
    """A process that was asked for; both fail or are set as the zygote tells."""

    pid: asyncio.Future[int]
    exit: asyncio.Future[RawExit]


class Spare:
    """One spare, from the request to fork it to its hand-over or death.

    Attributes:
        rehearsed: Whether it has ever said that it waits for a launch.
        exit: Set once it has ended.
    """

    def __init__(self, birth: Birth, post: socket.socket) -> None:
        self.rehearsed = False
        self.exit = birth.exit
        self._pid: int | None = None
        self._killed = False
        self._post = post
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        birth.pid.add_done_callback(self._born)
        asyncio.get_running_loop().add_reader(post, self._read)

    @property
    def waits(self) -> bool:
        """Whether a launch can be handed over to it, as far as we know."""
        return self.rehearsed and self._pid is not None and self._post.fileno() >= 0

    async def take(self, line: socket.socket, log: Path) -> Bot:
        """Hand a launch over; returns the bot that the spare now is.

        Raises:
            OSError: It is gone.
            TimeoutError: It does not answer.
        """
        output = logs.open_for_append(log)
        try:
            socket.send_fds(self._post, [_HAND_OVER], [line.fileno(), output])
        finally:
            os.close(output)
        async with asyncio.timeout(TAKEN_WITHIN_S):
            await self._taken
        assert self._pid is not None  # it is not handed over before it waits
        self._close()
        return Bot(self._pid, self.exit)

    def kill(self) -> None:
        """SIGKILL, now or as soon as its pid is known; without a post it would leave by itself."""
        self._killed = True
        self._close()
        if self._pid is not None and not self.exit.done():
            kernel.kill_group(self._pid, signal.SIGKILL)

    def _born(self, pid: asyncio.Future[int]) -> None:
        if pid.cancelled() or pid.exception() is not None:
            return
        self._pid = pid.result()
        if self._killed:
            self.kill()

    def _read(self) -> None:
        try:
            packet = self._post.recv(MAX_PACKET_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._close()
            if not self._taken.done():
                self._taken.set_exception(ConnectionResetError("the spare is gone"))
                self._taken.exception()  # nobody may be waiting for it
            return
        match from_spare.validate_json(packet):
            case Waiting():
                self.rehearsed = True
            case Taken():
                if not self._taken.done():
                    self._taken.set_result(None)

    def _close(self) -> None:
        if self._post.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._post)
            self._post.close()


class Spares:
    """Keeps a number of spares; each is handed over once.

    A spare has no identity. It becomes a launch's bot when it has answered the hand-over; one that
    does not is dead before the launch gets another process, so that a launch never has two.

    Args:
        number: How many to keep; 0 for none.
        fork: Asks the zygote for a spare with this end of its post; may raise `HatchFailed`.
        log: The supervisor's.
    """

    def __init__(
        self,
        number: int,
        fork: Callable[[socket.socket], Birth],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._number = number
        self._fork = fork
        self._log = log
        self._spares: list[Spare] = []
        self._failures = 0
        self._refilling: asyncio.TimerHandle | None = None
        self._dropped = False

    @property
    def count(self) -> int:
        """How many spares wait for a launch; those that still rehearse do not yet."""
        return sum(spare.waits for spare in self._spares)

    def refill(self, after_s: float) -> None:
        """Fork what is missing `after_s` from now; a later call puts it off."""
        if self._refilling is not None:
            self._refilling.cancel()
        if not self._dropped:
            self._refilling = asyncio.get_running_loop().call_later(after_s, self._refill_now)

    async def hand_over(self, line: socket.socket, log: Path) -> Bot | None:
        """Make a spare the bot of a launch; None if there is none that waits and answers.

        When cancelled, no process is left.
        """
        spare = next((spare for spare in self._spares if spare.waits), None)
        if spare is None:
            return None
        self._spares.remove(spare)
        try:
            return await spare.take(line, log)
        except (OSError, TimeoutError) as error:
            self._log.warning("spare.given_up", why=repr(error))
            spare.kill()
            await asyncio.shield(spare.exit)
            return None
        except BaseException:
            spare.kill()
            raise

    def drop(self) -> None:
        """Kill every spare and keep none from now on."""
        self._dropped = True
        if self._refilling is not None:
            self._refilling.cancel()
        for spare in self._spares:
            spare.kill()
        self._spares.clear()

    def _refill_now(self) -> None:
        try:
            while len(self._spares) < self._number and self._failures < MOST_FAILURES:
                self._spares.append(self._new())
        except (OSError, HatchFailed) as error:
            self._log.warning("spare.not_forked", why=str(error))

    def _new(self) -> Spare:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                spare = Spare(self._fork(theirs), ours)
        except BaseException:
            ours.close()
            raise
        overdue = asyncio.get_running_loop().call_later(WAITING_WITHIN_S, self._look_at, spare)
        spare.exit.add_done_callback(lambda _: self._ended(spare, overdue))
        return spare

    def _look_at(self, spare: Spare) -> None:
        if not spare.rehearsed:
            spare.kill()

    def _ended(self, spare: Spare, overdue: asyncio.TimerHandle) -> None:
        overdue.cancel()
        if spare not in self._spares:
            return  # it was handed over, or dropped
        self._spares.remove(spare)
        spare.kill()  # its post is still open
        self._failures = 0 if spare.rehearsed else self._failures + 1
        self._log.warning("spare.ended", rehearsed=spare.rehearsed, failures=self._failures)
        self.refill(REPLACED_AFTER_S)
