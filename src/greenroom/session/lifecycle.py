"""The only code that changes a session: `transition(session, input, now) -> Change`, pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from greenroom.errors import NotActive, SessionEnded, StillQueued
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.cost import cost_of, metered, time_price_changed
from greenroom.session.deadlines import deadlines, longest_life_s
from greenroom.session.matrix import RESPONSES, Response, is_of_the_microphone
from greenroom.session.model import (
    DEFAULT_TENANT,
    DeadlineKind,
    EndReason,
    Limits,
    Presence,
    Session,
    Stage,
)
from greenroom.session.prices import NO_TARIFF, Tariff
from greenroom.session.usage import Meter, used

# Clocks of pages that are set by the network are right to within this.
CLOCK_SLACK_S = 2.0
# Reasons that the assistant tells in a word of its own before it goes.
SPOKEN_REASONS = frozenset({EndReason.BUDGET})
# Between the end of the assistant's last words and the end of its stage.
LAST_WORDS_MARGIN_S = 0.5


class _Draft:
    """A session being changed, with what the change will tell and ask."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.facts: list[f.Fact] = []
        self.effects: list[f.Effect] = []

    def set(self, **changes: Any) -> None:
        self.session = replace(self.session, **changes)

    def tell(self, fact: f.Fact) -> None:
        self.facts.append(fact)

    def want(self, effect: f.EffectKind, /, **payload: Any) -> None:
        self.effects.append(f.Effect(effect, payload))

    def tell_bot(self, kind: str, **data: Any) -> None:
        # Which change of the session, and which of its effects: no other command is called so.
        name = f"{self.session.version}.{len(self.effects)}"
        launch_id = self.session.launch_id
        self.want(f.EffectKind.TELL_BOT, launch_id=launch_id, command=name, kind=kind, data=data)


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
    position: int | None = None,
) -> f.Change:
    """The first change of a session: it is connecting, its room and bot are asked for.

    With ``position`` it waits instead, in this place of the queue, and nothing is asked for.
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
        tenant=tenant,
        trace_id=trace_id,
        tariff=tariff,
        meter=Meter(at=None if waits else now),
    )
    draft = _Draft(session)
    if waits:
        _tell_place(draft, now)
    else:
        _launch(draft)
    draft.tell(_status(session))
    return f.Change(session, tuple(draft.facts), tuple(draft.effects))


def _launch(draft: _Draft) -> None:
    session, limits = draft.session, draft.session.limits
    draft.tell(f.Started(assistant=session.assistant, room=session.room))
    draft.want(f.EffectKind.ENSURE_ROOM, room=session.room)
    draft.want(
        f.EffectKind.LAUNCH_BOT,
        launch_id=session.launch_id,
        bot=session.bot,
        join_s=limits.join_s,
        wall_clock_s=longest_life_s(limits),
    )


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
        NotActive: A command that needs a conversation came before or between.
    """
    if isinstance(event, i.Mute):
        event = _by_our_clock(event, now)
    fenced = _fence(session, event)
    if fenced is not None:
        return f.Change(session, outcome=fenced)
    content = event.report if isinstance(event, i.Reported) else event
    match RESPONSES[session.stage, type(content)]:
        case Response.REFUSE:
            raise _refusal(session)
        case Response.IGNORE:
            return f.Change(_counted(session, event), outcome=_why_ignored(content))
        case Response.ACT:
            pass
    if session.muted and is_of_the_microphone(content):
        return f.Change(_counted(session, event), outcome=f.Outcome.MUTED)
    draft = _Draft(_counted(session, event))
    _HANDLERS[type(content)](draft, content, now)
    return _finished(session, draft, now)


def _refusal(session: Session) -> SessionEnded | NotActive | StillQueued:
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


def _by_our_clock(mute: i.Mute, now: float) -> i.Mute:
    """A switch of the microphone is dated now at the latest.

    A page whose clock runs ahead, by a year say, is believed in what it wants, not in when: its
    word would hold against everybody else's for as long.
    """
    latest_ms = round((now + CLOCK_SLACK_S) * 1000)
    return replace(mute, timestamp_ms=min(mute.timestamp_ms, latest_ms))


def _why_ignored(content: object) -> f.Outcome:
    return f.Outcome.MALFORMED if isinstance(content, i.Unreadable) else f.Outcome.IGNORED


def _counted(session: Session, event: i.Input) -> Session:
    """A numbered report is on record once it was looked at, obeyed or not."""
    return replace(session, report_seq=event.seq) if isinstance(event, i.Reported) else session


