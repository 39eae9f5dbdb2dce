"""Stopping everything: no start gets through, every session ends, every page is told why.

Three doors are shut, each for what the others cannot know: the launcher's brake (the last door,
which holds when nobody else lives), the database (asked within the transaction that creates a
session), and every session's own end. All pages are told at once, by one ephemeral event; the
ends follow, each in its own transaction. The brake may also have been pulled from outside, by
``greenroom stop-all --force``; then the record follows it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from greenroom.errors import GreenroomError, Unavailable
from greenroom.ports.audit import Act, Actor, ActorKind
from greenroom.ports.clock import Clock
from greenroom.ports.hub import Hub
from greenroom.ports.launcher import BotProcess, Launcher
from greenroom.ports.store import Halt, Store
from greenroom.service.audit import Audit
from greenroom.service.events import ephemeral_word
from greenroom.service.feeds import HOUSE_TOPIC
from greenroom.service.metrics import Metrics
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Sessions
from greenroom.session.model import EndReason, Session
from greenroom.wire.events import EmergencyData, EphemeralType
from greenroom.wire.messages import sentence_for

log = structlog.get_logger("greenroom.emergency")

# A brake that was pulled from outside is on record after at most this long.
LOOK_EVERY_S = 1.0
# Polite end, SIGTERM and SIGKILL take 1.1 s; a session's own bound is 5 s.
QUIET_WITHIN_S = 6.0
LOOK_AGAIN_S = 0.05
AT_ONCE = 32
POLITE_S, TERM_S = 0.6, 0.5
# Who pulled it had neither server nor database to say so.
_BRAKE = Actor(ActorKind.COMMAND, "stop-all --force")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of stopping everything.

    Attributes:
        halt: Since when and why.
        ended: Sessions that were told to end.
        left: Sessions and bots that had not ended within `QUIET_WITHIN_S`; they are being ended.
    """

    halt: Halt
    ended: int
    left: int


class Emergency:
    """The stop button, and the record of it."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clock: Clock,
        launcher: Launcher,
        sessions: Sessions,
        metrics: Metrics,
        audit: Audit,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._launcher = launcher
        self._sessions = sessions
        self._metrics = metrics
        self._audit = audit
        self._changing = asyncio.Lock()

    async def stop(self, reason: str) -> Stopped:
        """Stop everything. Once it has returned no new bot process appears until `resume`.

        Said again, it ends what is left and takes over the reason. If the database does not
        answer, bots are ended all the same before `Unavailable` is raised.
        """
        async with self._changing:
            return await self._stop(reason)

    async def _stop(self, reason: str) -> Stopped:
        log.warning("emergency.stopping", reason=reason)
        try:
            await outside(Outside.HALT, lambda: self._launcher.halt(reason))
        except GreenroomError as error:  # one door less; the others still shut
            log.error("emergency.no_brake", error=error.message)
        self._tell_pages(reason)
        try:
            halt = await self._store.halt(reason, self._clock.now())
            ended = await self._end_sessions(reason)
        finally:
            await self._end_processes()
        left = await self._until_quiet()
        log.warning("emergency.stopped", ended=ended, left=left)
        return Stopped(halt, ended, left)

    async def resume(self) -> bool:
        """Let sessions begin again; whether they might not before."""
        async with self._changing:
            # The brake first: if we die in between, everything is still stopped, and said to be.
            released = await outside(Outside.RESUME, self._launcher.resume)
            resumed = await self._store.resume()
        log.warning("emergency.resumed")
        return released or resumed

    async def halted(self) -> Halt | None:
        """Whether everything is stopped, since when and why."""
        return await self._store.halted() or await outside(Outside.HALTED, self._launcher.halted)

    async def run(self) -> None:
        """Keep what is stopped stopped, however it came to be. Until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("emergency.unavailable", error=error.message)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Put a brake pulled from outside on record, and end what was not ended."""
        async with self._changing:
            brake = await outside(Outside.HALTED, self._launcher.halted)
            halt = await self._store.halted()
            if brake is not None and halt is None:
                async with self._audit.of(_BRAKE, Act.STOP_ALL, reason=brake.reason):
                    await self._stop(brake.reason)
            elif halt is not None and await self._store.unended():
                await self._end_sessions(halt.reason)

    def _tell_pages(self, reason: str) -> None:
        why = sentence_for(EndReason.EMERGENCY, reason or None)
        data = EmergencyData(message=why).model_dump(mode="json", by_alias=True)
        word = ephemeral_word(None, self._clock.now(), EphemeralType.EMERGENCY, data)
        self._hub.publish(HOUSE_TOPIC, [word])

    # ---- ending

    async def _end_sessions(self, reason: str) -> int:
        """Each by itself: one that cannot be ended keeps nobody else's bot alive."""

        async def end(session: Session) -> None:
            why = EndReason.EMERGENCY
            await self._sessions.stop(session.id, None, why, note=reason or None)

        sessions = [s for s in await self._store.unended() if s.reason is not EndReason.EMERGENCY]
        await self._each({session.id: functools.partial(end, session) for session in sessions})
        return len(sessions)

    async def _end_processes(self) -> None:
        """Also those that no session knows of, and all of them if the database is away."""

        async def end(bot: BotProcess) -> None:
            await outside(
                Outside.END_BOT,
                lambda: self._launcher.end(bot.launch_id, polite_s=POLITE_S, term_s=TERM_S),
            )

        living = await outside(Outside.LIVING, self._launcher.living)
        await self._each({bot.session_id: functools.partial(end, bot) for bot in living})

    async def _each(self, todo: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        """All, by session; what one of them raises is told and keeps no other waiting."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(session_id: str, do: Callable[[], Awaitable[None]]) -> None:
            async with places:
                try:
                    await do()
                except GreenroomError as error:
                    log.warning("emergency.not_ended", session=session_id, error=error.message)
                except Exception:
                    self._metrics.uncaught.labels(place="emergency").inc()
                    log.exception("emergency.uncaught", session=session_id)

        await asyncio.gather(*(one(session_id, do) for session_id, do in todo.items()))

    async def _until_quiet(self) -> int:
        left = 0
        try:
            async with asyncio.timeout(QUIET_WITHIN_S):
                while left := await self._left():
                    # Processes announce their end to the record. With a thousand of them a look
                    # takes so long that it must not keep the ends from being recorded.
                    await asyncio.sleep(LOOK_AGAIN_S * (1 + left / 10))
        except TimeoutError:
            pass
        return left

    async def _left(self) -> int:
        living = await outside(Outside.LIVING, self._launcher.living)
        return max(len(await self._store.unended()), len(living))
