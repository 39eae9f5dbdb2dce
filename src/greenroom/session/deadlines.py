"""When a session's clocks come due: derived from its record, never kept beside it."""

from __future__ import annotations

from greenroom.session.matrix import running_deadlines
from greenroom.session.model import DeadlineKind, Limits, Session

# How long a page may take to connect after it has taken another's place.
MOVE_WITHIN_S = 10.0
# A bot outlives every deadline of its session by this much before the launcher kills it blindly.
WALL_CLOCK_SLACK_S = 30.0


def deadlines(session: Session) -> dict[DeadlineKind, float]:
    """The clocks that run for this session now.

    Returns:
        For each running clock its due time in seconds since the epoch.
    """
    running = running_deadlines(session.stage, paused=session.is_paused)
    due = {kind: _due_at(session, kind) for kind in running}
    return {kind: at for kind, at in due.items() if at is not None}


def _due_at(session: Session, kind: DeadlineKind) -> float | None:
    limits = session.limits
    match kind:
        case DeadlineKind.QUEUE:
            return _after(session.queued_at, limits.queue_s)
        case DeadlineKind.JOIN:
            admitted_at = session.admitted_at
            return (session.created_at if admitted_at is None else admitted_at) + limits.join_s
        case DeadlineKind.HARD:
            return _after(session.active_at, limits.max_duration_s)
        case DeadlineKind.WARNING:
            if session.warned_at is not None:
                return None
            return _after(session.active_at, limits.max_duration_s * limits.warning_share)
        case DeadlineKind.IDLE:
            return _after(session.last_activity_at, limits.idle_s)
        case DeadlineKind.PAUSE:
            return _after(session.paused_at, limits.pause_s)
        case DeadlineKind.LINGER:
            # Without persistence only a page that takes another's place is waited for.
            return _after(session.left_at, limits.persistence_s or MOVE_WITHIN_S)
        case DeadlineKind.ENDING:
            return _after(session.ending_at, limits.ending_s)
        case DeadlineKind.METER:
            return _after(session.meter.at, session.tariff.metering_s)


def _after(start: float | None, duration_s: float) -> float | None:
    return None if start is None else start + duration_s


def longest_life_s(limits: Limits) -> float:
    """No process of a session lives longer than this: its launcher sees to it."""
    return limits.join_s + limits.max_duration_s + limits.ending_s + WALL_CLOCK_SLACK_S
