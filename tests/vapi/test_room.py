"""The words in the room of a VAPI call, without anybody who says them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.session.model import EndReason
from greenroom.wire.link import ReportKind
from greenroom.wire.vapi import messages as m
from greenroom.wire.vapi import room as r

Json = dict[str, Any]


def script(**assistant: Any) -> r.Script:
    return r.Script({"assistant": assistant}, lambda: 1_000.0)


def told(texts: list[str]) -> list[Json]:
    return [json.loads(text) for text in texts]


def said(role: str, text: str, *, final: bool = True) -> Json:
    return {"role": role, "text": text, "final": final, "turn": 1}


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        ("playable", r.Playable()),
        ('{"type":"end-call"}', r.EndCall()),
        ('{"type":"control","control":"mute-assistant"}', r.MuteAssistant(True)),
        ('{"type":"control","control":"unmute-assistant"}', r.MuteAssistant(False)),
        ('{"type":"control","control":"say-first-message"}', r.SayFirstMessage()),
        (
            '{"type":"say","message":"Bye","endCallAfterSpoken":true,"interruptionsEnabled":false}',
            r.Say("Bye", ends=True),
        ),
        (
            {"type": "say", "message": "So", "interruptionsEnabled": True,
             "interruptAssistantEnabled": True},
            r.Say("So", interruptible=True, interrupts=True),
        ),
        (
            '{"type":"add-message","message":{"role":"user","content":"red"}}',
            r.Add("user", "red"),
        ),
        (
            {"type": "add-message", "triggerResponseEnabled": False,
             "message": {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}},
            r.Add("system", "Be brief.", answered=False),
        ),
    ],
)  # fmt: skip
def test_what_the_sdk_sends_is_understood(message: Any, heard: r.Heard) -> None:
    assert r.heard(message) == heard


@pytest.mark.parametrize(
    "message",
    [
        None, 7, "", "listening", "{", "[" * 60_000, "[]", '"playable"', {}, {"type": 7},
        {"type": "say"}, {"type": "say", "message": " "}, {"type": "say", "message": 7},
        {"type": "control", "control": "fly"}, {"type": "control", "control": ["mute-assistant"]},
        {"type": "add-message"}, {"type": "add-message", "message": "red"},
        {"type": "add-message", "message": {"role": "tool", "content": "red"}},
        {"type": "add-message", "message": {"role": ["user"], "content": "red"}},
        {"type": "add-message", "message": {"role": "user", "content": [7, {"text": None}]}},
    ],
)  # fmt: skip
def test_anything_else_means_nothing_and_hurts_nobody(message: Any) -> None:
    assert r.heard(message) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3)
    ),
    max_leaves=6,
)
_FIELDS = ["type", "message", "control", "role", "content", "endCallAfterSpoken"]
_TYPES = st.sampled_from(["say", "add-message", "control", "end-call"])


@settings(max_examples=60)
@given(message=_JSON | st.dictionaries(st.sampled_from(_FIELDS), _JSON | _TYPES, max_size=4))
def test_whatever_is_sent_is_heard_or_passed_over(message: Any) -> None:
    for sent in (message, json.dumps(message)):
        found = r.heard(sent)
        assert found is None or isinstance(found, r.Heard)


def test_what_a_bot_reports_is_told_in_vapis_words() -> None:
    one = script()
    speech = one.reported(ReportKind.USER_SPEECH, {"speaking": True})
    assert told(speech) == [
        {"type": "speech-update", "status": "started", "role": "user", "turn": 0}
    ]
    (partial,) = told(one.reported(ReportKind.TRANSCRIPT, said("user", "fort", final=False)))
    assert (partial["transcriptType"], partial["transcript"]) == ("partial", "fort")
    one.reported(ReportKind.TRANSCRIPT, said("user", "forty two"))
    output, spoken, sofar = told(one.reported(ReportKind.TRANSCRIPT, said("assistant", "Right.")))
    assert output == {"type": "model-output", "output": "Right."}
    assert spoken == {
        "type": "transcript",
        "role": "assistant",
        "transcriptType": "final",
        "transcript": "Right.",
    }
    assert sofar["conversation"] == [
        {"role": "user", "content": "forty two"},
        {"role": "assistant", "content": "Right."},
    ]
    assert [one["role"] for one in sofar["messages"]] == ["user", "bot"]
    cut = one.reported(ReportKind.BOT_SPEECH, {"speaking": False, "interrupted": True})
    assert [message["type"] for message in told(cut)] == ["speech-update", "user-interrupted"]
    assert told(cut)[0]["turn"] == 1
    assert one.reported(ReportKind.USAGE, {"component": "llm"}) == []


def test_only_what_was_asked_for_is_told() -> None:
    one = script(clientMessages=["transcript[transcriptType='final']"])
    assert one.begun() == []
    assert one.reported(ReportKind.TRANSCRIPT, said("user", "fort", final=False)) == []
    (only,) = told(one.reported(ReportKind.TRANSCRIPT, said("assistant", "Right.")))
    assert only["type"] == "transcript"
    own = one.reported(ReportKind.APP, {"type": "app.answer", "data": {"value": 42}})
    assert told(own) == [{"type": "app.answer", "data": {"value": 42}}], "that is the bot's own"


def test_phrases_that_end_the_call_are_the_assistants_in_any_case() -> None:
    one = script(endCallPhrases=["So Long"])
    one.reported(ReportKind.TRANSCRIPT, said("user", "so long"))
    assert not one.has_parted
    one.reported(ReportKind.TRANSCRIPT, said("assistant", "Well, so LONG then."))
    assert one.has_parted


def test_nothing_is_larger_than_daily_takes() -> None:
    one = script()
    for number in range(60):
        texts = one.reported(ReportKind.TRANSCRIPT, said("assistant", f"{number} " + "é" * 900))
        assert all(len(text.encode()) <= 4_000 for text in texts)
    sofar = told(texts)[-1]
    assert sofar["truncated"] is True
    assert sofar["conversation"][-1]["content"].startswith("59 "), "the newest are kept"
    (output, spoken, _) = told(one.reported(ReportKind.TRANSCRIPT, said("assistant", "é" * 9_000)))
    assert output["truncated"]
    assert spoken["truncated"]
    large = {"type": "app.large", "data": {"text": "x" * 9_000}}
    assert told(one.reported(ReportKind.APP, large)) == [{"type": "app.large", "truncated": True}]


def test_every_reason_to_end_has_a_word_of_vapis() -> None:
    assert set(m.ENDED_REASONS) == {reason.value for reason in EndReason}
    ended = told(script().ended("max_duration", None))
    assert ended == [
        {"type": "status-update", "status": "ended", "endedReason": "exceeded-max-duration"}
    ]
    assert m.ended_reason("goodbye", m.AFTER_PHRASE) == "assistant-said-end-call-phrase"
    assert m.ended_reason("idle", m.AFTER_PHRASE) == "silence-timed-out", "what counts is ours"
    assert m.ended_reason("of next year") == "unknown-error"
