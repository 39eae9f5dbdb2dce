"""The zygote: a blocking process that has imported one bot and forks it on request.

Started by the supervisor as ``python -m greenroom.launch.zygote``; there is no event loop, no
thread of ours and no open connection in it but the control socket, so that a fork is safe. It never
sees a launch's secret: the forked bot reads that from a socket of its own. What it forks is a bot,
for a launch that is there, or a spare, for one to come.

It dies with its supervisor. While it imports, the kernel kills it; afterwards it notices (end of
the control socket, or SIGTERM sent by the kernel) and first kills the process group of every bot,
because what a bot has started would otherwise outlive it.
"""

from __future__ import annotations

import argparse
import gc
import os
import selectors
import signal
import socket
import traceback
import warnings
from typing import NoReturn

from greenroom.launch import child, kernel
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
    to_zygote,
)
from greenroom.launch.spare import Post, write_to
from greenroom.wire.base import WireModel


class Zygote:
    """The loop: fork on request, reap, report; and kill everything when the supervisor is gone."""

    def __init__(self, control: socket.socket, host: child.BotHost, bot: str) -> None:
        self._control = control
        self._host = host
        self._bot = bot
        self._children: dict[int, int] = {}  # pid → number of its fork
        self._leaving = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def serve(self) -> None:
        """Until the supervisor is gone."""
        self._listen_to_signals()
        self._tell(Ready())
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._leaving:
                for key, _ in selector.select():
                    if key.fileobj is self._control:
                        self._take_request()
                    else:
                        self._wake_read.recv(4096)
                self._reap()
        for pid in self._children:
            kernel.kill_group(pid, signal.SIGKILL)

    def _listen_to_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._leave)

    def _leave(self, *_: object) -> None:
        self._leaving = True

    def _take_request(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(
            self._control, MAX_PACKET_BYTES, 2, socket.MSG_CMSG_CLOEXEC
        )
        if not packet:
            self._leave()
            return
        self._fork(to_zygote.validate_json(packet), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)

    def _fork(self, request: ToZygote, descriptors: list[int]) -> None:
        parent = os.getpid()
        # No handler of ours may run in the child before it has its own.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            with warnings.catch_warnings():
                # Native threads that imports (onnxruntime, OpenBLAS) and a rehearsed call (libuv's,
                # which look up names) have started are known to be safe.
                warnings.simplefilter("ignore", DeprecationWarning)
                if isinstance(request, ForkSpare):
                    # Before it is born: nobody who looks may ever take it for a bot.
                    kernel.name_process(child.SPARE_NAME)
                pid = os.fork()
            if pid == 0:
                self._begin(parent, request, descriptors, unblocked)
            kernel.name_process(child.ZYGOTE_NAME)
        except OSError as error:
            self._tell(ForkFailed(number=request.number, message=str(error)))
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        self._children[pid] = request.number
        self._tell(Forked(number=request.number, pid=pid))

    def _begin(
        self,
        parent: int,
        request: ToZygote,
        descriptors: list[int],
        unblocked: set[int | signal.Signals],
    ) -> NoReturn:
        """In the child: cut every tie to the zygote and its other children, then live."""
        try:
            os.setsid()
            kernel.die_with_parent(parent, signal.SIGKILL)
            child.default_signals()
            for inherited in (self._control, self._wake_read, self._wake_write):
                inherited.close()
            if isinstance(request, Fork):
                line, log = descriptors
                write_to(log)
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                child.reseed()
            else:
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                child.reseed()
                line = self._wait(descriptors[0])
            self._become_bot(line)
        except BaseException:
            # What came before is a spare's trouble, or ours; a bot's own ends in `child.live`.
            os.write(2, f"the bot could not begin: {traceback.format_exc()}\n".encode())
        finally:
            os._exit(1)

    def _wait(self, descriptor: int) -> int:
        """In a spare: wait for a launch; returns its line."""
        post = Post(socket.socket(fileno=descriptor))
        handed_over = post.wait(self._host, self._bot)
        if handed_over is None:
            child.leave(0)
        line, log = handed_over
        write_to(log)
        post.taken()
        return line

    def _become_bot(self, descriptor: int) -> NoReturn:
        line = child.Line(socket.socket(fileno=descriptor))
        spec = line.spec()
        if spec is None:
            child.leave(0)
        child.live(self._host, line, spec)

    def _reap(self) -> None:
        """Report every child that ended, after killing what it left behind in its group."""
        while self._children:
            # Peek first: as long as the child is a zombie, its process group cannot be reused.
            peeked = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if peeked is None:
                return
            kernel.kill_group(peeked.si_pid, signal.SIGKILL)
            _, status = os.waitpid(peeked.si_pid, 0)
            number = self._children.pop(peeked.si_pid, None)
            if number is not None:
                returncode = os.waitstatus_to_exitcode(status)
                self._tell(Exited(number=number, returncode=returncode))

    def _tell(self, message: WireModel) -> None:
        try:
            self._control.send(message.to_json().encode())
        except OSError:
            self._leave()


def main() -> None:
    """Preload, freeze, serve. What an import raises ends this process with its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--bot", required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--supervisor", type=int, required=True)
    args = parser.parse_args()

    kernel.die_with_parent(args.supervisor, signal.SIGKILL)
    child.explain_on_request()
    kernel.name_process(child.ZYGOTE_NAME)
    control = socket.socket(fileno=args.control)
    control.set_inheritable(False)
    control.send(Awake().to_json().encode())
    # What is imported stays: to look through it again and again takes a tenth of the time.
    gc.disable()
    host = child.import_host(args.host)
    host.preload(args.bot)
    # Frozen objects are never looked at by the collector, so their pages stay shared.
    gc.collect()
    gc.freeze()
    gc.enable()
    zygote = Zygote(control, host, args.bot)
    kernel.die_with_parent(args.supervisor, signal.SIGTERM)
    zygote.serve()
    # Not through the interpreter's clean-up: it may wait for threads that imports started.
    os._exit(0)


if __name__ == "__main__":
    main()
