"""From a signal to a server that has stopped: it drains, and leaves no bot behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection, Sequence

import structlog
import uvicorn

from greenroom.assembly import House
from greenroom.errors import Conflict, GreenroomError
from greenroom.session.inputs import BotExited
from greenroom.session.model import EndReason, Stage

log = structlog.get_logger("greenroom.stopping")

# Bots are told to end, and the store is told that they did, within this after a drain.
END_ALL_WITHIN_S = 4.0
PAGES_ARE_TOLD_WITHIN_S = 0.3
LAUNCHER_WITHIN_S = 12.0


class Stopping:
    """What a server does between the signal and its end.

    Args:
        drain_s: How long running sessions may go on after a SIGTERM.
        house: Whose sessions and bots they are.
        server: Told to exit when nothing is left.
    """

    def __init__(self, drain_s: float, house: House, server: uvicorn.Server) -> None:
        self._drain_s = drain_s
        self._house = house
        self._server = server
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._background: Sequence[asyncio.Task[None]] = ()

    def listen(self, group: asyncio.TaskGroup, background: Sequence[asyncio.Task[None]]) -> None:
        """Obey signals from now on.

        Args:
            group: Owns the task that stops the server.
            background: What runs beside the requests; it is cancelled before the launcher ends.
        """
        self._background = background
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number, group)

    def deafen(self) -> None:
        """Leave signals to the operating system's own ways again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals, group: asyncio.TaskGroup) -> None:
        if self._task is not None:
            self._hurry.set()
            return
        wait_s = self._drain_s if number is signal.SIGTERM else 0.0
        self._task = group.create_task(self._stop(wait_s))

    async def _stop(self, wait_s: float) -> None:
        sessions = self._house.parts.sessions
        sessions.refuse_new()
        log.info("server.draining", wait_s=wait_s)
        try:
            # Who waits for a place would wait for nothing: nobody comes in any more.
            await self._end_all({Stage.QUEUED})
            await self._until_quiet(wait_s)
            await self._end_all(set(Stage))
            await self._until_quiet(END_ALL_WITHIN_S)
        except GreenroomError as error:
            log.warning("server.drain_failed", error=error.message)
        finally:
            await self._shut_launcher_down()
            # Whoever follows a session that has just ended is told why before the line is cut.
            await asyncio.sleep(PAGES_ARE_TOLD_WITHIN_S)
            self._server.should_exit = True

    async def _end_all(self, stages: Collection[Stage]) -> None:
        """End every session that is in one of these stages; one that fails hinders no other."""
        for session in await self._house.parts.store.unended():
            if session.stage not in stages:
                continue
            try:
                await self._house.parts.sessions.stop(session.id, None, EndReason.SERVER_DRAIN)
            except Conflict as error:
                log.warning("session.not_ended", session=session.id, error=error.message)

    async def _shut_launcher_down(self) -> None:
        # Whoever still follows the launcher would bring a new supervisor to life.
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        try:
            async with asyncio.timeout(LAUNCHER_WITHIN_S):
                await self._house.parts.launcher.shutdown()
            await self._record_the_end()
        except (GreenroomError, TimeoutError) as error:
            log.warning("launcher.shutdown_failed", error=str(error))

    async def _record_the_end(self) -> None:
        """No bot lives any more; what their exits would have said, had we waited, is recorded."""
        for session in await self._house.parts.store.unended():
            gone = BotExited(session.launch_id, clean=True, code="bot_exited", message="")
            await self._house.parts.sessions.apply(session.id, gone)

    async def _until_quiet(self, most_s: float) -> None:
        """Wait until no session runs; a second signal, or `most_s`, ends the wait."""
        try:
            async with asyncio.timeout(most_s):
                while await self._house.parts.store.unended() and not self._hurry.is_set():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
