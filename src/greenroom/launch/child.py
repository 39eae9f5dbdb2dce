"""What a bot process does first and last: take its spec, run the host once, leave with a code."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import random
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, Protocol, cast

from greenroom.launch import kernel
from greenroom.launch.packets import Step
from greenroom.wire.process import BotSpec, ExitCode, Progress

# Asks a process to write where each of its threads is to standard error, and to go on.
DUMP_SIGNAL = signal.SIGUSR2
# What these processes are called in a process table (`kernel.name_process`).
ZYGOTE_NAME = "gr-zygote"
SPARE_NAME = "gr-spare"
BOT_NAME = "gr-bot"


class BotHost(Protocol):
    """The module that knows how to run a bot; its contract stands in `greenroom.wire.process`."""

    def preload(self, bot: str) -> None:
        """Import the bot's module and warm what a fork may share."""
        ...

    def rehearse(self, bot: str) -> None:
        """Do once, in a process that waits for its session, what every session begins with."""
        ...

    def run(self, spec: BotSpec, progress: Callable[[Progress], None]) -> int:
        """Run one session; returns the exit code."""
        ...


def import_host(name: str) -> BotHost:
    """The bot host of that dotted name."""
    return cast(BotHost, importlib.import_module(name))


def explain_on_request() -> None:
    """Write tracebacks to standard error on `DUMP_SIGNAL` and on fatal signals.

    The handlers run in C, so they answer even from a loop that never returns to Python.
    """
    faulthandler.enable()
    faulthandler.register(DUMP_SIGNAL, all_threads=True)
    # A core file would hold the launch's secret and somebody's conversation.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def default_signals() -> None:
    """Give every signal but the dump's the meaning it has in a fresh interpreter."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def reseed() -> None:
    """Give this process random numbers of its own: a fork begins with its siblings' state."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class Line:
    """The bot's end of the line to its supervisor."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def spec(self) -> BotSpec | None:
        """Wait for the spec; None if the supervisor has let go of this launch."""
        received = bytearray()
        while not received.endswith(b"\n"):
            more = self._connection.recv(64 * 1024)
            if not more:
                return None
            received += more
        return BotSpec.model_validate_json(bytes(received))

    def progress(self, progress: Progress) -> None:
        """Say how far this bot has come. Never blocks and never raises."""
        message = Step(progress=progress).to_json().encode() + b"\n"
        with contextlib.suppress(OSError):
            self._connection.send(message, socket.MSG_DONTWAIT)

    def wait_until_cut(self) -> None:
        """Return when the supervisor's end is closed."""
        with contextlib.suppress(OSError):
            while self._connection.recv(4096):
                pass


def live(host: BotHost, line: Line, spec: BotSpec) -> NoReturn:
    """Run one session and end this process, without any clean-up of what was inherited."""
    code: int = ExitCode.BOT_RAISED
    kernel.name_process(BOT_NAME)
    try:
        line.progress(Progress.STARTED)
        code = host.run(spec, line.progress)
    except SystemExit as leaving:
        code = _code_of(leaving)
    except BaseException:
        traceback.print_exc()
    finally:
        leave(code)


def leave(code: int) -> NoReturn:
    """End this process now: no exit handlers, which belong to the process that forked us."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _code_of(leaving: SystemExit) -> int:
    if leaving.code is None:
        return ExitCode.OK
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1
