"""The tools of a record: what each kind needs, and what is wrong with it, by the field's path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from greenroom.assistants import addresses
from greenroom.assistants.paths import dotted
from greenroom.wire import schemas
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.tools import TOOLBOX

# Whose arguments only the record can say.
_WITH_PARAMETERS = ("function", "http", "page")
MOST_MISMATCHES = 5
_OF_HTTP = ("url", "method")


def problems_of(tools: Sequence[ToolRecord]) -> Iterator[tuple[str, str]]:
    """What is wrong with a record's tools: paths of fields, and what is wrong with them."""
    names = [tool.name for tool in tools]
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        if tool.name in names[:index]:
            yield f"{at}.name", "there is a tool of this name already"
        if tool.kind == "builtin" and tool.name not in TOOLBOX:
            yield f"{at}.name", f"is no built-in tool; those are {', '.join(TOOLBOX)}"
        if tool.kind in _WITH_PARAMETERS and tool.parameters is not None:
            yield from _of_schema(tool.parameters, f"{at}.parameters")
        if tool.kind == "http":
            yield from _of_http(tool.settings, f"{at}.settings")
        elif tool.kind == "mcp":
            yield from _named(tool.settings, f"{at}.settings", ("server", "allow"))
        elif tool.kind == "builtin" and tool.name == "browser":
            yield from _named(tool.settings, f"{at}.settings", ("allow",))


def mismatches(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What of a call's arguments a tool's schema does not allow, by path; at most five."""
    found: list[str] = []
    try:
        for path, what in islice(schemas.mismatches(schema, arguments), MOST_MISMATCHES):
            said = what[: schemas.MAX_PROBLEM_CHARS]
            found.append(f"{dotted(path)}: {said}" if path else said)
    except schemas.LeadsNowhere:
        found.append("the tool's schema refers to what is not in it, or to itself")
    return found


def _of_schema(schema: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Arguments have names, so their schema is an object's."""
    if schema.get("type") != "object":
        yield f"{at}.type", "must be “object”: arguments have names"
        return
    if (problem := schemas.problem_of(schema)) is not None:
        path, what = problem
        yield f"{at}.{dotted(path)}" if path else at, f"is no JSON Schema: {what}"


def _named(
    settings: Mapping[str, Any], at: str, fields: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Settings that only name what the operator, or everybody, has: a server, tools, hosts."""
    for name, value in settings.items():
        if name not in fields:
            yield f"{at}.{name}", "there is no such field"
        elif name == "server" and not isinstance(value, str):
            yield f"{at}.{name}", "must be a text"
        elif name == "allow" and not (
            isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        ):
            yield f"{at}.{name}", "must be a list of texts"


def _of_http(settings: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    for name in settings:
        if name not in _OF_HTTP:
            yield f"{at}.{name}", "there is no such field"
    if settings.get("method", "POST") != "POST":
        yield f"{at}.method", "must be POST"
    url = settings.get("url")
    if url is None:
        yield f"{at}.url", "is missing"
    elif not isinstance(url, str):
        yield f"{at}.url", "must be a text"
    elif (problem := addresses.problem_of(url)) is not None:
        yield f"{at}.url", problem