def _finished(before: Session, draft: _Draft, now: float) -> f.Change:
    if time_price_changed(before, draft.session):
        draft.session = metered(before, draft.session, now)
    if _status(before) != _status(draft.session):
        draft.facts.append(_status(draft.session))
    if draft.session.stage is Stage.ENDED and before.stage is not Stage.ENDED:
        assert draft.session.reason is not None
        assert draft.session.ended_at is not None
        duration_s = draft.session.duration_s(draft.session.ended_at)
        if draft.session.meter.at is not None:
            _tell_cost(draft)
        note = draft.session.end_note
        draft.facts.append(f.Ended(draft.session.reason, duration_s, note))
    return f.Change(draft.session, tuple(draft.facts), tuple(draft.effects))


def _status(session: Session) -> f.StatusChanged:
    return f.StatusChanged(
        session.stage, session.is_paused, session.user_presence, session.bot_presence
    )


# ---- commands


def _offer(draft: _Draft, offer: i.Offer, now: float) -> None:
    # Whoever is in the room stays the one that counts until the newer page has joined.
    if draft.session.participant is None:
        draft.set(participant=offer.participant)


def _stop(draft: _Draft, stop: i.Stop, now: float) -> None:
    if draft.session.stage is Stage.ENDING:
        _end_bot(draft, polite_s=0.0)
        return
    draft.set(end_note=stop.note)
    if draft.session.stage is Stage.QUEUED:
        _leave_queue(draft, stop.reason, now)
    else:
        _end(draft, stop.reason, now)


def _mute(draft: _Draft, mute: i.Mute, now: float) -> None:
    changed = mute.muted != draft.session.muted
    draft.set(muted=mute.muted, muted_at_ms=mute.timestamp_ms)
    _acted(draft, now)
    if changed:
        draft.tell(f.Muted(mute.muted, mute.timestamp_ms))
        if draft.session.stage is not Stage.QUEUED:  # there, its bot will know from the start
            draft.tell_bot("mute", muted=mute.muted)


def _pause(draft: _Draft, pause: i.Pause, now: float) -> None:
    if pause.cause in draft.session.pause_causes:
        return
    was_paused = draft.session.is_paused
    # Each new cause starts the pause clock anew (DESIGN's table of deadlines).
    draft.set(pause_causes=draft.session.pause_causes | {pause.cause}, paused_at=now)
    _tell_causes(draft)
    if not was_paused:
        draft.tell_bot("pause", paused=True)


def _resume(draft: _Draft, resume: i.Resume, now: float) -> None:
    if resume.cause not in draft.session.pause_causes:
        return
    draft.set(pause_causes=draft.session.pause_causes - {resume.cause})
    _tell_causes(draft)
    if not draft.session.is_paused:
        draft.set(paused_at=None)
        _acted(draft, now)
        draft.tell_bot("pause", paused=False)
        _have_time_said(draft, now)


def _message(draft: _Draft, message: i.Message, now: float) -> None:
    _acted(draft, now)
    draft.tell_bot("message", text=message.text)


def _tell_causes(draft: _Draft) -> None:
    draft.tell(f.Paused(tuple(sorted(draft.session.pause_causes))))


# ---- reports


def _bot_joined(draft: _Draft, report: i.BotJoined, now: float) -> None:
    draft.set(bot_presence=Presence.PRESENT)
    _activate_when_both(draft, now)


def _user_joined(draft: _Draft, report: i.UserJoined, now: float) -> None:
    draft.set(user_presence=Presence.PRESENT, participant=report.participant, left_at=None)
    _acted(draft, now)
    if draft.session.stage is Stage.LINGERING:
        draft.set(stage=Stage.ACTIVE)
        _have_time_said(draft, now)
    _activate_when_both(draft, now)


def _activate_when_both(draft: _Draft, now: float) -> None:
    session = draft.session
    both = session.bot_presence is session.user_presence is Presence.PRESENT
    if session.stage is Stage.CONNECTING and both:
        draft.set(stage=Stage.ACTIVE, active_at=now, last_activity_at=now)


def _user_left(draft: _Draft, report: i.UserLeft, now: float) -> None:
    if report.participant != draft.session.participant:
        return  # an older page left; the newer one is what counts
    draft.set(user_presence=Presence.GONE)
    if draft.session.stage is not Stage.ACTIVE:
        return
    draft.set(stage=Stage.LINGERING, left_at=now)
    if draft.session.limits.persistence_s <= 0 and not report.moved:
        _end(draft, EndReason.LEFT, now)


