"""A bot host whose bots get into every kind of trouble, for tests of launchers without Pipecat.

Name this module as the host (``greenroom.testing.hosts``) and one of `Trouble` as the bot, or the
path of a ``.py`` file, which is executed on preload and whose ``main()`` is the session.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NoReturn

from greenroom.wire.process import BotSpec, ExitCode, Progress

MEGABYTE = 1024 * 1024
HANGS_HERE_S = 3600.0


class Trouble(StrEnum):
    """The bots of this host."""

    NONE = "none"  # joins, lives until SIGTERM, exits with 0
    BRIEF = "brief"  # joins and exits with 0 at once
    RAISES_ON_IMPORT = "raises-on-import"
    HANGS_ON_IMPORT = "hangs-on-import"
    CRASHES_ON_IMPORT = "crashes-on-import"  # a segmentation fault
    SEGFAULTS = "segfaults"
    ABORTS = "aborts"
    RAISES = "raises"
    EXITS_WITH_9 = "exits-with-9"
    NEVER_JOINS = "never-joins"  # idles, and SIGTERM would end it
    HANGS = "hangs"  # ignores SIGTERM, joins, then synchronous code
    EATS_MEMORY = "eats-memory"  # joins, then takes 100 MB
    HAS_CHILDREN = "has-children"  # one in its group, one that daemonised itself; joins
    TALKS_MUCH = "talks-much"  # joins and writes 4 MB to standard error
    FAILS_IN_REHEARSAL = "fails-in-rehearsal"
    HANGS_IN_REHEARSAL = "hangs-in-rehearsal"
    TELLS_SECRET = "tells-secret"  # noqa: S105 - joins, writes its secret to standard error


def preload(bot: str) -> None:
    """Import a bot, or get into trouble while at it."""
    if bot.endswith(".py"):
        _programs[bot] = runpy.run_path(bot)
        return
    match Trouble(bot):
        case Trouble.RAISES_ON_IMPORT:
            raise ImportError("this bot needs a library that nobody has")
        case Trouble.HANGS_ON_IMPORT:
            _hang_in_import()
        case Trouble.CRASHES_ON_IMPORT:
            _segfault()
        case _:
            pass


def rehearse(bot: str) -> None:
    """Nothing is slow the first time here; but trouble may come."""
    match bot:
        case Trouble.FAILS_IN_REHEARSAL:
            raise RuntimeError("nobody knows their lines")
        case Trouble.HANGS_IN_REHEARSAL:
            while True:
                time.sleep(HANGS_HERE_S)


def run(spec: BotSpec, progress: Callable[[Progress], None]) -> int:
    """Run one session, or get into trouble while at it."""
    if spec.bot.endswith(".py"):
        progress(Progress.JOINED)
        return int(_programs[spec.bot]["main"]())
    progress(Progress.LINKED)
    trouble = Trouble(spec.bot)
    early = _BEFORE_JOINING.get(trouble)
    if early is not None:
        return early(spec)
    # Who sees that it has joined may count on what it is known for: its children, its deafness.
    if trouble is Trouble.HAS_CHILDREN:
        _have_children()
    if trouble is Trouble.HANGS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    progress(Progress.JOINED)
    return _AFTER_JOINING.get(trouble, _wait_for_sigterm)(spec)


_programs: dict[str, dict[str, Any]] = {}


def _wait_for_sigterm(spec: BotSpec) -> int:
    signal.sigwait({signal.SIGTERM})  # blocked since it joined
    return ExitCode.OK


def _leave_at_once(spec: BotSpec) -> int:
    return ExitCode.OK


def _hang_in_import() -> NoReturn:
    print("this import does not end", file=sys.stderr, flush=True)
    while True:
        time.sleep(HANGS_HERE_S)


def _hang_in_synchronous_code(spec: BotSpec) -> NoReturn:
    print("SIGTERM is ignored here", file=sys.stderr, flush=True)
    while True:
        time.sleep(HANGS_HERE_S)


def _never_join(spec: BotSpec) -> NoReturn:
    while True:
        time.sleep(HANGS_HERE_S)


def _segfault(spec: BotSpec | None = None) -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError("the null pointer could be read")


def _abort(spec: BotSpec) -> NoReturn:
    os.abort()


def _raise(spec: BotSpec) -> NoReturn:
    raise RuntimeError("the bot's own mistake")


def _exit_with_9(spec: BotSpec) -> NoReturn:
    print("leaving with 9", file=sys.stderr)
    sys.exit(9)


def _eat_memory(spec: BotSpec) -> int:
    eaten = bytearray(100 * MEGABYTE)
    eaten[::4096] = b"x" * len(eaten[::4096])
    return _wait_for_sigterm(spec)


def _have_children() -> None:
    """Start two children that outlive us if nobody kills them, and say their pids."""
    sleep = [sys.executable, "-c", f"import time; time.sleep({HANGS_HERE_S})"]
    grouped = subprocess.Popen(sleep)  # noqa: S603
    daemon = subprocess.Popen(sleep, start_new_session=True)  # noqa: S603
    print(f"children: {grouped.pid} {daemon.pid}", file=sys.stderr, flush=True)


def _talk_much(spec: BotSpec) -> int:
    for number in range(4 * MEGABYTE // 64):
        print(f"{number:063d}", file=sys.stderr)
    print("that was all", file=sys.stderr, flush=True)
    return _wait_for_sigterm(spec)


def _tell_secret(spec: BotSpec) -> int:
    print(f"my secret is {spec.secret}", file=sys.stderr, flush=True)
    return ExitCode.OK


_BEFORE_JOINING: dict[Trouble, Callable[[BotSpec], int]] = {
    Trouble.SEGFAULTS: _segfault,
    Trouble.ABORTS: _abort,
    Trouble.RAISES: _raise,
    Trouble.EXITS_WITH_9: _exit_with_9,
    Trouble.NEVER_JOINS: _never_join,
}
_AFTER_JOINING: dict[Trouble, Callable[[BotSpec], int]] = {
    Trouble.BRIEF: _leave_at_once,
    Trouble.HANGS: _hang_in_synchronous_code,
    Trouble.EATS_MEMORY: _eat_memory,
    Trouble.TALKS_MUCH: _talk_much,
    Trouble.TELLS_SECRET: _tell_secret,
}
