"""What a start, or somebody later, changes of a record: only to what that could say itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.assistants.paths import dotted, leaves
from greenroom.assistants.records import covers, parse
from greenroom.errors import BadOverride, BadRecord, OverrideNotAllowed
from greenroom.wire.assistants import AssistantRecord, as_data

# A start is no way to send a whole record.
MOST_OVERRIDES = 200
_OF_A_START = "overrides."


def overridden(record: AssistantRecord, overrides: Mapping[str, Any]) -> AssistantRecord:
    """The record of one session.

    Args:
        record: As it is published.
        overrides: Shaped as a record. Objects are merged, everything else is replaced; ``null``
            takes a field out.

    Raises:
        OverrideNotAllowed: The record does not allow it; the error names the field's path.
        BadOverride: It is allowed, and what it says is wrong.
    """
    _check(overrides, record.overrides, _OF_A_START)
    return _read(_merged(as_data(record), overrides), record.name, _OF_A_START)


def adjusted(
    told: Mapping[str, Any],
    changes: Mapping[str, Any],
    *,
    name: str,
    allowed: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What the bot of a running session is told of its record from now on.

    Args:
        told: What it was told until now; nothing, if its assistant has no record.
        changes: As the overrides of a start.
        name: The assistant's.
        allowed: The paths that may be changed; None: whoever asks may change any.

    Raises:
        OverrideNotAllowed: It may not be changed; the error names the field's path.
        BadOverride: It may, and what it says is wrong.
    """
    _check(changes, allowed, "")
    return as_data(_read(_merged({"name": name, **told}, changes), None, "").for_bot())


def _check(changes: Mapping[str, Any], allowed: Sequence[str] | None, within: str) -> None:
    wanted = list(leaves(changes))
    if len(wanted) > MOST_OVERRIDES:
        raise BadOverride(
            f"At most {MOST_OVERRIDES} fields can be changed at once.", field=within.rstrip(".")
        )
    if allowed is None:
        return
    for path, _ in wanted:
        field = dotted(path)
        if not any(covers(one, field) for one in allowed):
            who = "a start" if within else "a page"
            raise OverrideNotAllowed(
                f"{within}{field}: this assistant does not let {who} change it",
                field=f"{within}{field}",
                allowed=list(allowed),
            )


def _read(data: dict[str, Any], name: str | None, within: str) -> AssistantRecord:
    try:
        # Its tools were taken with the record, and nothing here changes them.
        return parse(data, name=name, stored=True)
    except BadRecord as error:
        raise BadOverride(f"{within}{error.message}", **_below(error, within)) from None


def _merged(data: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data) if isinstance(data, Mapping) else {}
    for name, value in overrides.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _merged(merged.get(name), value)
        else:
            merged[name] = value
    return merged


def _below(error: BadRecord, within: str) -> dict[str, Any]:
    problems = [
        {**problem, "field": f"{within}{problem['field']}"} for problem in error.detail["problems"]
    ]
    return {"field": problems[0]["field"], "problems": problems}
