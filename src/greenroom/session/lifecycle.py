"""The only code that changes a session: `transition(session, input, now) -> Change`, pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenroom.errors import NotActive, SessionEnded, StillQueued
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.cost import metered, time_price_changed
from greenroom.session.draft import Draft, launch, tell_cost, tell_place
from greenroom.session.group import GroupCall
from greenroom.session.handlers import HANDLERS
from greenroom.session.matrix import (
    REFUSED_WHILE_PAUSED,
    RESPONSES,
    Response,
    is_of_the_microphone,
)
from greenroom.session.model import (
    DEFAULT_TENANT,
    Limits,
    Session,
    Stage,
)
from greenroom.session.prices import NO_TARIFF, Tariff
from greenroom.session.roster import settle_exclusion, tell_presence
from greenroom.session.usage import Meter

# Clocks of pages that are set by the network are right to within this.
CLOCK_SLACK_S = 2.0


def open_session(
    *,
    session_id: str,
    user_id: str,
    assistant: str,
    bot: str,
    room: str,
    launch_id: str,
    limits: Limits,
    body: dict[str, Any],
    now: float,
    tenant: str = DEFAULT_TENANT,
    trace_id: str = "",
    tariff: Tariff = NO_TARIFF,
    assistant_version: int | None = None,
    record: dict[str, Any] | None = None,
    position: int | None = None,
    group_call: GroupCall | None = None,
    consented: bool = False,
) -> f.Change:
    """The first change of a session: it is connecting, its room and bot are asked for.

    With ``position`` it waits instead, in this place of the queue, and nothing is asked for.
    With ``group_call`` it is one for several people. ``consented``: its user agrees to be recorded.
    """
    waits = position is not None
    session = Session(
        id=session_id,
        user_id=user_id,
        assistant=assistant,
        bot=bot,
        room=room,
        stage=Stage.QUEUED if waits else Stage.CONNECTING,
        launch_id=launch_id,
        created_at=now,
        queued_at=now if waits else None,
        queue_position=position,
        admitted_at=None if waits else now,
        limits=limits,
        body=body,
        assistant_version=assistant_version,
        record=record or {},
        tenant=tenant,
        trace_id=trace_id,
        tariff=tariff,
        meter=Meter(at=None if waits else now),
        group_call=group_call,
        consents={user_id: now} if consented else {},
    )
    draft = Draft(session)
    if waits:
        tell_place(draft, now)
    else:
        launch(draft)
    settle_exclusion(draft, None)
    draft.tell(_status(session))
    return f.Change(session, tuple(draft.facts), tuple(draft.effects))


def transition(session: Session, event: i.Input, now: float) -> f.Change:
    """What becomes of a session when something happens to it.

    Args:
        session: The record as it stands.
        event: A command, a report, an exit, or a deadline come due.
        now: Seconds since the epoch. A clock set back makes nothing due and harms nothing.

    Returns:
        The changed record with its facts and effects, or the same record and why not.

    Raises:
        StillQueued: A command that needs a bot came before there was a place for one.
        SessionEnded: A command that needs a running session came after its end.
        NotActive: A command that needs a conversation came before or between, or in a pause.
    """
    if isinstance(event, i.Mute):
        event = _by_our_clock(session, event, now)
    fenced = _fence(session, event)
    if fenced is not None:
        return f.Change(session, outcome=fenced)
    content = event.report if isinstance(event, i.Reported | i.Seen) else event
    match RESPONSES[session.stage, type(content)]:
        case Response.REFUSE:
            raise refusal_of(session)
        case Response.IGNORE:
            return f.Change(_counted(session, event), outcome=_why_ignored(content))
        case Response.ACT:
            pass
    if session.is_paused and type(content) in REFUSED_WHILE_PAUSED:
        raise NotActive("This session is paused, so nobody is heard.", session=session.id)
    if session.muted and is_of_the_microphone(content):
        return f.Change(_counted(session, event), outcome=f.Outcome.MUTED)
    draft = Draft(_counted(session, event))
    HANDLERS[type(content)](draft, content, now)
    if isinstance(event, i.Seen):
        tell_presence(draft, session)
    settle_exclusion(draft, session)
    return _finished(session, draft, now)


def refusal_of(session: Session) -> SessionEnded | NotActive | StillQueued:
    """Why a session takes nothing that needs somebody to be there: as its stage says."""
    if session.stage is Stage.QUEUED:
        return StillQueued(
            "You are still waiting for a place.",
            session=session.id,
            position=session.queue_position,
        )
    if session.stage.is_live:
        return NotActive("Nobody is talking in this session right now.", session=session.id)
    return SessionEnded("This session is over. Start a new one.", session=session.id)


def _fence(session: Session, event: i.Input) -> f.Outcome | None:
    """Why this input is not this session's to hear, if so."""
    if isinstance(event, i.Reported | i.BotExited) and event.launch_id != session.launch_id:
        return f.Outcome.FENCED
    if isinstance(event, i.Reported):
        if event.seq <= session.report_seq:
            return f.Outcome.DUPLICATE
        if event.seq > session.report_seq + 1:
            return f.Outcome.GAP
    if isinstance(event, i.Mute) and event.timestamp_ms <= session.muted_at_ms:
        return f.Outcome.DUPLICATE
    return None


def _by_our_clock(session: Session, mute: i.Mute, now: float) -> i.Mute:
    """A switch of the microphone is dated now at the latest.

    A page whose clock runs ahead, by a year say, is believed in what it wants, not in when: its
    word would hold against everybody else's for as long. If it is ours that was set back since,
    what comes later stays later.
    """
    latest_ms = max(round((now + CLOCK_SLACK_S) * 1000), session.muted_at_ms + 1)
    return replace(mute, timestamp_ms=min(mute.timestamp_ms, latest_ms))


def _why_ignored(content: object) -> f.Outcome:
    return f.Outcome.MALFORMED if isinstance(content, i.Unreadable) else f.Outcome.IGNORED


def _counted(session: Session, event: i.Input) -> Session:
    """A numbered report is on record once it was looked at, obeyed or not."""
    return replace(session, report_seq=event.seq) if isinstance(event, i.Reported) else session


def _finished(before: Session, draft: Draft, now: float) -> f.Change:
    if time_price_changed(before, draft.session):
        draft.session = metered(before, draft.session, now)
    if _status(before) != _status(draft.session):
        draft.facts.append(_status(draft.session))
    if draft.session.stage is Stage.ENDED and before.stage is not Stage.ENDED:
        assert draft.session.reason is not None
        assert draft.session.ended_at is not None
        duration_s = draft.session.duration_s(draft.session.ended_at)
        if draft.session.meter.at is not None:
            tell_cost(draft)
        note = draft.session.end_note
        draft.facts.append(f.Ended(draft.session.reason, duration_s, note))
    return f.Change(draft.session, tuple(draft.facts), tuple(draft.effects))


def _status(session: Session) -> f.StatusChanged:
    return f.StatusChanged(
        session.stage, session.is_paused, session.user_presence, session.bot_presence
    )
