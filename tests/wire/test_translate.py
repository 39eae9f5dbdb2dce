"""Facts become events of a known shape, reports become inputs, and nothing else gets through."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import BadRequest
from greenroom.service.events import word_of_a_bot
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.model import EndReason, PauseCause, Presence, Stage
from greenroom.session.prices import Cost
from greenroom.wire.events import EVENT_DATA, SessionStatus
from greenroom.wire.link import Ephemeral, Report, ReportKind, from_bot
from greenroom.wire.messages import sentence_for
from greenroom.wire.status import shown_status
from greenroom.wire.translate import (
    MAX_KIND_CHARS,
    MAX_UNKNOWN_DATA_BYTES,
    event_of,
    report_of,
    rfc3339,
)

CALL: dict[str, Any] = {
    "toolCallId": "c1",
    "tool": "notes",
    "name": "create_note",
    "where": "server",
    "arguments": {"title": "Milk"},
}
RESULT = {
    "toolCallId": "c1",
    "tool": "notes",
    "name": "create_note",
    "outcome": "ok",
    "durationMs": 12,
}
AT = "2026-01-01T12:00:00Z"
NOTE = {"id": "n1", "title": "Milk", "text": "", "createdAt": AT, "updatedAt": AT}
FACTS: list[f.Fact] = [
    f.Started("cards", "room"),
    f.Queued(3, 299.5),
    f.StatusChanged(Stage.ACTIVE, False, Presence.PRESENT, Presence.PRESENT),
    f.CameIn("user-1", "ada", True, 1),
    f.WentOut("user-1", "ada", 0),
    f.Muted(True, 1),
    f.Paused((PauseCause.USER,)),
    f.Warned(120.0),
    f.BotStarting(119.5),
    f.UserSpoke(True),
    f.UserSpoke(False),
    f.BotSpoke(True, False),
    f.Said("user", "hello", True, 1),
    f.ToolUsed(CALL),
    f.ToolEnded(RESULT),
    f.UnknownHappened("user.gesture", {"waves": True}),
    f.UnknownHappened("user.film", None),
    f.Failed("bot_crashed", "It stopped.", True),
    f.Costed(Cost({"room": 50_000}, ("tts.characters",))),
    f.BudgetWarned("user_day", 800_000, 1_000_000),
    f.Ended(EndReason.GOODBYE, 61.23456),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_every_fact_is_an_event_of_its_shape(fact: f.Fact) -> None:
    kind, data = event_of(fact)
    assert EVENT_DATA[kind].model_validate(data)


def test_no_fact_is_forgotten() -> None:
    tested = {type(fact) for fact in FACTS} | {f.AppHappened}
    assert tested == set(get_args(f.Fact))


def test_an_applications_event_passes_as_it_is() -> None:
    assert event_of(f.AppHappened("app.answer", {"a": 1})) == ("app.answer", {"a": 1})


@pytest.mark.parametrize("reason", EndReason)
def test_every_reason_has_a_sentence(reason: EndReason) -> None:
    assert sentence_for(reason).endswith(".")


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("paused", [True, False])
def test_every_stage_is_shown(stage: Stage, paused: bool) -> None:
    shown = shown_status(stage, paused=paused)
    assert (shown is SessionStatus.PAUSED) == (paused and stage in (Stage.ACTIVE, Stage.LINGERING))


READABLE: dict[ReportKind, tuple[dict[str, Any], i.BotReport]] = {
    ReportKind.BOT_JOINED: ({}, i.BotJoined()),
    ReportKind.USER_JOINED: ({"participant": "p"}, i.UserJoined("p")),
    ReportKind.USER_LEFT: ({"participant": "p", "why": "silent"}, i.UserLeft("p")),
    ReportKind.USER_ENDED: ({}, i.UserEnded()),
    ReportKind.USER_SPEECH: ({"speaking": True}, i.UserSpeech(True)),
    ReportKind.BOT_SPEECH: ({"speaking": False, "interrupted": True}, i.BotSpeech(False, True)),
    ReportKind.TRANSCRIPT: (
        {"role": "user", "text": "hi", "final": True, "turn": 2},
        i.Transcript("user", "hi", True, 2),
    ),
    ReportKind.APP: ({"type": "app.x", "data": {"a": 1}}, i.AppReport("app.x", {"a": 1})),
    ReportKind.TOOL_CALL: (CALL, i.ToolCalled(at_server=True, data=CALL)),
    ReportKind.TOOL_RESULT: (RESULT, i.ToolDone(RESULT)),
    ReportKind.USAGE: (
        {"component": "tts", "quantity": 12, "unit": "characters"},
        i.Usage("tts", 12.0, "characters"),
    ),
    ReportKind.QUALITY: ({"received": 500, "lost": 2, "jitter_ms": 3.5}, i.Quality()),
    ReportKind.ERROR: (
        {"code": "c", "message": "m", "fatal": True},
        i.BotError("c", "m", fatal=True),
    ),
    ReportKind.FAREWELL: ({"heard": True}, i.Farewell(heard=True)),
}


@pytest.mark.parametrize("kind", ReportKind)
def test_every_kind_of_report_is_read(kind: ReportKind) -> None:
    data, expected = READABLE[kind]
    assert report_of(Report(seq=1, at_ms=0, kind=kind, data=data)) == expected


@pytest.mark.parametrize("kind", [k for k in ReportKind if READABLE[k][0]])
def test_a_report_without_its_data_is_refused(kind: ReportKind) -> None:
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=kind, data={}))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ReportKind.TRANSCRIPT, {"role": "user", "text": "hi", "final": True, "turn": math.inf}),
        (ReportKind.TRANSCRIPT, {"role": "user", "text": "hi", "final": True, "turn": math.nan}),
        (ReportKind.USAGE, {"component": "tts", "quantity": 10**400, "unit": "characters"}),
        (ReportKind.TOOL_RESULT, {**RESULT, "durationMs": 10**400}),
    ],
)
def test_a_number_beyond_measure_is_refused(kind: ReportKind, data: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=kind, data=data))


def test_a_kind_that_only_a_newer_bot_knows_is_kept_and_passed_on() -> None:
    told = {"type": "report", "seq": 1, "atMs": 0, "kind": "user.gesture", "data": {"waves": True}}
    report = from_bot.validate_python(told)
    assert isinstance(report, Report)
    assert report_of(report) == i.Unknown("user.gesture", {"waves": True})
    assert event_of(f.UnknownHappened("user.gesture", {"waves": True})) == (
        "voice.bot.unknown",
        {"kind": "user.gesture", "data": {"waves": True}},
    )


def test_a_known_kind_is_read_as_what_it_is() -> None:
    told = {"type": "report", "seq": 1, "atMs": 0, "kind": "user.speech", "data": {}}
    report = from_bot.validate_python(told)
    assert isinstance(report, Report)
    assert report.kind is ReportKind.USER_SPEECH


def test_of_an_unknown_kind_no_more_is_kept_than_there_is_room_for() -> None:
    much = {"film": "x" * MAX_UNKNOWN_DATA_BYTES}
    report = report_of(Report(seq=1, at_ms=0, kind="k" * 10_000, data=much))
    assert report == i.Unknown("k" * MAX_KIND_CHARS, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800"])
@pytest.mark.parametrize("kind", ["user.gesture", ReportKind.APP])
def test_what_json_cannot_carry_is_refused(kind: str, value: object) -> None:
    data = {"type": "app.x", "data": {"value": value}}
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=kind, data=data))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ReportKind.APP, {"type": "app.\0"}),
        (ReportKind.USER_JOINED, {"participant": "page\0"}),
        (ReportKind.USER_LEFT, {"participant": "\0"}),
    ],
)
def test_a_name_with_a_zero_byte_is_refused_whatever_the_database(
    kind: ReportKind, data: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=kind, data=data))


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("ui.card", {"id": "c", "front": {"a": 1}}),
        ("ui.card", {}),
        ("ui.html", {"id": "h", "title": "", "html": 5}),
        ("ui.note", {"action": "created"}),
        ("ui.note", {"action": "created", "note": {**NOTE, "updatedAt": None}}),
        ("ui.panel", {"panel": "__proto__", "open": True}),
    ],
)
def test_what_no_page_could_show_is_refused(type_: str, data: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=ReportKind.APP, data={"type": type_, "data": data}))
    with pytest.raises(BadRequest):
        word_of_a_bot("ses_1", 0.0, Ephemeral(event=type_, data=data))


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("ui.card", {"id": "c", "front": "Oslo?", "colour": "red"}),
        ("ui.note", {"action": "created", "note": NOTE}),
        ("ui.of_mine", {"front": 5}),
        ("app.card", {}),
    ],
)
def test_what_a_bot_shows_passes_as_it_is(type_: str, data: dict[str, Any]) -> None:
    told = {"type": type_, "data": data}
    assert report_of(Report(seq=1, at_ms=0, kind=ReportKind.APP, data=told)) == i.AppReport(
        type_, data
    )


@pytest.mark.parametrize("type_", ["voice.session.end", "app", "", "x.app.y"])
def test_a_bot_cannot_say_what_is_greenrooms_to_say(type_: str) -> None:
    with pytest.raises(BadRequest):
        report_of(Report(seq=1, at_ms=0, kind=ReportKind.APP, data={"type": type_}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("type", "data", "role", "text", "final", "turn", "participant", "speaking"),
        *("code", "fatal", "message", "component", "quantity", "unit", "heard"),
    ]
)


@given(kind=st.sampled_from(ReportKind) | st.text(max_size=8), data=st.dictionaries(NAMES, JSON))
def test_whatever_a_bot_sends_is_read_or_refused(kind: str, data: dict[str, Any]) -> None:
    try:
        report = report_of(Report(seq=1, at_ms=0, kind=kind, data=data))
    except BadRequest:
        return
    assert isinstance(report, i.BotReport)


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_800_000_000.1234) == "2027-01-15T08:00:00.123Z"
