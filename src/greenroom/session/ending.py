"""Ending a session: one path for every reason."""

from __future__ import annotations

from dataclasses import replace

from greenroom.session import facts as f
from greenroom.session.draft import Draft
from greenroom.session.model import EndReason, Presence, Stage

# Reasons that the assistant tells in a word of its own before it goes.
SPOKEN_REASONS = frozenset({EndReason.BUDGET})
# Between the end of the assistant's last words and the end of its stage.
LAST_WORDS_MARGIN_S = 0.5


def end(draft: Draft, reason: EndReason, now: float) -> None:
    """Begin the end, unless it has begun: tell the bot, and see to it that its process goes."""
    if draft.session.stage in (Stage.ENDING, Stage.ENDED):
        return
    limits = draft.session.limits
    can_speak = draft.session.stage is Stage.ACTIVE and not draft.session.is_paused
    draft.set(stage=Stage.ENDING, reason=reason, ending_at=now)
    if can_speak and reason in SPOKEN_REASONS:
        within_s = limits.ending_s - limits.term_s - LAST_WORDS_MARGIN_S
        draft.tell_bot("end", reason=reason.value, within_s=max(0.0, within_s))
        end_bot(draft, polite_s=max(limits.polite_s, within_s))
    else:
        draft.tell_bot("end", reason=reason.value)
        end_bot(draft, polite_s=limits.polite_s)


def end_bot(draft: Draft, *, polite_s: float) -> None:
    """Have the process ended: SIGTERM after ``polite_s``, SIGKILL after `Limits.term_s` more."""
    draft.want(
        f.EffectKind.END_BOT,
        launch_id=draft.session.launch_id,
        polite_s=polite_s,
        term_s=draft.session.limits.term_s,
    )


def over(draft: Draft, now: float) -> None:
    """The bot is gone: nobody is in the room any more."""
    gone = Presence.GONE
    draft.set(stage=Stage.ENDED, ended_at=now, user_presence=gone, bot_presence=gone)
    draft.want(f.EffectKind.CLOSE_ROOM, room=draft.session.room)
    _forget_people(draft)


def leave_queue(draft: Draft, reason: EndReason, now: float) -> None:
    """Over at once: there is no bot to be ended, and no room but that of who was let in before."""
    gone = Presence.GONE
    draft.set(stage=Stage.ENDED, reason=reason, ending_at=now, ended_at=now, queue_position=None)
    draft.set(user_presence=gone, bot_presence=gone)
    _forget_people(draft)
    if draft.session.meter.at is not None:  # its clock has run: it has been let in
        draft.want(f.EffectKind.CLOSE_ROOM, room=draft.session.room)


def _forget_people(draft: Draft) -> None:
    """Who was in a group call is nobody's business any more."""
    if draft.session.group_call is not None:
        draft.set(group_call=replace(draft.session.group_call, people=(), invited=None))
