"""The bot host: preloads what forks may share, and runs one session in this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import traceback
from collections.abc import Callable
from types import ModuleType

from loguru import logger

from greenroom.bot import load
from greenroom.wire.process import BotSpec, ExitCode, Progress

# Whatever a bot left running gets this long to end before the loop is closed over it.
LEFTOVERS_WITHIN_S = 0.5

# Inherited by forked children, which must not prewarm again.
_preloaded: set[str] = set()


def preload(bot: str) -> None:
    """Import everything a session needs and warm what a fork may share.

    The module's optional ``prewarm()`` is called last; it must leave no event loop, no open
    socket and no thread. Side effects: this process logs warnings only, remembers ONNX
    sessions, and greets each session's first page only.

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
    from greenroom.bot import attached, hooks, rejoin, serve, warm  # noqa: F401

    warm.remember_onnx_sessions()
    rejoin.adapt_transport()
    hooks.install()
    warm.vad()
    module = load.load(bot)
    if prewarm := getattr(module, "prewarm", None):
        prewarm()
    _preloaded.add(bot)


def run(spec: BotSpec, progress: Callable[[Progress], None]) -> int:
    """Run one session in this process, from dialling the link to its end.

    Works in a forked child of a process that preloaded, and in a fresh one.

    Args:
        spec: What to run and whom to dial.
        progress: Told how far the process has come; must not block.

    Returns:
        One of `ExitCode`. The last words of a failure are on standard error.
    """
    progress(Progress.STARTED)
    try:
        preload(spec.bot)
        module = load.load(spec.bot)
    except Exception:
        traceback.print_exc()
        return ExitCode.NO_BOT
    loop = _new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(_serve(spec, module, progress))
    finally:
        _end_leftovers(loop)
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
    logger.add(sys.stderr, level="WARNING", backtrace=False, diagnose=False)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def _end_leftovers(loop: asyncio.AbstractEventLoop) -> None:
    leftovers = asyncio.all_tasks(loop)
    for task in leftovers:
        task.cancel()
    if leftovers:
        loop.run_until_complete(asyncio.wait(leftovers, timeout=LEFTOVERS_WITHIN_S))
