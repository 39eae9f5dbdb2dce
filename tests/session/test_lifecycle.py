"""One test for each promise that a transition makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.errors import NotActive, SessionEnded, StillQueued
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.deadlines import deadlines
from greenroom.session.lifecycle import transition
from greenroom.session.model import (
    DeadlineKind,
    EndReason,
    Limits,
    PauseCause,
    Presence,
    Session,
    Stage,
)
from greenroom.session.prices import MICRO
from tests.session.happening import LIMITS, NOW, after, changed, numbered, opened


def connected(limits: Limits = LIMITS) -> Session:
    """A session in which both are in the room."""
    return after(opened(limits).session, i.Offer("page-1"), i.BotJoined(), i.UserJoined("page-1"))


def kinds(change: f.Change) -> list[f.EffectKind]:
    return [effect.kind for effect in change.effects]


def test_a_new_session_asks_for_room_and_bot() -> None:
    change = opened()
    assert change.session.stage is Stage.CONNECTING
    assert kinds(change) == [f.EffectKind.ENSURE_ROOM, f.EffectKind.LAUNCH_BOT]
    assert isinstance(change.facts[0], f.Started)


def test_active_only_when_both_are_there() -> None:
    """FAILURES 4: nobody is told “active” before the bot has said so."""
    session = opened().session
    bot_first = after(session, i.BotJoined())
    user_first = after(session, i.UserJoined("page-1"))
    assert bot_first.stage is user_first.stage is Stage.CONNECTING
    assert after(bot_first, i.UserJoined("page-1")).stage is Stage.ACTIVE
    assert after(user_first, i.BotJoined()).stage is Stage.ACTIVE


def test_a_report_from_an_older_launch_is_fenced() -> None:
    """FAILURES 15."""
    session = connected()
    change = transition(session, i.Reported("lau_0", 99, i.Farewell(heard=True)), NOW)
    assert (change.outcome, change.session) == (f.Outcome.FENCED, session)


def test_a_report_that_comes_twice_changes_nothing() -> None:
    """FAILURES 15."""
    session = connected()
    change = transition(session, i.Reported("lau_1", session.report_seq, i.BotJoined()), NOW)
    assert (change.outcome, change.session) == (f.Outcome.DUPLICATE, session)


def test_a_report_whose_predecessor_is_missing_is_not_taken() -> None:
    session = connected()
    report = i.Reported("lau_1", session.report_seq + 2, i.UserSpeech(speaking=True))
    change = transition(session, report, NOW)
    assert (change.outcome, change.session) == (f.Outcome.GAP, session)


def test_a_reload_lingers_and_comes_back() -> None:
    """FAILURES 8."""
    away = after(connected(), i.UserLeft("page-1"), now=NOW + 10)
    assert away.stage is Stage.LINGERING
    assert deadlines(away)[DeadlineKind.LINGER] == NOW + 10 + 300
    back = after(away, i.Offer("page-2"), i.UserJoined("page-2"), now=NOW + 20)
    assert back.stage is Stage.ACTIVE
    assert DeadlineKind.LINGER not in deadlines(back)
    assert back.active_at == NOW


def test_an_older_page_that_leaves_changes_nothing() -> None:
    """FAILURES 10: of two tabs one is closed."""
    session = after(connected(), i.Offer("page-2"), i.UserJoined("page-2"))
    assert after(session, i.UserLeft("page-1")).stage is Stage.ACTIVE


def test_a_newer_page_that_never_comes_does_not_hide_that_the_older_left() -> None:
    session = after(connected(), i.Offer("page-2"))
    assert session.participant == "page-1"
    assert after(session, i.UserLeft("page-1")).stage is Stage.LINGERING


def test_without_persistence_a_newer_page_may_still_take_the_place() -> None:
    session = connected(replace(LIMITS, persistence_s=0))
    moving = after(session, i.Offer("page-2"), i.UserLeft("page-1", moved=True))
    assert moving.stage is Stage.LINGERING
    assert deadlines(moving)[DeadlineKind.LINGER] == NOW + 10
    assert after(moving, i.UserJoined("page-2")).stage is Stage.ACTIVE


def test_without_persistence_leaving_ends_at_once() -> None:
    session = connected(replace(LIMITS, persistence_s=0))
    change = transition(session, numbered(session, i.UserLeft("page-1")), NOW)
    assert change.session.stage is Stage.ENDING
    assert change.session.reason is EndReason.LEFT


def test_stop_ends_politely_and_again_in_a_hurry() -> None:
    change = transition(connected(), i.Stop(), NOW)
    assert change.session.stage is Stage.ENDING
    assert kinds(change) == [f.EffectKind.TELL_BOT, f.EffectKind.END_BOT]
    assert change.effects[1].payload["polite_s"] == Limits().polite_s
    again = transition(change.session, i.Stop(), NOW)
    assert kinds(again) == [f.EffectKind.END_BOT]
    assert again.effects[0].payload["polite_s"] == 0.0


def test_the_exit_of_the_bot_ends_an_ending_session_once() -> None:
    ending = after(connected(), i.Stop(), now=NOW + 60)
    exited = i.BotExited("lau_1", clean=True, code="bot_exited", message="gone")
    change = transition(ending, exited, NOW + 61)
    assert change.session.stage is Stage.ENDED
    assert change.session.reason is EndReason.USER
    assert change.facts[-1] == f.Ended(EndReason.USER, 61.0)
    again = transition(change.session, exited, NOW + 62)
    assert (again.session, again.facts, again.effects) == (change.session, (), ())


@pytest.mark.parametrize(("deaf", "billed_s"), [(True, 3_600), (False, 0)])
def test_a_bot_that_nobody_could_stop_is_billed_although_its_session_is_over(
    deaf: bool, billed_s: int
) -> None:
    """One that has reported can be told that it is over, unless it is known not to hear."""
    ended = after(connected(), i.Stop(), i.Due(DeadlineKind.ENDING), now=NOW + 60)
    ended = transition(ended, i.Due(DeadlineKind.ENDING), NOW + 66).session
    late = i.BotExited("lau_1", clean=True, code="ended", message="", still_runs_s=3600, deaf=deaf)
    change = transition(ended, late, NOW + 70)
    item = "container.seconds"
    added = change.session.meter.quantities[item] - ended.meter.quantities[item]
    assert (added / MICRO, change.facts, change.effects) == (billed_s, (), ())


def test_who_would_wait_is_put_back_in_line_when_there_is_no_place_after_all() -> None:
    """And whoever ends there has the room closed that had been made."""
    begun = opened(Limits(queue_s=300.0)).session
    change = transition(begun, i.NoPlace(again_in_s=2.0), NOW + 5)
    back = change.session
    assert (back.stage, back.queue_position, back.queued_at) == (Stage.QUEUED, 1, NOW)
    assert f.Queued(1, ends_in_s=295.0) in change.facts
    let_in = transition(back, i.LetIn(), NOW + 9)
    assert [effect.kind for effect in let_in.effects] == [
        f.EffectKind.ENSURE_ROOM,
        f.EffectKind.LAUNCH_BOT,
    ]
    left = transition(back, i.Stop(), NOW + 9)
    assert [effect.kind for effect in left.effects] == [f.EffectKind.CLOSE_ROOM]
    too_late = transition(let_in.session, i.NoPlace(again_in_s=None), NOW + 301)
    assert too_late.session.reason is EndReason.BUSY


def test_a_clock_that_is_set_back_while_somebody_waits_again_bills_no_time_twice() -> None:
    back = transition(opened(Limits(queue_s=300.0)).session, i.NoPlace(None), NOW + 5).session
    let_in = transition(back, i.LetIn(), NOW - 7_200).session
    assert let_in.meter.at == NOW + 5


@pytest.mark.parametrize(("again_in_s", "over"), [(2.0, False), (29.0, True), (None, True)])
def test_who_would_not_wait_is_refused_once_it_is_asked_no_more(
    again_in_s: float | None, over: bool
) -> None:
    begun = opened(Limits(queue_s=0.0)).session
    change = transition(begun, i.NoPlace(again_in_s), NOW + 5)
    assert (change.session.reason is EndReason.BUSY) == over
    assert (change.session == begun) != over


def test_goodbye_is_a_reason_of_its_own() -> None:
    assert after(connected(), i.Farewell(heard=True)).reason is EndReason.GOODBYE


@pytest.mark.parametrize(
    ("exited", "reason"),
    [
        (i.BotExited("lau_1", clean=True, code="bot_exited", message=""), EndReason.BOT_LEFT),
        (i.BotExited("lau_1", clean=False, code="bot_crashed", message=""), EndReason.BOT_CRASHED),
        (i.BotExited("lau_1", clean=False, code="lost", message=""), EndReason.LOST),
    ],
)
def test_a_bot_that_goes_away_is_told_apart(exited: i.BotExited, reason: EndReason) -> None:
    assert after(connected(), exited).reason is reason


def test_a_bot_that_never_came_to_life_is_a_failed_launch_and_the_page_is_told() -> None:
    """FAILURES 4."""
    exited = i.BotExited("lau_1", clean=False, code="import_failed", message="could not be loaded")
    change = transition(opened().session, exited, NOW)
    assert change.session.reason is EndReason.LAUNCH_FAILED
    assert f.Failed("import_failed", "could not be loaded", retryable=True) in change.facts


def test_who_did_not_come_is_named() -> None:
    due = i.Due(DeadlineKind.JOIN)
    assert after(opened().session, due, now=NOW + 30).reason is EndReason.NO_SHOW
    offered = after(opened().session, i.Offer("page-1"))
    assert after(offered, due, now=NOW + 30).reason is EndReason.BOT_NEVER_JOINED
    waiting = after(opened().session, i.BotJoined())
    assert after(waiting, due, now=NOW + 30).reason is EndReason.NO_SHOW


@pytest.mark.parametrize(
    ("kind", "seconds", "reason"),
    [
        (DeadlineKind.IDLE, 120, EndReason.IDLE),
        (DeadlineKind.HARD, 600, EndReason.MAX_DURATION),
    ],
)
def test_deadlines_end_a_session(kind: DeadlineKind, seconds: float, reason: EndReason) -> None:
    session = connected()
    early = after(session, i.Due(kind), now=NOW + seconds - 0.001)
    assert early == session
    assert after(session, i.Due(kind), now=NOW + seconds).reason is reason


def test_the_warning_comes_once() -> None:
    session = connected()
    change = transition(session, i.Due(DeadlineKind.WARNING), NOW + 480)
    assert change.facts == (f.Warned(ends_in_s=120.0),)
    assert [effect.payload["kind"] for effect in change.effects] == ["warning"]
    assert change.effects[0].payload["data"] == {"ends_in_s": 120.0}
    assert DeadlineKind.WARNING not in deadlines(change.session)


def told(change: f.Change) -> list[str]:
    return [e.payload["kind"] for e in change.effects if e.kind is f.EffectKind.TELL_BOT]


def test_a_warning_that_nobody_could_hear_is_said_when_somebody_can() -> None:
    away = after(connected(), i.UserLeft("page-1"), now=NOW + 470)
    warned = transition(away, i.Due(DeadlineKind.WARNING), NOW + 480)
    assert told(warned) == []
    back = transition(warned.session, numbered(warned.session, i.UserJoined("page-1")), NOW + 500)
    assert told(back) == ["warning"]
    assert back.effects[0].payload["data"] == {"ends_in_s": 100.0}
    paused = after(connected(), i.Pause(PauseCause.USER), now=NOW + 100)
    warned = transition(paused, i.Due(DeadlineKind.WARNING), NOW + 480)
    assert told(warned) == []
    running = transition(warned.session, i.Resume(PauseCause.USER), NOW + 510)
    assert told(running) == ["pause", "warning"]
    before = after(connected(), i.Pause(PauseCause.USER), now=NOW + 100)
    assert told(transition(before, i.Resume(PauseCause.USER), NOW + 110)) == ["pause"]


def waiting() -> f.Change:
    return opened(position=3)


def test_who_waits_has_neither_room_nor_bot() -> None:
    change = waiting()
    assert (change.session.stage, change.effects) == (Stage.QUEUED, ())
    assert change.facts[0] == f.Queued(3, ends_in_s=300.0)
    assert deadlines(change.session) == {DeadlineKind.QUEUE: NOW + 300}


def test_a_place_in_the_queue_is_told_when_it_changes() -> None:
    session = waiting().session
    change = transition(session, i.MovedUp(2), NOW + 100)
    assert change.facts == (f.Queued(2, ends_in_s=200.0),)
    assert transition(change.session, i.MovedUp(2), NOW + 101).session == change.session


def test_whose_turn_has_come_is_launched_and_has_the_whole_time_to_join() -> None:
    change = transition(waiting().session, i.LetIn(), NOW + 200)
    assert change.session.stage is Stage.CONNECTING
    assert kinds(change) == [f.EffectKind.ENSURE_ROOM, f.EffectKind.LAUNCH_BOT]
    assert deadlines(change.session)[DeadlineKind.JOIN] == NOW + 230
    assert transition(change.session, i.LetIn(), NOW + 201).outcome is f.Outcome.IGNORED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (i.Stop(), EndReason.USER),
        (i.Stop(EndReason.EMERGENCY), EndReason.EMERGENCY),
        (i.Due(DeadlineKind.QUEUE), EndReason.QUEUE_TIMEOUT),
    ],
)
def test_leaving_the_queue_is_over_at_once(event: i.Input, reason: EndReason) -> None:
    change = transition(waiting().session, event, NOW + 300)
    assert (change.session.stage, change.session.reason) == (Stage.ENDED, reason)
    assert change.effects == ()
    assert change.facts[-1] == f.Ended(reason, 0.0)


def test_who_waits_cannot_connect_yet() -> None:
    with pytest.raises(StillQueued):
        transition(waiting().session, i.Offer("page-1"), NOW)


def test_speaking_restarts_the_idle_clock() -> None:
    spoke = after(connected(), i.UserSpeech(speaking=True), now=NOW + 100)
    assert deadlines(spoke)[DeadlineKind.IDLE] == NOW + 220


def test_a_clock_set_back_does_not_shorten_the_idle_clock() -> None:
    spoke = after(connected(), i.UserSpeech(speaking=True), now=NOW - 3600)
    assert deadlines(spoke)[DeadlineKind.IDLE] == NOW + 120


def test_mute_is_ordered_by_the_pages_clock() -> None:
    """FAILURES 11."""
    muted = after(connected(), i.Mute(muted=True, timestamp_ms=20))
    late = transition(muted, i.Mute(muted=False, timestamp_ms=10), NOW)
    assert (late.outcome, late.session.muted) == (f.Outcome.DUPLICATE, True)
    assert not after(muted, i.Mute(muted=False, timestamp_ms=21)).muted


def test_what_a_muted_user_says_changes_nothing() -> None:
    muted = after(connected(), i.Mute(muted=True, timestamp_ms=1))
    for report in (
        i.UserSpeech(speaking=True),
        i.Transcript("user", "hello", final=True, turn=1),
        i.Unknown("user.gesture", {}),
    ):
        change = transition(muted, numbered(muted, report), NOW + 50)
        assert (change.facts, change.outcome) == ((), f.Outcome.MUTED)
        assert deadlines(change.session) == deadlines(muted)
        assert change.session.report_seq == muted.report_seq + 1


def test_a_muted_user_still_sees_what_the_assistant_does() -> None:
    muted = after(connected(), i.Mute(muted=True, timestamp_ms=1))
    shows, says = i.AppReport("ui.card"), i.Transcript("assistant", "Look.", final=True, turn=1)
    for report in (shows, says):
        change = transition(muted, numbered(muted, report), NOW + 50)
        assert (len(change.facts), change.outcome) == (1, f.Outcome.APPLIED)


CALL = {"toolCallId": "c1", "tool": "notes", "name": "create_note", "where": "server"}


def test_a_tool_is_run_where_it_belongs_and_its_bot_is_told_what_came_of_it() -> None:
    session = connected()
    at_server = changed(session, i.ToolCalled(at_server=True, data=CALL))
    assert at_server.facts == (f.ToolUsed(CALL),)
    wanted = {"asked_at": NOW, "call": CALL}
    assert at_server.effects == (f.Effect(f.EffectKind.RUN_TOOL, wanted),)
    in_page = changed(session, i.ToolCalled(at_server=False, data=CALL))
    assert (in_page.facts, in_page.effects) == ((f.ToolUsed(CALL),), ())
    told = changed(session, i.ToolAnswered({"toolCallId": "c1", "result": 7})).effects
    assert [(e.kind, e.payload["kind"], e.payload["data"]) for e in told] == [
        (
            f.EffectKind.TELL_BOT,
            "tool_results",
            {"results": [{"toolCallId": "c1", "result": 7}]},
        )
    ]


def test_what_only_a_newer_bot_knows_is_told_and_changes_nothing_else() -> None:
    session = connected()
    change = transition(session, numbered(session, i.Unknown("user.gesture", {"a": 1})), NOW + 50)
    assert change.facts == (f.UnknownHappened("user.gesture", {"a": 1}),)
    assert change.session == replace(session, report_seq=session.report_seq + 1)


def test_what_nobody_understands_is_counted_and_called_that() -> None:
    session = connected()
    change = transition(session, numbered(session, i.Unreadable()), NOW)
    assert (change.facts, change.outcome) == ((), f.Outcome.MALFORMED)
    assert change.session.report_seq == session.report_seq + 1


def test_causes_of_pause_are_lifted_one_by_one() -> None:
    """FAILURES 12."""
    user, call = PauseCause.USER, PauseCause.GROUP_CALL
    paused = after(connected(), i.Pause(call), now=NOW + 10)
    both = after(paused, i.Pause(user), now=NOW + 20)
    assert deadlines(both)[DeadlineKind.PAUSE] == NOW + 20 + 600
    assert DeadlineKind.IDLE not in deadlines(both)
    still = after(both, i.Resume(call), now=NOW + 30)
    assert still.pause_causes == {user}
    running = transition(still, i.Resume(user), NOW + 400)
    assert running.effects[0].payload["data"] == {"paused": False}
    assert deadlines(running.session)[DeadlineKind.IDLE] == NOW + 400 + 120


def test_a_pause_survives_lingering() -> None:
    paused = after(connected(), i.Pause(PauseCause.USER), i.UserLeft("page-1"))
    assert paused.stage is Stage.LINGERING
    back = after(paused, i.UserJoined("page-1"))
    assert back.is_paused


def test_a_fatal_error_of_the_bot_ends_and_tells_why() -> None:
    session = connected()
    error = i.BotError("bot_raised", "The assistant failed.", fatal=True)
    change = transition(session, numbered(session, error), NOW)
    assert change.session.reason is EndReason.BOT_CRASHED
    assert change.facts[0] == f.Failed("bot_raised", "The assistant failed.", retryable=True)


def test_an_offer_after_the_end_is_refused() -> None:
    ending = after(connected(), i.Stop())
    with pytest.raises(SessionEnded):
        transition(ending, i.Offer("page-2"), NOW)


def test_a_typed_message_reaches_the_bot_and_counts_as_acting() -> None:
    change = transition(connected(), i.Message("forty two"), NOW + 50)
    assert change.effects[0].payload["data"] == {"text": "forty two"}
    assert deadlines(change.session)[DeadlineKind.IDLE] == NOW + 170


def test_a_typed_message_needs_a_conversation() -> None:
    with pytest.raises(NotActive):
        transition(opened().session, i.Message("forty two"), NOW)


def test_what_still_drains_while_ending_is_told() -> None:
    ending = after(connected(), i.Farewell(heard=True))
    said = i.Transcript("assistant", "Goodbye!", final=True, turn=9)
    change = transition(ending, numbered(ending, said), NOW)
    assert change.facts == (f.Said("assistant", "Goodbye!", final=True, turn=9),)


def test_an_end_that_takes_too_long_is_forced() -> None:
    """FAILURES 18."""
    ending = after(connected(), i.Stop())
    change = transition(ending, i.Due(DeadlineKind.ENDING), NOW + 5)
    assert change.session.stage is Stage.ENDED
    assert kinds(change) == [f.EffectKind.END_BOT, f.EffectKind.CLOSE_ROOM]
    assert change.session.bot_presence is Presence.GONE
