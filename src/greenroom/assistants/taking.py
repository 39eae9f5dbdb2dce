"""Reading foreign data field by field, so that what nobody has taken can be listed at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenroom.assistants.paths import Path, dotted
from greenroom.assistants.records import parse
from greenroom.errors import BadRecord
from greenroom.wire.assistants import MAX_NAME_CHARS, AssistantRecord

NO_EQUAL = "has no equal"
# How often a record that is refused is tried again without what is wrong.
_MOST_ROUNDS = 200
_PART = re.compile(r"\[\d+\]|[^.\[\]]+")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A field of foreign data that is in no record, by its path there."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A record made of foreign data.

    Attributes:
        record: Which can be kept.
        dropped: Every field that is not in it.
        notes: What is in it, and not as it was.
    """

    record: AssistantRecord
    dropped: list[Dropped]
    notes: list[str]


@dataclass
class Taking:
    """Foreign data, and which of it was taken."""

    data: Mapping[str, Any]
    _seen: set[Path] = field(default_factory=set)
    _dropped: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def look(self, *path: str | int) -> Any:
        """The value at a path, None if there is none; it is not taken by that."""
        value: Any = self.data
        for part in path:
            if isinstance(part, int):
                value = value[part] if isinstance(value, list) and part < len(value) else None
            else:
                value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def take(self, *path: str | int) -> Any:
        """The value at a path, with everything below it; it is in the record now."""
        value = self.look(*path)
        if value is not None:
            self._seen.add(path)
        return value

    def text(self, *path: str | int) -> str | None:
        """As `take`, if it is a text that says something; any other value stays where it is."""
        value = self.look(*path)
        if not isinstance(value, str) or not value.strip():
            return None
        self._seen.add(path)
        return value

    def drop(self, *path: str | int, why: str) -> None:
        """What stands there, and below, is left out, for this reason."""
        self._dropped[path] = why

    def dropped(self) -> list[Dropped]:
        """Every leaf that was not taken, in the order of the data."""
        return [
            Dropped(dotted(path), self._why(path))
            for path in _leaves(self.data, ())
            if not any(path[: len(seen)] == seen for seen in self._seen)
        ]

    def _why(self, path: Path) -> str:
        said = [why for of, why in self._dropped.items() if path[: len(of)] == of]
        return said[-1] if said else NO_EQUAL


def finished(taking: Taking, data: dict[str, Any], origins: Mapping[str, str]) -> Imported:
    """The record that was made, without whatever no record can hold.

    Args:
        taking: What it was made of.
        data: The record, not checked yet.
        origins: Where the record's fields came from, by the beginning of their paths.

    Raises:
        BadRecord: Nothing of it can be kept.
    """
    dropped = taking.dropped()
    for _ in range(_MOST_ROUNDS):
        try:
            return Imported(parse(data), dropped, taking.notes)
        except BadRecord as error:
            problem = error.detail["problems"][0]
            if not _cut_out(data, problem["field"]):
                raise
            why = f"cannot be kept as {problem['field']}: {problem['problem']}"
            data = clean(data)
            dropped.append(Dropped(_origin(problem["field"], origins), why))
    raise BadRecord("Too much of it cannot be kept.", field="", problems=[])


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """Where a field of the record came from."""
    for ours, theirs in sorted(origins.items(), key=lambda pair: -len(pair[0])):
        if path == ours or path.startswith((f"{ours}.", f"{ours}[")):
            return theirs + path[len(ours) :]
    return path


def slug(name: str, otherwise: str = "assistant") -> str:
    """A name as records have them: ``Mary (EN)`` is ``Mary-EN``."""
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-._")[:MAX_NAME_CHARS].strip("-._")
    return plain or otherwise


def clean(data: Any) -> Any:
    """Without what says nothing: nulls, and objects and lists with nothing in them."""
    if isinstance(data, dict):
        pairs = ((name, clean(value)) for name, value in data.items())
        return {name: value for name, value in pairs if value not in (None, {}, [])}
    if isinstance(data, list):
        return [clean(value) for value in data]
    return data


def _leaves(value: Any, path: Path) -> list[Path]:
    if isinstance(value, Mapping):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*path, name))]
    if isinstance(value, list):
        pairs = enumerate(value)
        return [leaf for index, inner in pairs for leaf in _leaves(inner, (*path, index))]
    return [] if value is None else [path]


def _cut_out(data: dict[str, Any], path: str) -> bool:
    """Take a field out of a record, or else what lacks it: the item of a list, or an object."""
    parts = [int(p[1:-1]) if p[0] == "[" else p for p in _PART.findall(path)]
    if not parts or path == "name":
        return False
    while parts and not _delete(data, parts):
        parts.pop()
    return bool(parts)


def _delete(data: Any, parts: list[str | int]) -> bool:
    for part in parts[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    try:
        del data[parts[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True
