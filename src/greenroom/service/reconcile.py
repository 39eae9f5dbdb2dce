"""Comparing the record with reality: exits as they come, and a look at everything on a timer."""

from __future__ import annotations

import asyncio

import structlog

from greenroom.errors import NotFound, Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.launcher import BotExit, ExitCause, Launcher
from greenroom.ports.store import Store
from greenroom.service.metrics import Metrics
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Sessions
from greenroom.service.tracing import ids_of
from greenroom.session.model import Session, Stage

log = structlog.get_logger("greenroom.reconcile")

LOOK_EVERY_S = 15.0
FIRST_LOOK_AGAIN_S = 2.0
RETRY_S = 1.0
# A process that nobody knows gets this long to go by itself.
ORPHAN_POLITE_S = 1.0
ORPHAN_TERM_S = 0.5


class Reconciler:
    """Feeds exits into the record, and ends what should not be."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        launcher: Launcher,
        sessions: Sessions,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._launcher = launcher
        self._sessions = sessions
        self._metrics = metrics
        self._missing: set[str] = set()

    async def follow_exits(self) -> None:
        """Record every exit, then let the launcher forget it. Until cancelled."""
        while True:
            try:
                async for exit_ in self._launcher.exits():
                    await self._record(exit_)
            except Unavailable as error:
                log.warning("launcher.unavailable", error=error.message)
            await asyncio.sleep(RETRY_S)

    async def _record(self, exit_: BotExit) -> None:
        while True:
            try:
                await self._sessions.exited(exit_)
                break
            except Unavailable as error:  # the store is away; the exit must not be lost
                log.warning("store.unavailable", error=error.message)
                await asyncio.sleep(RETRY_S)
        await outside(Outside.FORGET, lambda: self._launcher.forget(exit_.launch_id))

    async def run(self) -> None:
        """Look at everything, soon again, and then on a timer. Until cancelled."""
        nap_s = FIRST_LOOK_AGAIN_S
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("reconcile.unavailable", error=error.message)
            except Exception:
                self._metrics.uncaught.labels(place="reconcile").inc()
                log.exception("reconcile.uncaught")
            await asyncio.sleep(nap_s)
            nap_s = LOOK_EVERY_S

    async def look(self) -> None:
        """One comparison of the record with what lives.

        Sessions first, processes second: a bot launched in between is on the second list
        and not an orphan, because its session is looked up again by its launch.
        """
        sessions = await self._store.unended()
        living = await outside(Outside.LIVING, self._launcher.living)
        processes = {process.launch_id: process for process in living}
        missing = {s.id: s for s in sessions if _needs_bot(s) and s.launch_id not in processes}
        for session_id in self._missing & missing.keys():
            session = missing[session_id]
            log.warning("session.lost", **ids_of(session))
            await self._sessions.exited(_vanished(session, self._clock.now()))
        # Lost is what was missing at two looks: the exit may be on its way to us.
        self._missing = set(missing)
        known = {session.launch_id for session in sessions}
        for launch_id, process in processes.items():
            if launch_id not in known and await self._is_orphan(process.session_id):
                log.warning("bot.orphan", session=process.session_id, launch=launch_id)
                await self._end(launch_id)

    async def _end(self, launch_id: str) -> None:
        times = {"polite_s": ORPHAN_POLITE_S, "term_s": ORPHAN_TERM_S}
        await outside(Outside.END_BOT, lambda: self._launcher.end(launch_id, **times))

    async def _is_orphan(self, session_id: str) -> bool:
        try:
            return (await self._store.get(session_id)).stage is Stage.ENDED
        except NotFound:
            return True


def _needs_bot(session: Session) -> bool:
    """Connecting and ending sessions have deadlines of their own; these need a process."""
    return session.stage in (Stage.ACTIVE, Stage.LINGERING)


def _vanished(session: Session, now: float) -> BotExit:
    return BotExit(session.launch_id, session.id, ExitCause.UNKNOWN, None, None, "", now)
