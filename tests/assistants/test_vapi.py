"""VAPI's assistants become records, and every field that does not is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from greenroom.assistants.paths import dotted
from greenroom.assistants.records import parse
from greenroom.assistants.taking import Imported, slug
from greenroom.assistants.vapi import assistants_in, from_vapi
from greenroom.errors import BadRecord
from greenroom.wire.assistants import as_data

FILES = sorted((Path(__file__).parent / "vapi").glob("*.json"))


def every(path: Path) -> list[Mapping[str, Any]]:
    return assistants_in(json.loads(path.read_text()))


def only(name: str) -> Imported:
    (path,) = (path for path in FILES if path.stem == name)
    return from_vapi(every(path)[0])


def texts_in(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [value] if isinstance(value, str) else []


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]
    if isinstance(value, list):
        return [leaf for n, inner in enumerate(value) for leaf in leaves(inner, (*path, n))]
    return [(dotted(path), value)]


def test_there_are_ten_of_different_kinds() -> None:
    assert len(FILES) == 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_a_record_and_nothing_is_lost_in_silence(path: Path) -> None:
    for data in every(path):
        imported = from_vapi(data)
        kept = as_data(imported.record)
        assert parse(kept) == imported.record
        assert imported.record.rollout.percentage == 0  # importing moves nobody
        assert "not-to-be-kept" not in json.dumps(kept)
        dropped = {one.field for one in imported.dropped}
        assert all(one.why for one in imported.dropped)
        # Every text of the source is in the record, or its path is in the report.
        words = {slug(text).lower() for text in texts_in(kept)}
        for field, value in leaves(data):
            if isinstance(value, str) and field not in dropped and not field.endswith("role"):
                assert _is_there(value, words), (field, value)


def _is_there(value: str, words: set[str]) -> bool:
    """As it was, as a name, or as what it is called here (``11labs``: ``elevenlabs``)."""
    called = {
        "11labs": "elevenlabs",
        "together-ai": "together",
        "azure-openai": "azure",
        "assembly-ai": "assemblyai",
        "custom-llm": "openai",
        "rime-ai": "rime",
        "function": "function",
        "assistant-speaks-first": "assistant-speaks-first",
        "endCall": "end_call",
        "book seats": "book-seats",
        "openai": "openai",
    }
    one = slug(called.get(value, value)).lower()
    return value in ("function", "assistant-speaks-first") or any(one in word for word in words)


def test_a_plain_one_is_whole() -> None:
    imported = only("01-plain")
    assert as_data(imported.record) == {
        "name": "Harbour-Helper",
        "title": "Harbour Helper",
        "persona": "You answer questions about berths and tides, in two sentences at most.",
        "firstMessage": "Good morning, harbour office. What can I do for you?",
        "stt": {"service": "deepgram", "settings": {"model": "nova-3"}},
        "llm": {
            "service": "openai",
            "settings": {"model": "gpt-4o-mini", "temperature": 0.3, "max_tokens": 250},
        },
        "tts": {"service": "elevenlabs"},
        "voice": {
            "name": "burt",
            "parameters": {"speed": 1.05, "stability": 0.5, "similarity_boost": 0.75},
        },
        "language": "en",
        "rollout": {"percentage": 0},
    }
    assert [one.field for one in imported.dropped] == [
        *("id", "orgId", "createdAt", "updatedAt", "isServerUrlSecretSet")
    ]


def test_tools_limits_and_ends() -> None:
    imported = only("02-server-tools")
    record = imported.record
    assert [(tool.name, tool.kind) for tool in record.tools] == [
        ("find_parcel", "http"),
        ("end_call", "builtin"),
    ]
    find = record.tools[0]
    assert (find.settings, find.timeout_s) == ({"url": "https://parcels.example/find"}, 12)
    assert (record.voice_session_config.max_duration, record.limits.idle_s) == (480, 45)
    assert record.end_phrases == ["goodbye", "that was all"]
    dropped = {one.field: one.why for one in imported.dropped}
    assert "secret" in dropped["model.tools[0].server.secret"]
    assert "secret" in dropped["server.secret"]
    assert "GREENROOM_WEBHOOKS" in dropped["server.url"]
    assert "export them" in dropped["model.toolIds[0]"]
    assert {"model.tools[0].messages[0].content", "model.messages[1].content"} <= dropped.keys()


def test_what_cannot_be_kept_is_left_out_and_named_by_its_own_path() -> None:
    old = only("09-old")
    dropped = {one.field: one.why for one in old.dropped}
    assert "voice.parameters.speed: must be between" in dropped["voice.speed"]
    assert old.record.name == "0ld0ld00-3333-4444-8555-666677778888"
    assert old.record.tools[0].name == "book-seats"
    assert any("talkscriber" in note for note in old.notes)
    own = only("05-custom-llm")
    assert own.record.metadata == {"team": "north", "floor": 3}
    assert {"metadata.apiKey", "firstMessage", "voice.provider"} <= {
        one.field for one in own.dropped
    }
    assert own.record.llm is not None
    assert own.record.llm.settings["base_url"] == "https://minds.example/v1"


def test_a_model_that_speaks_itself_stands_alone() -> None:
    record = only("04-realtime").record
    assert record.speech_to_speech is not None
    assert record.speech_to_speech.service == "openai-realtime"
    assert (record.stt, record.llm, record.tts) == (None, None, None)
    assert record.voice is not None
    assert record.voice.name == "shimmer"


def test_idle_messages_are_prompts() -> None:
    prompts = only("06-idle-and-plans").record.idle_prompts
    assert prompts is not None
    assert (prompts.after_s, prompts.most, len(prompts.messages)) == (12, 2, 2)


@pytest.mark.parametrize(
    "data",
    [
        {"model": "gpt"},
        {"model": {"messages": "x", "tools": {"a": 1}, "provider": 4}},
        {"model": {"messages": [None, 4, {"role": "system"}], "tools": [None, {"type": []}]}},
        {"voice": [], "transcriber": None, "endCallPhrases": "bye", "metadata": [1]},
        {"name": "", "firstMessage": {"a": "b"}, "maxDurationSeconds": "long"},
        {"messagePlan": {"idleMessages": "x", "idleTimeoutSeconds": -1}},
        {"name": "x" * 500, "firstMessage": "y" * 5000},
    ],
)
def test_odd_data_is_a_record_or_a_refusal(data: dict[str, Any]) -> None:
    imported = from_vapi(data)
    kept = as_data(imported.record)
    assert parse(kept) == imported.record
    odd = {one.field for one in imported.dropped}
    assert odd or not leaves(data)


@pytest.mark.parametrize("data", [None, [], "x", [1], {"assistants": []}])
def test_what_holds_no_assistant_is_refused(data: Any) -> None:
    with pytest.raises(BadRecord):
        assistants_in(data)
