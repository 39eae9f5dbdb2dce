"""What bots report, by the link or by webhook: numbered, fenced, once. All of it ends here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import structlog

from greenroom.errors import BadRequest
from greenroom.ports.clock import Clock
from greenroom.service.metrics import Metrics
from greenroom.service.sessions import Sessions
from greenroom.service.tracing import ids_of
from greenroom.session import inputs as i
from greenroom.session.facts import Change, Outcome
from greenroom.session.model import Session, Stage
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.translate import report_of, shown_kind

log = structlog.get_logger("greenroom.reports")

_NOT_NEW = (Outcome.DUPLICATE, Outcome.FENCED, Outcome.GAP)


class Way(StrEnum):
    """How a report came."""

    LINK = "link"
    WEBHOOK = "webhook"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a report, and its session afterwards."""

    outcome: Outcome
    session: Session


class Reports:
    """Takes reports of bots.

    Args:
        sessions: The one writer.
        clock: The time.
        metrics: Counters.
    """

    def __init__(self, sessions: Sessions, clock: Clock, metrics: Metrics) -> None:
        self._sessions = sessions
        self._clock = clock
        self._metrics = metrics

    async def take(
        self,
        way: Way,
        launch_id: str,
        session_id: str,
        report: Report,
        known: Session | None = None,
    ) -> Taken:
        """Record a report, once and in its turn.

        One that nobody understands is recorded as seen, so that it does not stop those behind it;
        one of a kind that only a newer bot knows becomes an event.

        Args:
            way: How it came; for the metrics.
            launch_id: Who reports: fenced unless it is the session's launch.
            session_id: Of which session.
            report: What happened, and its number.
            known: The session after the last report, if the caller has it; see `Writer.change`.

        Raises:
            Unavailable: The store is away; nothing was recorded, and it may be sent again.
            NotFound: There is no such session.
        """
        try:
            event = i.Reported(launch_id, report.seq, report_of(report))
            before, change = await self._sessions.change(session_id, event, known)
        except BadRequest:  # by us, or by the database that is to keep it
            unreadable = i.Reported(launch_id, report.seq, i.Unreadable())
            before, change = await self._sessions.change(session_id, unreadable)
        self._note(way, report, before, change)
        return Taken(change.outcome, change.session)

    async def saw(self, session_id: str, seen: i.Seen) -> Session:
        """Record who came into a room or left it, as the room itself tells.

        Args:
            session_id: Of which session.
            seen: Who came or left.

        Raises:
            Unavailable: The store is away; nothing was recorded.
        """
        before, change = await self._sessions.change(session_id, seen)
        outcome = change.outcome.value
        self._metrics.reports.labels(outcome=outcome, way=Way.ROOM.value).inc()
        self._note_both_there(before, change.session)
        return change.session

    async def kept(self, session_id: str) -> None:
        """Record that a room was kept whose session may have ended; it is then closed again.

        Raises:
            Unavailable: The store is away; nothing was recorded.
        """
        await self._sessions.apply(session_id, i.RoomReady())

    def _note(self, way: Way, report: Report, before: Session, change: Change) -> None:
        after = change.session
        self._metrics.reports.labels(outcome=change.outcome.value, way=way.value).inc()
        if change.outcome is Outcome.MALFORMED:
            log.warning("report.malformed", **ids_of(after), kind=shown_kind(report))
        elif change.outcome not in _NOT_NEW:
            self._metrics.note_report(report)
            if report.kind == ReportKind.BOT_JOINED:
                self._sessions.bot_joined(after, report.data.get("level"))
        self._note_both_there(before, after)

    def _note_both_there(self, before: Session, after: Session) -> None:
        if before.stage is Stage.CONNECTING and after.stage is Stage.ACTIVE:
            joined_s = max(0.0, self._clock.now() - (before.admitted_at or before.created_at))
            self._metrics.bot_join_seconds.observe(joined_s)
