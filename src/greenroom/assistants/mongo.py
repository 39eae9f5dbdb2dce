"""Records of an application that kept them in MongoDB, as its export tool writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from greenroom.assistants.taking import Dropped, Imported, Taking, clean, finished, slug
from greenroom.assistants.vapi import ORIGINS, from_vapi
from greenroom.assistants.voice_config import with_voice_session_config
from greenroom.errors import BadRecord
from greenroom.wire.assistants import as_data

# Fields that documents may have under several names, the likeliest first.
_TEXTS: dict[str, tuple[str, ...]] = {
    "title": ("title", "displayName"),
    "persona": ("persona", "systemPrompt", "prompt"),
    "personality": ("personality", "personalityPrompt"),
    "firstMessage": ("firstMessage", "greeting"),
    "endMessage": ("endMessage",),
    "language": ("language", "clientLanguage"),
}
_AS_THEY_ARE = ("tools", "endPhrases", "idlePrompts", "limits", "budget", "overrides", "rollout")
_SERVICES = ("stt", "llm", "tts", "speechToSpeech")
# A document that has these is one of VAPI's, kept by the application.
_VAPIS = ("model", "transcriber")
_NUMBERS = ("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal")
_PRIVATE = "private"


def documents_in(text: str) -> list[Mapping[str, Any]]:
    """The documents in an export: an array, or one a line.

    Raises:
        BadRecord: There is none, or one is no JSON.
    """
    try:
        whole = json.loads(text)
    except ValueError:
        whole = [_line(number, line) for number, line in enumerate(text.splitlines(), 1) if line]
    found = [whole] if isinstance(whole, Mapping) else whole
    if not isinstance(found, list) or not found or not all(isinstance(d, Mapping) for d in found):
        raise BadRecord("There is no document in there.", field="", problems=[])
    return [plain(document) for document in found]


def from_mongo(document: Mapping[str, Any]) -> Imported:
    """The record of one document, with the plan's ``voiceSessionConfig`` if it had none.

    Raises:
        BadRecord: Nothing of it can be kept.
    """
    taking = Taking(document)
    called = taking.text("name") or taking.text("assistantName")
    record: dict[str, Any] = {"name": slug(called or str(taking.look("_id") or ""))}
    record["title"] = called
    taking.drop("_id", why="is MongoDB's own")
    taking.drop("__v", why="is MongoDB's own")
    record.update(_texts(taking))
    record.update({name: taking.take(name) for name in (*_AS_THEY_ARE, *_SERVICES)})
    record["voice"] = _voice(taking)
    record["metadata"] = _metadata(taking)
    config = _config(taking)
    if any(document.get(name) is not None for name in _VAPIS):
        return _with_vapis(taking, clean({**record, "voiceSessionConfig": config}))
    record["voiceSessionConfig"] = config
    return finished(taking, with_voice_session_config(clean(record)), {})


def _with_vapis(taking: Taking, own: dict[str, Any]) -> Imported:
    """Where a document is one of VAPI's as well: its own words first, then what VAPI's say."""
    theirs = from_vapi(taking.data)
    made = {**as_data(theirs.record), **own}
    for part in ("voice", "metadata", "voiceSessionConfig"):
        made[part] = {**as_data(theirs.record).get(part, {}), **own.get(part, {})}
    left = {one.field for one in taking.dropped()}
    both = [one for one in theirs.dropped if one.field in left]
    for name in _TEXTS:
        if name in own and name != "title" and getattr(theirs.record, _snake(name)) is not None:
            why = f"the document says {name} itself"
            both.append(Dropped(ORIGINS.get(name, name), why))
    done = finished(Taking({}), with_voice_session_config(clean(made)), ORIGINS)
    notes = [*taking.notes, *theirs.notes, *done.notes]
    return Imported(done.record, [*both, *done.dropped], notes)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _texts(taking: Taking) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ours, names in _TEXTS.items():
        for name in names:
            if ours not in found and (text := taking.text(name)) is not None:
                found[ours] = text
    return found


def _voice(taking: Taking) -> dict[str, Any]:
    """A name, an id, or an object of both with parameters."""
    name = taking.text("voice") or taking.text("voiceId")
    if isinstance(taking.look("voice"), Mapping):
        name = name or taking.text("voice", "name") or taking.text("voice", "voiceId")
        parameters = taking.take("voice", "parameters")
    else:
        parameters = None
    return {"name": name, "parameters": parameters or taking.take("voiceParameters")}


def _metadata(taking: Taking) -> dict[str, Any]:
    """What the application knows them by goes along: whoever runs the bot may need it."""
    known = taking.take("metadata")
    kept = {name: taking.text(name) for name in ("personalityId", "tenantId")}
    return {**(known if isinstance(known, dict) else {}), **kept}


def _config(taking: Taking) -> dict[str, Any]:
    found = taking.take("voiceSessionConfig")
    config = dict(found) if isinstance(found, Mapping) else {}
    persistence = taking.take("voiceSessionPersistence")
    if persistence is not None:
        config.setdefault("persistence", persistence)
    if config.get("roomPrivacy") not in (None, _PRIVATE):
        config["roomPrivacy"] = _PRIVATE
        taking.notes.append("voiceSessionConfig.roomPrivacy: rooms are always private")
    return config


def plain(value: Any) -> Any:
    """Extended JSON as JSON: ids and dates are texts, numbers are numbers."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name == "$oid":
            return str(inner)
        if name == "$date":
            return _date(plain(inner))
        if name in _NUMBERS:
            return _number(str(inner))
    return {name: plain(inner) for name, inner in value.items()}


def _date(value: Any) -> str:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    return str(value)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _line(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise BadRecord(f"Line {number} is no JSON.", field="", problems=[]) from None
