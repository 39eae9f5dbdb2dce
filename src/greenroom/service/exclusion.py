"""A user talks in one place: whoever is in a group call has their voice sessions paused meanwhile.

What holds is read off the record each time, so that it may be asked again, late, or by two at once.
A user's own mute and pause are left as they are: only the cause ``group_call`` comes and goes.
"""

from __future__ import annotations

import structlog

from greenroom.ports.store import Store
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import Sessions
from greenroom.service.tracing import ids_of
from greenroom.session.inputs import Pause, Resume
from greenroom.session.model import PauseCause, Session, SessionKind

log = structlog.get_logger("greenroom.exclusion")


class Exclusion:
    """Pauses and resumes voice sessions.

    Args:
        store: Who is in which call.
        sessions: Pauses and resumes.
        metrics: Counters.
    """

    def __init__(self, store: Store, sessions: Sessions, metrics: Metrics) -> None:
        self._store = store
        self._sessions = sessions
        self._metrics = metrics

    async def settle(self, user_id: str, tenant: str) -> None:
        """This user came into a group call or went: their voice sessions are as that asks.

        Raises:
            Unavailable: The store is away; it may be asked again.
        """
        for session in await self._store.live_of_user(user_id, tenant):
            if session.kind is not SessionKind.VOICE:
                continue
            if await self._sessions.is_in_a_call(session):
                await self._pause(session)
            elif PauseCause.GROUP_CALL in session.pause_causes:
                log.info("session.given_back", **ids_of(session))
                await self._sessions.apply(session.id, Resume(PauseCause.GROUP_CALL))

    async def begin(self, session: Session) -> None:
        """A voice session begins: paused, if its user is in a group call.

        Raises:
            Unavailable: The store is away.
        """
        if await self._sessions.is_in_a_call(session):
            await self._pause(session)

    async def _pause(self, session: Session) -> None:
        if PauseCause.GROUP_CALL not in session.pause_causes:
            log.info("session.kept_back", **ids_of(session))
            self._metrics.pauses.labels(cause=PauseCause.GROUP_CALL.value).inc()
            await self._sessions.apply(session.id, Pause(PauseCause.GROUP_CALL))
