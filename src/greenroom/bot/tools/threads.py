"""Runs other people's functions so that they may be given up on: plain ones in threads."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from greenroom.bot.tools.functions import ToolError
from greenroom.wire.tools import ToolOutcome

# Threads that never come back cost memory; whoever has lost so many gets no more.
MOST_AT_ONCE = 8

_places = threading.BoundedSemaphore(MOST_AT_ONCE)
# The loop itself does not keep a task alive.
_unheard: set[asyncio.Task[Any]] = set()


async def call(function: partial[Any]) -> Any:
    """Call a plain function in a thread of its own, and an async one here.

    Cancelled, it returns at once; an async function is cancelled with it, and whether it obeys is
    not waited for. A thread runs on and nobody hears what comes of it. It is a daemon, so it keeps
    no process alive.

    Raises:
        ToolError: Too many threads have not come back.
        Exception: Whatever the function raises.
    """
    if inspect.iscoroutinefunction(function.func):
        return await _unless_cancelled(function())
    if not _places.acquire(blocking=False):
        raise ToolError(ToolOutcome.FAILED, "Too many tools are at work. Try again later.")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def run(context: contextvars.Context) -> None:
        try:
            tell: Callable[[], None] = partial(_resolve, done, context.run(function))
        except BaseException as error:  # also what would end a process
            tell = partial(_fail, done, error)
        finally:
            _places.release()
        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop is closed: the session is over
            return

    context = contextvars.copy_context()
    threading.Thread(target=run, args=(context,), name="tool", daemon=True).start()
    return await done


async def _unless_cancelled(running: Coroutine[Any, Any, Any]) -> Any:
    task = asyncio.create_task(running)
    _unheard.add(task)
    task.add_done_callback(_forget)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        raise


def _forget(task: asyncio.Task[Any]) -> None:
    _unheard.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited has it; else nobody is to be told of it


def _resolve(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
        done.set_exception(error if plain else RuntimeError(type(error).__name__))
