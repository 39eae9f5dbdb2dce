"""What a running session is told: its bot hears of it, and what is adjusted is on record."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.errors import GreenroomError, NotActive, SessionEnded, StillQueued
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.model import PauseCause, Session
from tests.session.happening import NOW, after, changed, opened

JOINED = (i.BotJoined(), i.UserJoined("page-0001"))


def connected() -> Session:
    """Both are in the room."""
    return after(opened().session, *JOINED)


def told(change: f.Change) -> list[tuple[str, dict[str, Any]]]:
    """What the bot is told by a change."""
    commands = [e.payload for e in change.effects if e.kind is f.EffectKind.TELL_BOT]
    return [(command["kind"], command["data"]) for command in commands]


def adjusting(session: Session, **fields: Any) -> i.Adjust:
    """A change of the record that was thought out on what the session has."""
    return i.Adjust({**session.record, **fields}, session.record, fields)


def test_the_bot_is_told_what_to_say_and_what_to_know() -> None:
    session = connected()
    said = changed(session, i.Say("Hello.", interrupt=True))
    assert told(said) == [("say", {"text": "Hello.", "interrupt": True})]
    assert told(changed(session, i.Context("It rains."))) == [("context", {"text": "It rains."})]
    by_page = changed(session, i.Context("It rains.", by_page=True))
    assert told(by_page) == [("context", {"text": "It rains.", "by": "page"})]
    assert said.facts == by_page.facts == (), "words are told as transcripts once they are said"


def test_being_told_something_keeps_no_session_awake() -> None:
    session = connected()
    for event in (i.Say("Hello."), i.Context("It rains."), adjusting(session, persona="x")):
        then = changed(session, event, NOW + 60).session
        assert then.last_activity_at == session.last_activity_at


def test_what_is_adjusted_is_on_record_and_told() -> None:
    change = changed(connected(), adjusting(connected(), personality="calm"))
    assert change.session.record == {"personality": "calm"}
    assert told(change) == [("adjust", {"personality": "calm"})]
    again = changed(change.session, adjusting(connected(), persona="late"))
    assert (again.session, again.effects) == (change.session, ()), "it was thought out too early"


def test_who_waits_for_a_place_is_adjusted_before_there_is_a_bot() -> None:
    waiting = opened(position=1).session
    change = changed(waiting, adjusting(waiting, persona="x"))
    assert (change.session.record, told(change)) == ({"persona": "x"}, [])
    assert told(changed(waiting, i.Context("It rains."))) == [("context", {"text": "It rains."})]


@pytest.mark.parametrize(
    ("session", "error"),
    [
        (opened(position=1).session, StillQueued),
        (opened().session, NotActive),
        (after(connected(), i.Pause(PauseCause.USER)), NotActive),
        (after(connected(), i.UserLeft("page-0001")), NotActive),
        (after(connected(), i.Stop()), SessionEnded),
    ],
    ids=["queued", "connecting", "paused", "lingering", "ending"],
)
def test_nothing_is_said_that_nobody_would_hear(
    session: Session, error: type[GreenroomError]
) -> None:
    with pytest.raises(error):
        changed(session, i.Say("Hello."))


def test_a_muted_user_hears_what_is_said() -> None:
    assert told(changed(after(connected(), i.Mute(True, 1)), i.Say("Hello.")))


@pytest.mark.parametrize("event", [i.Context("x"), i.Adjust({"persona": "x"}, {}, {})])
def test_a_session_that_ends_is_told_nothing_more(event: i.Command) -> None:
    ending = after(connected(), i.Stop())
    with pytest.raises(SessionEnded):
        changed(ending, event)
    assert told(changed(after(connected(), i.UserLeft("page-0001")), event)), "who is away is back"


def test_consent_is_on_record_with_its_first_time() -> None:
    session = after(opened().session, i.Consented("ada"), now=NOW + 1)
    assert session.consents == {"ada": NOW + 1}
    assert after(session, i.Consented("ada"), now=NOW + 9).consents == {"ada": NOW + 1}
