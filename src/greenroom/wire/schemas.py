"""JSON Schemas that records describe tools' arguments with: are they any, and what matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_PROBLEM_CHARS = 200

Problem = tuple[tuple[Any, ...], str]
"""The path of a field, and what is wrong with it."""


class LeadsNowhere(Exception):
    """A schema refers to what is not in it, or to itself."""


def problem_of(schema: Mapping[str, Any]) -> Problem | None:
    """Why this is no JSON Schema; None: it is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return tuple(error.absolute_path), error.message[:MAX_PROBLEM_CHARS]
    return None


def mismatches(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[Problem]:
    """What of a call's arguments a schema does not allow.

    An address that the schema mentions is not reached for.

    Raises:
        LeadsNowhere: It cannot be told.
    """
    try:
        for error in Draft202012Validator(schema, registry=Registry()).iter_errors(arguments):
            yield tuple(error.absolute_path), error.message
    except (Unresolvable, RecursionError):
        raise LeadsNowhere from None