def _user_ended(draft: _Draft, report: i.UserEnded, now: float) -> None:
    _end(draft, EndReason.USER, now)


def _user_speech(draft: _Draft, report: i.UserSpeech, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.UserSpoke(report.speaking))


def _bot_speech(draft: _Draft, report: i.BotSpeech, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.BotSpoke(report.speaking, report.interrupted))


def _transcript(draft: _Draft, report: i.Transcript, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.Said(report.role, report.text, report.final, report.turn))


def _app_report(draft: _Draft, report: i.AppReport, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.AppHappened(report.type, report.data))


def _unknown(draft: _Draft, report: i.Unknown, now: float) -> None:
    draft.tell(f.UnknownHappened(report.kind, report.data))


def _usage(draft: _Draft, report: i.Usage, now: float) -> None:
    meter = used(draft.session.meter, report.component, report.unit, report.quantity)
    draft.set(meter=meter)


def _bot_error(draft: _Draft, report: i.BotError, now: float) -> None:
    draft.tell(f.Failed(report.code, report.message, retryable=report.fatal))
    if report.fatal:
        failed_early = draft.session.stage is Stage.CONNECTING
        _end(draft, EndReason.LAUNCH_FAILED if failed_early else EndReason.BOT_CRASHED, now)


def _farewell(draft: _Draft, report: i.Farewell, now: float) -> None:
    _end(draft, EndReason.GOODBYE, now)


def _acted(draft: _Draft, now: float) -> None:
    """Somebody spoke, typed or acted: the idle clock starts anew. Packets do not count."""
    if draft.session.active_at is not None:
        draft.set(last_activity_at=max(now, draft.session.last_activity_at or now))


# ---- the bill


def _meter(draft: _Draft, now: float) -> None:
    draft.session = metered(draft.session, draft.session, now)
    if cost_of(draft.session).micro_usd != draft.session.meter.told_micro_usd:
        _tell_cost(draft)


def _tell_cost(draft: _Draft) -> None:
    cost = cost_of(draft.session)
    draft.set(meter=replace(draft.session.meter, told_micro_usd=cost.micro_usd))
    draft.tell(f.Costed(cost))


def _budget_near(draft: _Draft, near: i.BudgetNear, now: float) -> None:
    meter = draft.session.meter
    if near.budget not in meter.warned:
        draft.set(meter=replace(meter, warned=meter.warned | {near.budget}))
        draft.tell(f.BudgetWarned(near.budget, near.spent_micro_usd, near.limit_micro_usd))


def _budget_spent(draft: _Draft, spent: i.BudgetSpent, now: float) -> None:
    draft.tell(f.BudgetWarned(spent.budget, spent.spent_micro_usd, spent.limit_micro_usd))
    _end(draft, EndReason.BUDGET, now)


# ---- the world outside


def _bot_exited(draft: _Draft, exited: i.BotExited, now: float) -> None:
    draft.set(bot_presence=Presence.GONE)
    if draft.session.stage is not Stage.ENDING:
        reason = _reason_of_exit(draft.session, exited)
        if reason is not EndReason.BOT_LEFT:
            draft.tell(f.Failed(exited.code, exited.message, retryable=True))
        draft.set(stage=Stage.ENDING, reason=reason, ending_at=now)
    _over(draft, now)


def _reason_of_exit(session: Session, exited: i.BotExited) -> EndReason:
    if exited.code == "lost":
        return EndReason.LOST
    if exited.code == "join_deadline":
        return EndReason.BOT_NEVER_JOINED
    if session.stage is Stage.CONNECTING:
        return EndReason.LAUNCH_FAILED
    return EndReason.BOT_LEFT if exited.clean else EndReason.BOT_CRASHED


def _moved_up(draft: _Draft, moved: i.MovedUp, now: float) -> None:
    if moved.position != draft.session.queue_position:
        draft.set(queue_position=moved.position)
        _tell_place(draft, now)


def _let_in(draft: _Draft, let_in: i.LetIn, now: float) -> None:
    draft.set(stage=Stage.CONNECTING, queue_position=None, admitted_at=now)
    _launch(draft)


def _tell_place(draft: _Draft, now: float) -> None:
    position = draft.session.queue_position
    assert position is not None
    ends_at = deadlines(draft.session)[DeadlineKind.QUEUE]
    draft.tell(f.Queued(position, ends_in_s=max(0.0, ends_at - now)))


