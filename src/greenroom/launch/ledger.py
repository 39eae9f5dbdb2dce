"""The ledger: every launch's one exit, kept and told until it is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterator

from greenroom.launch.journal import Journal
from greenroom.ports.launcher import BotExit, LaunchOrder

REMEMBERED_LAUNCHES = 10_000


class Ledger:
    """Exits in memory, backed by the journal; and those who want to hear of them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._exits = journal.inherit()
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self._subscribers: set[asyncio.Queue[BotExit]] = set()

    def has_ended(self, launch_id: str) -> bool:
        """Whether this launch id was used and its bot is no more."""
        return launch_id in self._exits or launch_id in self._forgotten

    def started(self, order: LaunchOrder) -> None:
        """A launch begins."""
        self._journal.started(order)

    def record(self, exit: BotExit) -> None:
        """A launch has ended; everybody who listens is told, even if the journal cannot be written.

        Raises:
            OSError: The journal could not be written: this exit would not outlive the supervisor.
        """
        self._exits[exit.launch_id] = exit
        for queue in self._subscribers:
            queue.put_nowait(exit)
        self._journal.exited(exit)

    def forget(self, launch_id: str) -> None:
        """Drop an exit; the launch id stays used. An unknown one is ignored."""
        if self._exits.pop(launch_id, None) is None:
            return
        self._journal.forget(launch_id)
        self._forgotten[launch_id] = None
        if len(self._forgotten) > REMEMBERED_LAUNCHES:
            self._forgotten.popitem(last=False)

    @contextlib.contextmanager
    def subscription(self) -> Iterator[asyncio.Queue[BotExit]]:
        """A queue with every exit not yet forgotten, and then those to come."""
        queue: asyncio.Queue[BotExit] = asyncio.Queue()
        for exit in self._exits.values():
            queue.put_nowait(exit)
        self._subscribers.add(queue)
        try:
            yield queue
        finally:
            self._subscribers.discard(queue)
