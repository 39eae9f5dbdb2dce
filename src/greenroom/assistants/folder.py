"""Records in a folder: a YAML or JSON file each, named after its assistant."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from greenroom.assistants.records import Problem, parse, refusal
from greenroom.errors import BadRecord
from greenroom.wire.assistants import AssistantRecord

ENDINGS = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A record, and the file that it came from."""

    path: Path
    record: AssistantRecord


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.1 as far as JSON goes: no dates, and no field twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field “{name}” stands here twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


# Numbers as JSON has them. “2026-11-25”, “10:30” and “007” are texts: it has neither dates nor
# numbers to the base of sixty or eight.
_NOT_SO = (":timestamp", ":int", ":float")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(_NOT_SO)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in (
    ("int", r"^-?(0|[1-9][0-9]*)$"),
    ("float", r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list("-0123456789")
    )


def read_folder(folder: Path) -> list[FileRecord]:
    """Every record in a folder, in the order of its files.

    Raises:
        BadRecord: One cannot be read; the message names the file and the field's path.
        OSError: The folder cannot be read.
    """
    found = [read_file(path) for path in files_in(folder)]
    names = [one.record.name for one in found]
    for one in found:
        if names.count(one.record.name) > 1:
            problem = Problem("name", f"“{one.record.name}” stands in another file, too")
            raise refusal([problem], one.path.name)
    return found


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that hold records; hidden ones do not."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
    )


def read_file(path: Path) -> FileRecord:
    """The record in a file. Without a ``name`` in it, it is called as the file.

    Raises:
        BadRecord: It cannot be read; the message names the file and the field's path.
        OSError: The file cannot be read.
    """
    data = read_data(path)
    if isinstance(data, dict):
        data.setdefault("name", path.stem)
    try:
        return FileRecord(path, parse(data))
    except BadRecord as error:
        problems = [Problem(p["field"], p["problem"]) for p in error.detail["problems"]]
        raise refusal(problems, path.name) from None


def read_data(path: Path) -> Any:
    """What a YAML or JSON file holds.

    Raises:
        BadRecord: It is neither, or too large.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise refusal([Problem("", f"It is larger than {MAX_FILE_BYTES} bytes.")], path.name)
    try:
        text = raw.decode()
        if path.suffix.lower() == ".json":
            return json.loads(text)
        return _plain(yaml.load(text, _Loader))  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise refusal([Problem("", _where(error))], path.name) from None


def _plain(value: Any) -> Any:
    """Without aliases, each of which could stand for all of it again."""
    budget = iter(range(MAX_FILE_BYTES))
    return _copied(value, budget)


def _copied(value: Any, budget: Iterator[int]) -> Any:
    if next(budget, None) is None:
        raise ValueError("its aliases stand for too much")
    if isinstance(value, dict):
        return {key: _copied(inner, budget) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copied(inner, budget) for inner in value]
    return value


def _where(error: Exception) -> str:
    """What cannot be read, and where; never the text itself, which may hold a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"Line {mark.line + 1}, column {mark.column + 1}: {error.problem}."
    if isinstance(error, json.JSONDecodeError):
        return f"Line {error.lineno}, column {error.colno}: {error.msg}."
    if isinstance(error, UnicodeDecodeError):
        return "It is not UTF-8."
    return "It cannot be read: it is nested too deeply, or its aliases stand for too much."