def _due(draft: _Draft, due: i.Due, now: float) -> None:
    at = deadlines(draft.session).get(due.kind)
    if at is None or at > now:
        return  # it was moved or cancelled after somebody saw it due
    match due.kind:
        case DeadlineKind.WARNING:
            _warn(draft, now)
        case DeadlineKind.QUEUE:
            _leave_queue(draft, EndReason.QUEUE_TIMEOUT, now)
        case DeadlineKind.JOIN:
            _end(draft, _who_is_missing(draft.session), now)
        case DeadlineKind.HARD:
            _end(draft, EndReason.MAX_DURATION, now)
        case DeadlineKind.IDLE:
            _end(draft, EndReason.IDLE, now)
        case DeadlineKind.PAUSE:
            _end(draft, EndReason.PAUSED_TOO_LONG, now)
        case DeadlineKind.LINGER:
            _end(draft, EndReason.LEFT, now)
        case DeadlineKind.ENDING:
            _end_bot(draft, polite_s=0.0)
            _over(draft, now)
        case DeadlineKind.METER:
            _meter(draft, now)


def _warn(draft: _Draft, now: float) -> None:
    draft.set(warned_at=now)
    draft.tell(f.Warned(ends_in_s=_time_left_s(draft.session, now)))
    _have_time_said(draft, now)


def _have_time_said(draft: _Draft, now: float) -> None:
    """Once the user was warned, the bot may say so: now, or when somebody hears it again."""
    session = draft.session
    if session.warned_at is not None and session.stage is Stage.ACTIVE and not session.is_paused:
        draft.tell_bot("warning", ends_in_s=_time_left_s(session, now))


def _time_left_s(session: Session, now: float) -> float:
    return max(0.0, deadlines(session)[DeadlineKind.HARD] - now)


def _who_is_missing(session: Session) -> EndReason:
    # A bot joins when it has somebody to join; without any offer it is not the one to blame.
    if session.bot_presence is Presence.PRESENT or session.participant is None:
        return EndReason.NO_SHOW
    return EndReason.BOT_NEVER_JOINED


# ---- ending: one path for every reason


def _end(draft: _Draft, reason: EndReason, now: float) -> None:
    if draft.session.stage in (Stage.ENDING, Stage.ENDED):
        return
    limits = draft.session.limits
    can_speak = draft.session.stage is Stage.ACTIVE and not draft.session.is_paused
    draft.set(stage=Stage.ENDING, reason=reason, ending_at=now)
    if can_speak and reason in SPOKEN_REASONS:
        within_s = limits.ending_s - limits.term_s - LAST_WORDS_MARGIN_S
        draft.tell_bot("end", reason=reason.value, within_s=max(0.0, within_s))
        _end_bot(draft, polite_s=max(limits.polite_s, within_s))
    else:
        draft.tell_bot("end", reason=reason.value)
        _end_bot(draft, polite_s=limits.polite_s)


def _end_bot(draft: _Draft, *, polite_s: float) -> None:
    draft.want(
        f.EffectKind.END_BOT,
        launch_id=draft.session.launch_id,
        polite_s=polite_s,
        term_s=draft.session.limits.term_s,
    )


def _over(draft: _Draft, now: float) -> None:
    gone = Presence.GONE
    draft.set(stage=Stage.ENDED, ended_at=now, user_presence=gone, bot_presence=gone)
    draft.want(f.EffectKind.CLOSE_ROOM, room=draft.session.room)


def _leave_queue(draft: _Draft, reason: EndReason, now: float) -> None:
    """Over at once: there is neither bot nor room to be cleared away."""
    gone = Presence.GONE
    draft.set(stage=Stage.ENDED, reason=reason, ending_at=now, ended_at=now, queue_position=None)
    draft.set(user_presence=gone, bot_presence=gone)


_HANDLERS: dict[type, Callable[[_Draft, Any, float], None]] = {
    i.Offer: _offer,
    i.Stop: _stop,
    i.Mute: _mute,
    i.Pause: _pause,
    i.Resume: _resume,
    i.Message: _message,
    i.BotJoined: _bot_joined,
    i.UserJoined: _user_joined,
    i.UserLeft: _user_left,
    i.UserEnded: _user_ended,
    i.UserSpeech: _user_speech,
    i.BotSpeech: _bot_speech,
    i.Transcript: _transcript,
    i.AppReport: _app_report,
    i.Usage: _usage,
    i.BotError: _bot_error,
    i.Farewell: _farewell,
    i.Unknown: _unknown,
    i.BudgetNear: _budget_near,
    i.BudgetSpent: _budget_spent,
    i.BotExited: _bot_exited,
    i.MovedUp: _moved_up,
    i.LetIn: _let_in,
    i.Due: _due,
}
