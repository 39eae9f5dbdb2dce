"""What operators are shown: who talks, until when and by which process; which deliveries wait."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.ports.deliveries import Delivery, Standing
from greenroom.ports.launcher import BotProcess
from greenroom.ports.store import Halt
from greenroom.session.cost import cost_of
from greenroom.session.deadlines import deadlines
from greenroom.session.model import DeadlineKind, Limits, Session
from greenroom.session.prices import usd
from greenroom.wire.operators import (
    BotLine,
    DeliveryLine,
    DeliveryLines,
    EndpointLine,
    SessionLine,
    SessionLines,
)
from greenroom.wire.status import shown_status
from greenroom.wire.translate import rfc3339, rfc3339_or_none

_END_NOTHING = (DeadlineKind.WARNING, DeadlineKind.METER)


def lines_of(
    sessions: list[Session], living: list[BotProcess], halt: Halt | None, now: float
) -> SessionLines:
    """The list as operators see it.

    Args:
        sessions: Those that have not ended.
        living: The processes that live.
        halt: Whether everything is stopped.
        now: Seconds since the epoch.
    """
    bots = {process.launch_id: process for process in living}
    ordered = sorted(sessions, key=lambda session: session.created_at)
    return SessionLines(
        sessions=[_line(session, bots.get(session.launch_id), now) for session in ordered],
        halted_at=rfc3339(halt.at) if halt else None,
        halt_reason=halt.reason if halt else None,
    )


def _line(session: Session, bot: BotProcess | None, now: float) -> SessionLine:
    kind, due_at = _first_end(session)
    return SessionLine(
        session_id=session.id,
        user_id=session.user_id,
        tenant=session.tenant,
        assistant=session.assistant,
        stage=session.stage.value,
        status=shown_status(session.stage, paused=session.is_paused).value,
        muted=session.muted,
        pause_causes=sorted(session.pause_causes),
        started_at=rfc3339(session.created_at),
        duration_s=round(session.duration_s(now), 1),
        due=kind.value if kind else None,
        due_at=rfc3339(due_at) if due_at else None,
        due_in_s=round(due_at - now, 1) if due_at else None,
        due_after_s=_length_s(session.limits, kind) if kind else None,
        reason=session.reason.value if session.reason else None,
        trace_id=session.trace_id,
        cost_usd=usd(cost_of(session).micro_usd),
        bot=BotLine(pid=bot.pid, progress=bot.progress, private_bytes=bot.private_bytes)
        if bot
        else None,
    )


def _first_end(session: Session) -> tuple[DeadlineKind | None, float | None]:
    """The deadline that ends the session first. A warning ends nothing, and neither does a bill."""
    ends = {kind: at for kind, at in deadlines(session).items() if kind not in _END_NOTHING}
    if not ends:
        return None, None
    kind = min(ends, key=lambda kind: ends[kind])
    return kind, ends[kind]


def _length_s(limits: Limits, kind: DeadlineKind) -> float | None:
    lengths = {
        DeadlineKind.QUEUE: limits.queue_s,
        DeadlineKind.JOIN: limits.join_s,
        DeadlineKind.HARD: limits.max_duration_s,
        DeadlineKind.IDLE: limits.idle_s,
        DeadlineKind.PAUSE: limits.pause_s,
        DeadlineKind.LINGER: limits.persistence_s,
        DeadlineKind.ENDING: limits.ending_s,
    }
    return lengths.get(kind)


def deliveries_of(found: Sequence[Delivery], standings: Sequence[Standing]) -> DeliveryLines:
    """The list of deliveries as operators see it."""
    endpoints = [
        EndpointLine(
            endpoint=standing.endpoint,
            waiting=standing.waiting,
            dead=standing.dead,
            oldest=rfc3339_or_none(standing.oldest_at),
        )
        for standing in standings
    ]
    return DeliveryLines(endpoints=endpoints, deliveries=[_delivery(one) for one in found])


def _delivery(delivery: Delivery) -> DeliveryLine:
    event = delivery.event
    return DeliveryLine(
        id=delivery.id,
        event=f"{event.session_id}.{event.seq}",
        session=event.session_id,
        type=event.type,
        time=rfc3339(event.at),
        endpoint=delivery.endpoint,
        state=delivery.state.value,
        attempts=delivery.attempts,
        next_try=rfc3339_or_none(delivery.due_at),
        error=delivery.error,
    )
