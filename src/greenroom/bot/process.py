"""The bot host: preloads what forks may share, and runs one session in this process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import traceback
from collections.abc import Callable
from types import ModuleType

from loguru import logger

from greenroom.bot import apart, load
from greenroom.bot.trace import LOG_FORMAT, NOBODY
from greenroom.wire.process import BotSpec, ExitCode, Progress

# Whatever a bot left running gets this long to end before the loop is closed over it.
LEFTOVERS_WITHIN_S = 0.5

# Inherited by forked children, which must not prewarm again.
_preloaded: set[str] = set()
# Of a process that has rehearsed: the loop that its session will run in.
_rehearsed: asyncio.AbstractEventLoop | None = None


def preload(bot: str) -> None:
    """Import everything a session needs and warm what a fork may share.

    The module's optional ``prewarm()`` is called last; it must leave no event loop, no open
    socket and no thread. Side effects: this process logs warnings only, remembers ONNX
    sessions, and greets each session's first page only. Where children are forked from it, it
    also holds one call with itself (0.15 s), asks a model of nobody's if its bot may ask one, and
    leaves no loop, socket or thread of Python's of it. Where the loop is uvloop's, libuv's four
    threads that look up names stay, and wait: libuv makes new ones in a child (`pthread_atfork`).

    Args:
        bot: See `greenroom.bot.load.load`.

    Raises:
        NoBot: The module has no ``async def bot``.
        Exception: Whatever the import or ``prewarm()`` raises.
    """
    if bot in _preloaded:
        return
    _prepare()
    # Imported here, and not with this module: they take a second, and an error in them is
    # to be told as the preloading's.
    from greenroom.bot import (  # noqa: F401
        attached,
        hooks,
        overtaking,
        rehearsal,
        rehearsed_model,
        rejoin,
        serve,
        sparing,
        warm,
    )
    from greenroom.bot.rehearsed_call import call

    warm.remember_onnx_sessions()
    warm.late_imports()
    rejoin.adapt_transport()
    sparing.spare()
    overtaking.keep_order()
    hooks.install()
    warm.vad()
    module = load.load(bot)
    if prewarm := getattr(module, "prewarm", None):
        prewarm()
    if sys.platform == "linux":  # elsewhere every bot is a fresh interpreter
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(call())
            if rehearsed_model.is_needed():
                runner.run(rehearsed_model.ask())
    _preloaded.add(bot)


def rehearse(bot: str) -> None:
    """Make the event loop, and go through a session's beginning with nobody in it.

    For a forked child that waits. A call is not gone through again: that the process family's
    parent has held one is most of its worth, and 13 MB of pages of its own in each child that
    waits would buy no more than 3–20 ms of a first sound after 200. Side effect: the loop that
    `run` will use is made.

    Args:
        bot: As preloaded.

    Raises:
        Exception: The beginning of a session fails, as every session's would.
    """
    global _rehearsed
    from greenroom.bot import rehearsal

    _rehearsed = _new_event_loop()
    _rehearsed.run_until_complete(rehearsal.rehearse(bot))
    gc.collect()
    gc.freeze()


def run(spec: BotSpec, progress: Callable[[Progress], None]) -> int:
    """Run one session in this process, from dialling the link to its end.

    Works in a forked child of a process that preloaded, and in a fresh one.

    Args:
        spec: What to run and whom to dial.
        progress: Told how far the process has come; must not block.

    Returns:
        One of `ExitCode`. The last words of a failure are on standard error.
    """
    try:
        preload(spec.bot)
        module = load.load(spec.bot)
    except Exception:
        traceback.print_exc()
        return ExitCode.NO_BOT
    loop = _rehearsed or _new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_serve(spec, module, progress))
    finally:
        _end_leftovers(loop)
        # The supervisor kills what has not gone by then.
        apart.see_all_end(LEFTOVERS_WITHIN_S)
        asyncio.set_event_loop(None)
        loop.close()


async def _serve(spec: BotSpec, module: ModuleType, progress: Callable[[Progress], None]) -> int:
    from greenroom.bot.serve import Serving

    loop = asyncio.get_running_loop()
    serving = Serving(spec, module, progress)
    loop.add_signal_handler(signal.SIGTERM, serving.stop)
    try:
        return await serving.run()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _prepare() -> None:
    """Log warnings and errors only: what is formatted for debugging slows the audio down."""
    logger.remove()
    logger.configure(extra=dict(NOBODY))
    logger.add(sys.stderr, level="WARNING", format=LOG_FORMAT, backtrace=False, diagnose=False)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(ImportError):
        import uvloop  # `warm.late_imports` has done this before a fork

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def _end_leftovers(loop: asyncio.AbstractEventLoop) -> None:
    leftovers = asyncio.all_tasks(loop)
    for task in leftovers:
        task.cancel()
    if leftovers:
        loop.run_until_complete(asyncio.wait(leftovers, timeout=LEFTOVERS_WITHIN_S))
