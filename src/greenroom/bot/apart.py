"""A loop in a thread of its own: what has to be ended in good order ends there, after the session.

A session's own loop may be closed, and its tasks be cancelled twice, while something still waits
for a process that does not want to go. Nothing of that reaches this thread. It is a daemon, so it
keeps nobody alive by itself; an interpreter that ends waits for it, within bounds.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# The MCP SDK takes 4.5 s at most, from the end of a server's input to its SIGKILL.
ENDS_WITHIN_S = 5.0

_alive: set[Apart] = set()


class Apart:
    """One such thread. Started with the first `run`, ended by `leave`.

    Args:
        last: Run there when it is left: gives back what is held there.
    """

    def __init__(self, last: Callable[[], Awaitable[None]]) -> None:
        self._last = last
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = False
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="apart", daemon=True)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run this there, and wait for what comes of it; cancelled, it is cancelled there.

        Raises:
            RuntimeError: It has been left.
            Exception: Whatever the work raises.
        """
        if self._left:
            work.close()
            raise RuntimeError("it has been left")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            _alive.add(self)
            self._thread.start()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def leave(self) -> None:
        """Let it end. Returns at once; may be called again, and from any thread."""
        self._left = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._over.set)

    def wait(self, within_s: float) -> None:
        """Block until it has ended."""
        self._thread.join(max(0.0, within_s))

    def _live(self) -> None:
        assert self._loop is not None
        try:
            with contextlib.closing(self._loop):
                self._loop.run_until_complete(self._until_left())
        finally:
            _alive.discard(self)

    async def _until_left(self) -> None:
        await self._over.wait()
        await self._last()


def see_all_end(within_s: float = ENDS_WITHIN_S) -> None:
    """Leave all that there are in this process, and block until they have ended."""
    until_s = time.monotonic() + within_s
    for one in list(_alive):
        one.leave()
    for one in list(_alive):
        one.wait(until_s - time.monotonic())


# Not called in a process that a supervisor keeps: such a one leaves by `os._exit`, and whatever it
# has left behind is killed.
atexit.register(see_all_end)
