"""Records read from data and checked; what is wrong is told by the path of its field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from greenroom.assistants import addresses, scripts
from greenroom.assistants.paths import Path, dotted, is_field, leaves
from greenroom.assistants.tools import problems_of
from greenroom.errors import BadRecord
from greenroom.wire.assistants import MAX_RECORD_BYTES, AssistantRecord, as_data
from greenroom.wire.secrets import is_secret_name, is_secret_value

# Deeper than anybody's JSON Schema of a tool.
MAX_DEPTH = 24
# Settings that mean the same with every service that has them, with what they can be.
_NUMBERS: dict[str, tuple[float, float]] = {
    "speed": (0.1, 10.0),
    "temperature": (0.0, 2.0),
    "topP": (0.0, 1.0),
    "top_p": (0.0, 1.0),
    "maxTokens": (1, 10_000_000),
    "max_tokens": (1, 10_000_000),
}
_ESPEAK_NUMBERS: dict[str, tuple[float, float]] = {"wordsPerMinute": (80, 450), "pitch": (0, 99)}
ESPEAK = ("espeak", "espeak-ng")
_SERVICES = ("stt", "llm", "tts", "speechToSpeech")
# Settings that say where a service is asked, or what goes with the question.
_WHERE_IT_IS = re.compile(
    r"url|uri|host|endpoint|address|server|proxy|header|extra|client|session|region|path"
    # Google's client, and its addresses, which are made of the place; others' by the same names.
    r"|http|location|domain|delegation",
    re.IGNORECASE,
)
# Who speaks, for whom, at whose cost, with which tools: that is the record's alone.
NEVER_OVERRIDDEN = (
    *("name", "bot", "overrides", "pageMay", "rollout", "budget", "tools"),
    "voiceSessionConfig.enabled",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field. Its value is never repeated: it may be a secret."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


def parse(data: Any, *, name: str | None = None, stored: bool = False) -> AssistantRecord:
    """The record that data describes.

    Args:
        data: As it came from JSON or YAML.
        name: What the assistant is called, if the data need not say so or must not say otherwise.
        stored: It was taken once. Rules for tools and addresses that are newer keep nobody from
            talking: a tool that cannot be used is refused when it is called.

    Raises:
        BadRecord: Something is wrong with it; every field that is, with its path.
    """
    if not isinstance(data, Mapping):
        raise refusal([Problem("", "A record is an object with fields.")])
    data = dict(data)
    if name is not None and data.setdefault("name", name) != name:
        raise refusal([Problem("name", f"must be “{name}” here")])
    problems = list(_unfit(data, (), 0))
    if problems:
        raise refusal(problems)
    if isinstance(data.get("tools"), list):
        # `tools: [notes]` is short for `tools: [{name: notes}]`.
        data["tools"] = [{"name": t} if isinstance(t, str) else t for t in data["tools"]]
    try:
        record = AssistantRecord.model_validate(data)
    except ValidationError as error:
        found = [Problem(dotted(e["loc"]), _words(e)) for e in error.errors()]
        raise refusal(found) from None
    problems = list(_contradictions(record))
    if not stored:
        problems += [Problem(*found) for found in problems_of(record.tools)]
        problems += _of_addresses(record)
    if problems:
        raise refusal(problems)
    size = len(json.dumps(as_data(record), ensure_ascii=False).encode())
    if size > MAX_RECORD_BYTES:
        raise refusal([Problem("", f"It is larger than {MAX_RECORD_BYTES} bytes.")])
    return record


def refusal(problems: Sequence[Problem], of: str = "") -> BadRecord:
    """The error that names these problems; ``of``: the file, say."""
    first, more = problems[0], len(problems) - 1
    where = f"{of}: " if of else ""
    rest = f" (and {more} more)" if more else ""
    told = [{"field": p.field, "problem": p.problem} for p in problems[:50]]
    return BadRecord(f"{where}{first}{rest}", field=first.field, problems=told)


def _unfit(value: Any, path: Path, depth: int) -> Iterator[Problem]:
    """What no record may hold anywhere: secrets, and what JSON does not carry."""
    if depth > MAX_DEPTH:
        yield Problem(dotted(path), "is nested too deeply")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield Problem(dotted((*path, key)), "the name of a field is a text")
            elif is_secret_name(key) and not _is_of_a_schema(path):
                yield Problem(
                    dotted((*path, key)),
                    "looks like a secret. Keys come from the environment, never from a record",
                )
            else:
                yield from _unfit(inner, (*path, key), depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unfit(inner, (*path, index), depth + 1)
    elif isinstance(value, str):
        if is_secret_value(value):
            yield Problem(dotted(path), "looks like a key. Keys come from the environment")
        elif not _can_be_written(value):
            yield Problem(dotted(path), "holds half a character")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(dotted(path), "must be a finite number")
    elif not (value is None or isinstance(value, bool | int | float)):
        yield Problem(dotted(path), f"is a {type(value).__name__}, which JSON does not carry")


def _is_of_a_schema(path: Path) -> bool:
    """Whether the fields here are arguments of a tool: a tool may well take a token of a game."""
    return len(path) >= 3 and path[0] == "tools" and "properties" in path


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: Any) -> str:
    """Pydantic's message as part of a sentence."""
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    if error["type"] == "missing":
        return "is missing"
    message: str = error["msg"]
    return message[:1].lower() + message[1:]


