"""What one start changes of a record: only what that allows, and only to what it could say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenroom.assistants.paths import dotted, leaves
from greenroom.assistants.records import covers, parse
from greenroom.errors import BadOverride, BadRecord, OverrideNotAllowed
from greenroom.wire.assistants import AssistantRecord, as_data

# A start is no way to send a whole record.
MOST_OVERRIDES = 200


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
    wanted = list(leaves(overrides))
    if len(wanted) > MOST_OVERRIDES:
        raise BadOverride(f"At most {MOST_OVERRIDES} fields can be overridden.", field="overrides")
    for path, _ in wanted:
        field = dotted(path)
        if not any(covers(allowed, field) for allowed in record.overrides):
            raise OverrideNotAllowed(
                f"overrides.{field}: this assistant does not let a start change it",
                field=f"overrides.{field}",
                allowed=record.overrides,
            )
    try:
        return parse(_merged(as_data(record), overrides), name=record.name)
    except BadRecord as error:
        raise BadOverride(f"overrides.{error.message}", **_below(error)) from None


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


def _below(error: BadRecord) -> dict[str, Any]:
    problems = [
        {**problem, "field": f"overrides.{problem['field']}"}
        for problem in error.detail["problems"]
    ]
    return {"field": problems[0]["field"], "problems": problems}
