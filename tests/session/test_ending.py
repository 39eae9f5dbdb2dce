"""FAILURES 19: one path for every reason, in the right order, read off effects and deadlines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.errors import SessionEnded
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.deadlines import deadlines
from greenroom.session.lifecycle import transition
from greenroom.session.model import DeadlineKind, EndReason, Session, Stage
from tests.session.happening import NOW, after, numbered
from tests.session.test_lifecycle import connected


def _due(kind: DeadlineKind) -> i.Due:
    return i.Due(kind)


ENDINGS: dict[EndReason, i.Input | i.BotReport] = {
    EndReason.USER: i.Stop(),
    EndReason.KICKED: i.Stop(EndReason.KICKED, "Too loud."),
    EndReason.EMERGENCY: i.Stop(EndReason.EMERGENCY),
    EndReason.SERVER_DRAIN: i.Stop(EndReason.SERVER_DRAIN),
    EndReason.GOODBYE: i.Farewell(heard=True),
    EndReason.BOT_CRASHED: i.BotError("bot_raised", "It failed.", fatal=True),
    EndReason.IDLE: _due(DeadlineKind.IDLE),
    EndReason.MAX_DURATION: _due(DeadlineKind.HARD),
}


def ending(how: i.Input | i.BotReport) -> tuple[f.Change, float]:
    session = connected()
    if isinstance(how, i.Due):
        at = deadlines(session)[how.kind]
        return transition(session, how, at), at
    event = how if isinstance(how, i.Command) else numbered(session, how)
    return transition(session, event, NOW), NOW


@pytest.mark.parametrize("reason", ENDINGS)
def test_every_end_takes_the_same_steps_in_the_same_order(reason: EndReason) -> None:
    change, now = ending(ENDINGS[reason])
    session = change.session
    assert (session.stage, session.reason) == (Stage.ENDING, reason)

    # 1. No further input, and nobody new; what the user says is not heard any more.
    with pytest.raises(SessionEnded):
        transition(session, i.Message("one more thing"), now)
    with pytest.raises(SessionEnded):
        transition(session, i.Offer("page-0009"), now)
    heard = transition(session, numbered(session, i.UserSpeech(speaking=True)), now)
    assert heard.outcome is f.Outcome.IGNORED

    # 2. No deadline is left that could end it again; only the bound of the end itself.
    assert set(deadlines(session)) == {DeadlineKind.ENDING}

    # 3. and 5. The bot is told to leave the room first; then its process is ended, politely.
    tell, end = change.effects
    assert (tell.kind, tell.payload["kind"]) == (f.EffectKind.TELL_BOT, "end")
    assert (end.kind, end.payload["polite_s"]) == (f.EffectKind.END_BOT, session.limits.polite_s)

    # 4. Reports that are still on their way are taken.
    last = numbered(session, i.Transcript("assistant", "Goodbye.", final=True, turn=9))
    drained = transition(session, last, now)
    assert drained.outcome is f.Outcome.APPLIED
    assert drained.facts == (f.Said("assistant", "Goodbye.", True, 9),)

    # 6. The page is told to the very end: the last fact is the end, when the process is gone.
    over = transition(drained.session, _gone(session), now + 1)
    assert over.session.stage is Stage.ENDED
    assert [effect.kind for effect in over.effects] == [f.EffectKind.CLOSE_ROOM]
    assert over.facts[-1] == f.Ended(reason, over.session.duration_s(now), session.end_note)
    assert deadlines(over.session) == {}


def test_a_second_reason_changes_nothing_and_a_second_stop_hurries() -> None:
    """DELETE is idempotent."""
    session = after(connected(), i.Stop())
    again = transition(session, i.Stop(EndReason.KICKED, "late"), NOW)
    assert replace(again.session) == session
    (hurry,) = again.effects
    assert (hurry.kind, hurry.payload["polite_s"]) == (f.EffectKind.END_BOT, 0.0)
    over = after(session, _gone(session))
    assert transition(over, i.Stop(), NOW).effects == ()


def _gone(session: Session) -> i.BotExited:
    return i.BotExited(session.launch_id, clean=True, code="bot_exited", message="")
