"""How a store runs its transactions: each is a plain function of a connection, and one hop away.

Such a function says everything it has to say to the database in one go. So what drives a file
pays for one change of threads, and not for one per statement; what drives a server over the network
waits where it must. Both run the same functions.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from greenroom.errors import Unavailable
from greenroom.store.reaching import reachable

T = TypeVar("T")
Work = Callable[[Connection], T]
_SCRUB_WITHIN_MS = 500


class Transactions(Protocol):
    """Runs pieces of work on a database, each in one transaction.

    Work must not wait for anything but the database; it may run in another thread. Errors of the
    database come out as `Unavailable` and the like (see `greenroom.store.reaching`); whatever
    else work raises comes out as it is, and nothing has happened. Every call is bounded in time.
    Whoever is cancelled meanwhile does not know whether it has happened.
    """

    async def write(self, work: Work[T]) -> T:
        """Run work that changes something; committed when it returns."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads."""
        ...

    async def scrub(self) -> bool:
        """See to it that nothing which was deleted stands in the database's files any more.

        False: somebody still reads what stood there, so it may. Where the database's files are
        not ours, theirs is the care, and it is True.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection, when what is under way has come to its end."""
        ...


class InThreads:
    """Transactions on an engine that blocks: one writer at a time, a few readers beside it.

    Args:
        writer: Takes the write lock when a transaction begins.
        reader: Engine for what only reads.
        readers: How many may read at the same time.
        place_within_s: How long a call waits for its turn.
    """

    def __init__(
        self, writer: Engine, reader: Engine, *, readers: int, place_within_s: float
    ) -> None:
        self._engines = (writer, reader)
        self._writing = _Lane(1, place_within_s, "greenroom-writes")
        self._reading = _Lane(readers, place_within_s, "greenroom-reads")
        self._writer, self._reader = writer, reader

    async def write(self, work: Work[T]) -> T:
        """See `Transactions.write`."""

        def run() -> T:
            with self._writer.begin() as db:
                return work(db)

        return await self._writing.run(run)

    async def read(self, work: Work[T]) -> T:
        """See `Transactions.read`."""

        def run() -> T:
            with self._reader.connect() as db:
                return work(db)

        return await self._reading.run(run)

    async def scrub(self) -> bool:
        """See `Transactions.scrub`. What was deleted is overwritten; its log is emptied here."""

        def run() -> bool:
            # No transaction may be open, and SQLAlchemy would begin one.
            connection = self._writer.raw_connection()
            try:
                cursor: Any = connection.cursor()
                (usual_ms,) = cursor.execute("PRAGMA busy_timeout").fetchone()
                # Somebody may read for long, who makes a copy say, and nobody can write meanwhile.
                cursor.execute(f"PRAGMA busy_timeout={_SCRUB_WITHIN_MS}")
                (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.execute(f"PRAGMA busy_timeout={usual_ms}")
            finally:
                connection.close()
            return not busy

        return await self._writing.run(run)

    async def close(self) -> None:
        """See `Transactions.close`."""
        for lane in (self._writing, self._reading):
            await asyncio.to_thread(lane.close)
        for engine in self._engines:
            engine.dispose()


class _Lane:
    """Threads of one kind of work. Whoever finds none free waits in line, in the loop."""

    def __init__(self, places: int, place_within_s: float, name: str) -> None:
        self._threads = ThreadPoolExecutor(places, thread_name_prefix=name)
        self._places = asyncio.Semaphore(places)
        self._place_within_s = place_within_s

    async def run(self, work: Callable[[], T]) -> T:
        await self._take_place()
        loop = asyncio.get_running_loop()
        begun = loop.run_in_executor(self._threads, contextvars.copy_context().run, work)
        # What has begun is not stopped by whoever no longer waits for it, and its place is free
        # when its thread is.
        begun.add_done_callback(self._is_free)
        with reachable():
            return await asyncio.shield(begun)

    def _is_free(self, done: asyncio.Future[Any]) -> None:
        self._places.release()
        if not done.cancelled():
            done.exception()  # whoever still waits has it; else it is nobody's, and no news

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(self._place_within_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable("The database does not answer. Try again in a moment.") from error

    def close(self) -> None:
        self._threads.shutdown()


class OverTheNetwork:
    """Transactions on an engine that waits without blocking.

    Args:
        writer: For what changes something.
        reader: For what only reads.
    """

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writer, self._reader = writer, reader

    async def write(self, work: Work[T]) -> T:
        """See `Transactions.write`."""
        with reachable():
            async with self._writer.begin() as db:
                return await db.run_sync(work)

    async def read(self, work: Work[T]) -> T:
        """See `Transactions.read`."""
        with reachable():
            async with self._reader.connect() as db:
                return await db.run_sync(work)

    async def scrub(self) -> bool:
        """See `Transactions.scrub`. Its vacuum overwrites, and its log is its administrator's."""
        return True

    async def close(self) -> None:
        """See `Transactions.close`."""
        await self._writer.dispose()
        await self._reader.dispose()
