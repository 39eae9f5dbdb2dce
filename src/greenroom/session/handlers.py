"""What each input does to a session; whether it does anything is asked of the matrix before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session import roster
from greenroom.session.cost import cost_of, metered
from greenroom.session.deadlines import deadlines
from greenroom.session.draft import Draft, launch, tell_cost, tell_place
from greenroom.session.ending import end, end_bot, leave_queue, over
from greenroom.session.model import DeadlineKind, EndReason, Presence, Session, Stage
from greenroom.session.usage import used

# ---- commands


def _offer(draft: Draft, offer: i.Offer, now: float) -> None:
    # Whoever is in the room stays the one that counts until the newer page has joined.
    if draft.session.participant is None:
        draft.set(participant=offer.participant)


def _stop(draft: Draft, stop: i.Stop, now: float) -> None:
    if draft.session.stage is Stage.ENDING:
        end_bot(draft, polite_s=0.0)
        return
    draft.set(end_note=stop.note)
    if draft.session.stage is Stage.QUEUED:
        leave_queue(draft, stop.reason, now)
    else:
        end(draft, stop.reason, now)


def _mute(draft: Draft, mute: i.Mute, now: float) -> None:
    changed = mute.muted != draft.session.muted
    draft.set(muted=mute.muted, muted_at_ms=mute.timestamp_ms)
    _acted(draft, now)
    if changed:
        draft.tell(f.Muted(mute.muted, mute.timestamp_ms))
        if draft.session.stage is not Stage.QUEUED:  # there, its bot will know from the start
            draft.tell_bot("mute", muted=mute.muted)


def _pause(draft: Draft, pause: i.Pause, now: float) -> None:
    if pause.cause in draft.session.pause_causes:
        return
    was_paused = draft.session.is_paused
    # Each new cause starts the pause clock anew (DESIGN's table of deadlines).
    draft.set(pause_causes=draft.session.pause_causes | {pause.cause}, paused_at=now)
    _tell_causes(draft)
    if not was_paused:
        draft.tell_bot("pause", paused=True)


def _resume(draft: Draft, resume: i.Resume, now: float) -> None:
    if resume.cause not in draft.session.pause_causes:
        return
    draft.set(pause_causes=draft.session.pause_causes - {resume.cause})
    _tell_causes(draft)
    if not draft.session.is_paused:
        draft.set(paused_at=None)
        _acted(draft, now)
        draft.tell_bot("pause", paused=False)
        _have_time_said(draft, now)


def _message(draft: Draft, message: i.Message, now: float) -> None:
    _acted(draft, now)
    draft.tell_bot("message", text=message.text)
    draft.tell(f.Said("user", message.text, final=True, turn=0, typed=True))


def _tool_answered(draft: Draft, answered: i.ToolAnswered, now: float) -> None:
    _acted(draft, now)
    for event, data in answered.shown:
        draft.tell(f.AppHappened(event, data))
    draft.tell_bot("tool_results", results=[answered.answer])


def _say(draft: Draft, say: i.Say, now: float) -> None:
    # Whoever has something said has not acted; what is said tells of itself, and of its words.
    draft.tell_bot("say", text=say.text, interrupt=say.interrupt)


def _context(draft: Draft, context: i.Context, now: float) -> None:
    by = {"by": "page"} if context.by_page else {}
    draft.tell_bot("context", text=context.text, **by)


def _adjust(draft: Draft, adjust: i.Adjust, now: float) -> None:
    if draft.session.record != adjust.based_on:
        return
    draft.set(record=adjust.record)
    if draft.session.stage is not Stage.QUEUED:  # there, its bot will know from the start
        draft.tell_bot("adjust", **adjust.told)


def _consented(draft: Draft, consented: i.Consented, now: float) -> None:
    if consented.user_id not in draft.session.consents:
        draft.set(consents={**draft.session.consents, consented.user_id: now})


def _admitted(draft: Draft, admitted: i.Admitted, now: float) -> None:
    call = draft.session.group_call
    if call is not None:
        draft.set(group_call=call.letting_in(admitted.person, admitted.user_id))


def _tell_causes(draft: Draft) -> None:
    draft.tell(f.Paused(tuple(sorted(draft.session.pause_causes))))


# ---- reports


def _bot_joined(draft: Draft, report: i.BotJoined, now: float) -> None:
    draft.set(bot_presence=Presence.PRESENT)
    _activate_when_both(draft, now)


def _user_joined(draft: Draft, report: i.UserJoined, now: float) -> None:
    if draft.session.group_call is not None and not roster.come(draft, report, now):
        return
    draft.set(user_presence=Presence.PRESENT, participant=report.participant, left_at=None)
    _acted(draft, now)
    if draft.session.stage is Stage.LINGERING:
        draft.set(stage=Stage.ACTIVE)
        _have_time_said(draft, now)
    _activate_when_both(draft, now)


def _activate_when_both(draft: Draft, now: float) -> None:
    session = draft.session
    both = session.bot_presence is session.user_presence is Presence.PRESENT
    if session.stage is Stage.CONNECTING and both:
        draft.set(stage=Stage.ACTIVE, active_at=now, last_activity_at=now)


def _user_left(draft: Draft, report: i.UserLeft, now: float) -> None:
    if draft.session.group_call is not None:
        if not roster.go(draft, report):
            return  # the last one who goes is the one who vanishes
    elif report.participant != draft.session.participant:
        return  # an older page left; the newer one is what counts
    draft.set(user_presence=Presence.GONE)
    if draft.session.stage is not Stage.ACTIVE:
        return
    draft.set(stage=Stage.LINGERING, left_at=now)
    if draft.session.limits.persistence_s <= 0 and not report.moved:
        end(draft, EndReason.LEFT, now)


def _user_ended(draft: Draft, report: i.UserEnded, now: float) -> None:
    end(draft, EndReason.USER, now)


def _user_speech(draft: Draft, report: i.UserSpeech, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.UserSpoke(report.speaking))


def _bot_speech(draft: Draft, report: i.BotSpeech, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.BotSpoke(report.speaking, report.interrupted))


def _transcript(draft: Draft, report: i.Transcript, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.Said(report.role, report.text, report.final, report.turn))


def _app_report(draft: Draft, report: i.AppReport, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.AppHappened(report.type, report.data))


def _tool_called(draft: Draft, report: i.ToolCalled, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.ToolUsed(report.data))
    if report.at_server:
        draft.want(f.EffectKind.RUN_TOOL, asked_at=now - report.ago_s, call=report.data)


def _tool_done(draft: Draft, report: i.ToolDone, now: float) -> None:
    _acted(draft, now)
    draft.tell(f.ToolEnded(report.data))


def _unknown(draft: Draft, report: i.Unknown, now: float) -> None:
    draft.tell(f.UnknownHappened(report.kind, report.data))


def _usage(draft: Draft, report: i.Usage, now: float) -> None:
    meter = used(draft.session.meter, report.component, report.unit, report.quantity)
    draft.set(meter=meter)


def _bot_error(draft: Draft, report: i.BotError, now: float) -> None:
    draft.tell(f.Failed(report.code, report.message, retryable=report.fatal))
    if report.fatal:
        failed_early = draft.session.stage is Stage.CONNECTING
        end(draft, EndReason.LAUNCH_FAILED if failed_early else EndReason.BOT_CRASHED, now)


def _farewell(draft: Draft, report: i.Farewell, now: float) -> None:
    end(draft, EndReason.GOODBYE, now)


def _acted(draft: Draft, now: float) -> None:
    """Somebody spoke, typed or acted: the idle clock starts anew. Packets do not count."""
    if draft.session.active_at is not None:
        draft.set(last_activity_at=max(now, draft.session.last_activity_at or now))


# ---- the bill


def _meter(draft: Draft, now: float) -> None:
    draft.session = metered(draft.session, draft.session, now)
    if cost_of(draft.session).micro_usd != draft.session.meter.told_micro_usd:
        tell_cost(draft)


def _budget_near(draft: Draft, near: i.BudgetNear, now: float) -> None:
    meter = draft.session.meter
    if near.budget not in meter.warned:
        draft.set(meter=replace(meter, warned=meter.warned | {near.budget}))
        draft.tell(f.BudgetWarned(near.budget, near.spent_micro_usd, near.limit_micro_usd))


def _budget_spent(draft: Draft, spent: i.BudgetSpent, now: float) -> None:
    draft.tell(f.BudgetWarned(spent.budget, spent.spent_micro_usd, spent.limit_micro_usd))
    end(draft, EndReason.BUDGET, now)


# ---- the world outside


def _bot_starting(draft: Draft, starting: i.BotStarting, now: float) -> None:
    left_s = deadlines(draft.session)[DeadlineKind.JOIN] - now
    draft.tell(f.BotStarting(within_s=max(0.0, left_s)))


def _no_place(draft: Draft, no_place: i.NoPlace, now: float) -> None:
    """Back into the waiting room for who would wait there; else it is asked for again, or over."""
    session, again_in_s = draft.session, no_place.again_in_s
    queued_at = session.created_at if session.queued_at is None else session.queued_at
    if now < queued_at + session.limits.queue_s:
        draft.set(stage=Stage.QUEUED, queued_at=queued_at, admitted_at=None)
        # First in line: whoever waits came later. Who is in the room stays, and is seen again.
        awaited = Presence.AWAITED
        draft.set(queue_position=1, user_presence=awaited, bot_presence=awaited)
        roster.not_seen_yet(draft)
        tell_place(draft, now)
    elif again_in_s is None or now + again_in_s >= deadlines(session)[DeadlineKind.JOIN]:
        draft.set(stage=Stage.ENDING, reason=EndReason.BUSY, ending_at=now)
        over(draft, now)


def _room_ready(draft: Draft, ready: i.RoomReady, now: float) -> None:
    # It had been closed, and is open again: nobody else closes it.
    draft.want(f.EffectKind.CLOSE_ROOM, room=draft.session.room)


def _bot_exited(draft: Draft, exited: i.BotExited, now: float) -> None:
    # What cannot be told that it is over goes on to its end, and is billed to it.
    if exited.still_runs_s > 0 and (exited.deaf or draft.session.report_seq == 0):
        draft.set(meter=used(draft.session.meter, "container", "seconds", exited.still_runs_s))
    if draft.session.stage is Stage.ENDED:
        return  # nobody could wait for it
    draft.set(bot_presence=Presence.GONE)
    if draft.session.stage is not Stage.ENDING:
        reason = _reason_of_exit(draft.session, exited)
        if reason is not EndReason.BOT_LEFT:
            draft.tell(f.Failed(exited.code, exited.message, retryable=True))
        draft.set(stage=Stage.ENDING, reason=reason, ending_at=now)
    over(draft, now)


def _reason_of_exit(session: Session, exited: i.BotExited) -> EndReason:
    if exited.code == "lost":
        return EndReason.LOST
    if exited.code == "join_deadline":
        return EndReason.BOT_NEVER_JOINED
    if session.stage is Stage.CONNECTING:
        return EndReason.LAUNCH_FAILED
    return EndReason.BOT_LEFT if exited.clean else EndReason.BOT_CRASHED


def _moved_up(draft: Draft, moved: i.MovedUp, now: float) -> None:
    if moved.position != draft.session.queue_position:
        draft.set(queue_position=moved.position)
        tell_place(draft, now)


def _let_in(draft: Draft, let_in: i.LetIn, now: float) -> None:
    draft.set(stage=Stage.CONNECTING, queue_position=None, admitted_at=now)
    launch(draft)


def _due(draft: Draft, due: i.Due, now: float) -> None:
    at = deadlines(draft.session).get(due.kind)
    if at is None or at > now:
        return  # it was moved or cancelled after somebody saw it due
    match due.kind:
        case DeadlineKind.WARNING:
            _warn(draft, now)
        case DeadlineKind.QUEUE:
            leave_queue(draft, EndReason.QUEUE_TIMEOUT, now)
        case DeadlineKind.JOIN:
            end(draft, _who_is_missing(draft.session), now)
        case DeadlineKind.HARD:
            end(draft, EndReason.MAX_DURATION, now)
        case DeadlineKind.IDLE:
            end(draft, EndReason.IDLE, now)
        case DeadlineKind.PAUSE:
            end(draft, EndReason.PAUSED_TOO_LONG, now)
        case DeadlineKind.LINGER:
            end(draft, EndReason.LEFT, now)
        case DeadlineKind.ENDING:
            end_bot(draft, polite_s=0.0)
            over(draft, now)
        case DeadlineKind.METER:
            _meter(draft, now)


def _warn(draft: Draft, now: float) -> None:
    draft.set(warned_at=now)
    draft.tell(f.Warned(ends_in_s=_time_left_s(draft.session, now)))
    _have_time_said(draft, now)


def _have_time_said(draft: Draft, now: float) -> None:
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


HANDLERS: dict[type, Callable[[Draft, Any, float], None]] = {
    i.Offer: _offer,
    i.Stop: _stop,
    i.Mute: _mute,
    i.Pause: _pause,
    i.Resume: _resume,
    i.Message: _message,
    i.ToolAnswered: _tool_answered,
    i.Say: _say,
    i.Context: _context,
    i.Adjust: _adjust,
    i.Consented: _consented,
    i.Admitted: _admitted,
    i.BotJoined: _bot_joined,
    i.UserJoined: _user_joined,
    i.UserLeft: _user_left,
    i.UserEnded: _user_ended,
    i.UserSpeech: _user_speech,
    i.BotSpeech: _bot_speech,
    i.Transcript: _transcript,
    i.AppReport: _app_report,
    i.ToolCalled: _tool_called,
    i.ToolDone: _tool_done,
    i.Usage: _usage,
    i.BotError: _bot_error,
    i.Farewell: _farewell,
    i.Unknown: _unknown,
    i.BudgetNear: _budget_near,
    i.BudgetSpent: _budget_spent,
    i.BotStarting: _bot_starting,
    i.NoPlace: _no_place,
    i.RoomReady: _room_ready,
    i.BotExited: _bot_exited,
    i.MovedUp: _moved_up,
    i.LetIn: _let_in,
    i.Due: _due,
}