def _contradictions(record: AssistantRecord) -> Iterator[Problem]:
    """What is wrong between fields, or within settings that a service would only stumble over."""
    if record.speech_to_speech is not None:
        for part in ("stt", "llm", "tts"):
            if getattr(record, part) is not None:
                yield Problem(part, "cannot be beside speechToSpeech, which does it all")
    for part in ("stt", "llm", "tts", "speech_to_speech"):
        service = getattr(record, part)
        if service is not None:
            path = ("speechToSpeech" if part == "speech_to_speech" else part, "settings")
            yield from _numbers(service.settings, path, _NUMBERS)
    if record.voice is not None:
        numbers = {"speed": _NUMBERS["speed"]}
        if record.tts is None or record.tts.service in ESPEAK:
            numbers = numbers | _ESPEAK_NUMBERS
        yield from _numbers(record.voice.parameters, ("voice", "parameters"), numbers)
        for path, _ in leaves(record.voice.parameters):
            # Starts are often let change these, and pages with them.
            if any(_WHERE_IT_IS.search(str(part)) for part in path):
                at = dotted(("voice", "parameters", *path))
                yield Problem(at, "belongs into the settings of tts")
    yield from (Problem(dotted(path), problem) for path, problem in scripts.contradictions(record))
    for index, allowed in enumerate(record.overrides):
        if not is_field(AssistantRecord, allowed):
            yield Problem(f"overrides[{index}]", "names no field of a record")
        elif any(covers(allowed, fixed) or covers(fixed, allowed) for fixed in NEVER_OVERRIDDEN):
            yield Problem(f"overrides[{index}]", "names what no start may change")
        elif _leads_a_key_elsewhere(allowed):
            yield Problem(
                f"overrides[{index}]",
                "lets a start choose who is sent a service's key. Allow single settings, such as "
                "llm.settings.model",
            )


def _of_addresses(record: AssistantRecord) -> Iterator[Problem]:
    """What is wrong with where its services are, those that take over included."""
    for part in ("stt", "llm", "tts", "speech_to_speech"):
        said = getattr(record, part)
        if said is None:
            continue
        at: Path = ("speechToSpeech" if part == "speech_to_speech" else part,)
        services = [(at, said)]
        services += [((*at, "fallbacks", i), one) for i, one in enumerate(said.fallbacks)]
        for where, one in services:
            for path, problem in addresses.problems_of_service(one.settings):
                yield Problem(dotted((*where, "settings", *path)), problem)


def _leads_a_key_elsewhere(allowed: str) -> bool:
    """Whether a start could have a service's key sent to an address of its own."""
    part, _, rest = allowed.partition(".")
    within, _, setting = rest.partition(".")
    if part not in _SERVICES:
        return False
    return within != "settings" or not setting or bool(_WHERE_IT_IS.search(setting))


def _numbers(
    settings: Mapping[str, Any], path: Path, ranges: Mapping[str, tuple[float, float]]
) -> Iterator[Problem]:
    for name, (least, most) in ranges.items():
        value = settings.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield Problem(dotted((*path, name)), "must be a number")
        elif not least <= value <= most:
            yield Problem(dotted((*path, name)), f"must be between {least:g} and {most:g}")


def covers(allowed: str, path: str) -> bool:
    """Whether a path is the allowed one or below it."""
    return path == allowed or path.startswith((f"{allowed}.", f"{allowed}["))
