"""Group calls in the core: who is there, when the last has vanished, who is kept from what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from greenroom.errors import SessionEnded
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.deadlines import deadlines
from greenroom.session.group import GroupCall
from greenroom.session.lifecycle import open_session
from greenroom.session.model import DeadlineKind, EndReason, Limits, Presence, Session, Stage
from greenroom.session.roster import in_call
from tests.session.happening import NOW, after, changed, opened

ADA, BOB = "user-a", "user-b"


def seen(person: str, connection: str, *, here: bool = True) -> i.Seen:
    """What the room tells of somebody."""
    if here:
        return i.Seen(i.UserJoined(connection, person))
    return i.Seen(i.UserLeft(connection, person=person))


def a_call(limits: Limits | None = None, **more: Any) -> f.Change:
    """The first change of a group call that Ada starts."""
    return open_session(
        session_id="ses_1",
        user_id="ada",
        assistant="cards",
        bot="bot.py",
        room="group-ada-0123456789ab",
        launch_id="lau_1",
        limits=limits or Limits(),
        body={},
        now=NOW,
        group_call=GroupCall(places=4),
        **more,
    )


def let_in() -> Session:
    """Both may come, and the bot is there; nobody has come yet."""
    session = a_call().session
    return after(session, i.Admitted(ADA, "ada"), i.Admitted(BOB, "bob"), i.BotJoined())


def told(change: f.Change, kind: str) -> list[dict[str, Any]]:
    """The commands of this kind that the bot is told."""
    payloads = [e.payload for e in change.effects if e.kind is f.EffectKind.TELL_BOT]
    return [payload["data"] for payload in payloads if payload["kind"] == kind]


def excluded(change: f.Change) -> list[str]:
    """The users whose own sessions are to be looked at."""
    return [e.payload["user_id"] for e in change.effects if e.kind is f.EffectKind.EXCLUDE]


def test_the_first_who_comes_makes_it_active_and_the_last_who_goes_lets_it_linger() -> None:
    active = after(let_in(), seen(BOB, "c1"))
    assert (active.stage, active.user_presence) == (Stage.ACTIVE, Presence.PRESENT)
    both = after(active, seen(ADA, "c2"), now=NOW + 1)
    one = after(both, seen(BOB, "c1", here=False), now=NOW + 2)
    assert (one.stage, one.user_presence) == (Stage.ACTIVE, Presence.PRESENT)
    alone = after(one, seen(ADA, "c2", here=False), now=NOW + 3)
    assert (alone.stage, alone.user_presence) == (Stage.LINGERING, Presence.GONE)
    due = deadlines(alone)[DeadlineKind.LINGER]
    assert due == NOW + 3 + Limits().persistence_s
    back = after(alone, seen(BOB, "c3"), now=NOW + 4)
    assert (back.stage, DeadlineKind.LINGER in deadlines(back)) == (Stage.ACTIVE, False)
    left = after(alone, i.Due(DeadlineKind.LINGER), now=due)
    assert (left.stage, left.reason) == (Stage.ENDING, EndReason.LEFT)


def test_an_older_connection_that_goes_is_not_its_persons_leaving() -> None:
    session = after(let_in(), seen(ADA, "c1"), seen(ADA, "c2"))
    change = changed(session, seen(ADA, "c1", here=False))
    assert change.session == session
    assert not change.facts
    assert after(session, seen(ADA, "c2", here=False)).stage is Stage.LINGERING


def test_nobody_is_there_who_was_not_let_in_and_no_bot_says_who_is() -> None:
    session = let_in()
    for event in (seen("user-x", "c1"), i.Seen(i.UserJoined("c1")), i.UserJoined("c1", ADA)):
        if isinstance(event, i.UserJoined):
            event = replace(event, person=None)  # the wire lets no bot name one
        assert changed(session, event).session.user_presence is Presence.AWAITED


def test_coming_and_going_is_told_to_people_and_to_the_bot_who_greets_once() -> None:
    session = let_in()
    steps = [
        (seen(ADA, "c1"), f.CameIn(ADA, "ada", True, 1), True),
        (seen(BOB, "c2"), f.CameIn(BOB, "bob", True, 2), True),
        (seen(ADA, "c1", here=False), f.WentOut(ADA, "ada", 1), None),
        (seen(ADA, "c3"), f.CameIn(ADA, "ada", False, 2), False),
    ]
    for event, fact, first in steps:
        change = changed(session, event)
        assert fact in change.facts
        (presence,) = told(change, "presence")
        assert presence.get("first") is first
        session = change.session
    assert presence["present"] == [
        {"participant": ADA, "userId": "ada"},
        {"participant": BOB, "userId": "bob"},
    ]
    again = changed(session, seen(ADA, "c4"))  # by another tab: nobody came
    assert (again.facts, told(again, "presence")) == ((), [])


def test_of_one_user_whose_room_is_elsewhere_the_bot_is_told_as_well() -> None:
    session = after(opened().session, i.BotJoined())
    came = changed(session, i.Seen(i.UserJoined("c1")))
    assert told(came, "presence") == [
        {"present": [{"participant": "user", "userId": "ada"}], "came": "user", "first": True}
    ]
    gone = changed(came.session, i.Seen(i.UserLeft("c1")))
    assert told(gone, "presence") == [{"present": []}]
    back = changed(gone.session, i.Seen(i.UserJoined("c2")))
    assert told(back, "presence")[0]["first"] is False
    assert told(changed(session, i.UserJoined("c1")), "presence") == []  # it said so itself


def test_whoever_is_in_it_is_kept_from_talking_elsewhere_and_then_no_more() -> None:
    begun = a_call()
    assert excluded(begun) == ["ada"]  # who starts it is about to be in it
    session = after(begun.session, i.Admitted(ADA, "ada"), i.Admitted(BOB, "bob"))
    came = changed(session, seen(BOB, "c1"))
    assert excluded(came) == ["bob"]
    active = changed(came.session, i.BotJoined())
    assert excluded(active) == ["ada"]  # it has begun without its host
    both = changed(active.session, seen(ADA, "c2"))
    assert excluded(both) == ["ada"]
    gone = changed(both.session, seen(BOB, "c1", here=False))
    assert excluded(gone) == ["bob"]
    ending = changed(gone.session, i.Stop())
    assert excluded(ending) == []  # the farewell goes on
    assert in_call(ending.session) == {"ada"}
    over = changed(ending.session, i.Due(DeadlineKind.ENDING), NOW + 99)
    assert excluded(over) == ["ada"]
    assert over.session.group_call == GroupCall(places=4)  # who was there is kept no longer


def test_one_that_waits_or_never_begins_keeps_nobody() -> None:
    queued = a_call(position=1)
    assert excluded(queued) == []
    assert excluded(changed(queued.session, i.LetIn())) == ["ada"]
    failed = changed(a_call().session, i.BotExited("lau_1", False, "import_failed", "It failed."))
    assert excluded(failed) == ["ada"]


def test_nobody_is_let_in_after_the_end_and_nobody_twice() -> None:
    session = let_in()
    again = changed(session, i.Admitted(ADA, "ada"))
    assert again.session == session
    ended = after(session, i.Stop())
    with pytest.raises(SessionEnded):
        changed(ended, i.Admitted("user-c", "eve"))


def test_who_may_see_it() -> None:
    session = let_in()
    assert session.may_be_seen_by("bob", "default")
    assert not session.may_be_seen_by("bob", "acme")
    assert not session.may_be_seen_by("eve", "default")
    assert not session.is_of("bob", "default")
    assert not opened().session.may_be_seen_by("bob", "default")


def test_whose_place_was_not_there_after_all_is_seen_again_by_the_same_connection() -> None:
    session = after(let_in(), now=NOW)
    session = replace(session, bot_presence=Presence.AWAITED)
    there = after(session, seen(ADA, "c1"), seen(BOB, "c2"))
    change = changed(there, i.NoPlace(again_in_s=None), NOW + 1)
    assert change.session.stage is Stage.QUEUED
    assert excluded(change) == ["ada", "bob"]
    again = after(change.session, i.LetIn(), seen(ADA, "c1"), i.BotJoined(), now=NOW + 2)
    assert (again.stage, again.user_presence) == (Stage.ACTIVE, Presence.PRESENT)
    assert in_call(again) == {"ada"}
