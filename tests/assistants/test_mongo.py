"""Documents that MongoDB exported become records; the plan's migration can be run twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greenroom.assistants.mongo import documents_in, from_mongo
from greenroom.assistants.voice_config import DEFAULTS, with_voice_session_config
from greenroom.errors import BadRecord
from greenroom.wire.assistants import as_data

DOCUMENT: dict[str, Any] = {
    "_id": {"$oid": "65f0c2b1e4b0a1b2c3d4e5f6"},
    "__v": {"$numberInt": "3"},
    "assistantName": "Nia",
    "personalityId": "pearl",
    "persona": "A guide through the archive.",
    "clientLanguage": "en-US",
    "voiceId": "asteria",
    "voiceParameters": {"speed": {"$numberDouble": "1.1"}},
    "voiceSessionPersistence": {"$numberInt": "120"},
    "updatedAt": {"$date": {"$numberLong": "1760000000000"}},
    "contentTypes": ["notes", "html"],
}


def test_a_document_is_a_record_and_gets_the_plans_config() -> None:
    imported = from_mongo(documents_in(json.dumps([DOCUMENT]))[0])
    assert as_data(imported.record) == {
        "name": "Nia",
        "title": "Nia",
        "persona": "A guide through the archive.",
        "language": "en-US",
        "voice": {"name": "asteria", "parameters": {"speed": 1.1}},
        "metadata": {"personalityId": "pearl"},
        # Its own persistence made it a config of its own.
        "voiceSessionConfig": {"persistence": 120},
    }
    fields = [one.field for one in imported.dropped]
    assert fields == ["_id", "__v", "updatedAt", "contentTypes[0]", "contentTypes[1]"]


def test_one_without_any_config_gets_the_plans() -> None:
    imported = from_mongo({"name": "nia"})
    assert as_data(imported.record)["voiceSessionConfig"] == DEFAULTS


def test_documents_may_stand_one_a_line() -> None:
    text = "\n".join(json.dumps({"name": name}) for name in ("a", "b")) + "\n"
    assert [from_mongo(d).record.name for d in documents_in(text)] == ["a", "b"]
    with pytest.raises(BadRecord, match="Line 2 is no JSON"):
        documents_in('{"name": "a"}\n{"name":\n')
    for nothing in ("", "[]", "4", "[4]"):
        with pytest.raises(BadRecord):
            documents_in(nothing)


def test_a_document_of_vapis_is_both() -> None:
    document = {
        "name": "Nia",
        "personalityId": "pearl",
        "persona": "Ours.",
        "model": {
            "provider": "openai",
            "model": "gpt-4o",
            "messages": [{"role": "system", "content": "Theirs."}],
            "numFastTurns": 1,
        },
        "voice": {"provider": "11labs", "voiceId": "burt"},
        "voiceSessionConfig": {"enabled": False, "roomPrivacy": "public", "maxDuration": 900},
        "colour": "red",
    }
    imported = from_mongo(document)
    record = imported.record
    assert record.persona == "Ours."
    assert record.llm is not None
    assert record.llm.service == "openai"
    assert record.voice is not None
    assert record.voice.name == "burt"
    config = record.voice_session_config
    assert (config.enabled, config.room_privacy, config.max_duration) == (False, "private", 900)
    assert any("always private" in note for note in imported.notes)
    dropped = {one.field: one.why for one in imported.dropped}
    assert dropped.keys() == {"model.numFastTurns", "colour", "model.messages"}
    assert dropped["model.messages"] == "the document says persona itself"


def test_the_migration_can_be_run_twice() -> None:
    once = with_voice_session_config({"name": "nia"}, most_duration_s=600)
    assert once["voiceSessionConfig"] == {**DEFAULTS, "maxDuration": 600}
    assert with_voice_session_config(once) is once
    own = {"name": "nia", "voiceSessionConfig": {"enabled": False}}
    assert with_voice_session_config(own) is own
