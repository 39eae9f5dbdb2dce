"""Prints the wire as one JSON Schema document: ``python -m greenroom.wire.schema``.

The TypeScript types of the client are generated from what is printed here (``make wire``),
so that a name means one thing in Python and in the browser.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from greenroom.wire import events, http, tools
from greenroom.wire.base import WIRE_VERSION, WireModel
from greenroom.wire.events import (
    EPHEMERAL_DATA,
    EVENT_DATA,
    EphemeralEvent,
    EphemeralType,
    Event,
    EventType,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONSTANTS: dict[str, int | float] = {
    "WIRE_VERSION": WIRE_VERSION,
    "MAX_SDP_CHARS": http.MAX_SDP_CHARS,
    "HEARTBEAT_S": http.HEARTBEAT_S,
    "TICKET_LIFETIME_S": http.TICKET_LIFETIME_S,
    "WS_BAD_TICKET": http.WS_BAD_TICKET,
    "WS_BAD_ORIGIN": http.WS_BAD_ORIGIN,
    "WS_TOO_SLOW": http.WS_TOO_SLOW,
    "WS_TOO_MANY": http.WS_TOO_MANY,
    "MAX_RESULT_BYTES": tools.MAX_RESULT_BYTES,
    "MAX_TOOL_TIMEOUT_S": tools.MAX_TIMEOUT_S,
}


def document() -> dict[str, Any]:
    """Everything that browsers and applications exchange with Greenroom, as one document.

    Returns:
        A JSON Schema whose ``$defs`` hold every model of `greenroom.wire.events` and
        `greenroom.wire.http`; ``TypedEvent`` (an `Event` whose ``type`` tells the shape of its
        ``data``); and, under ``x-constants``, the numbers that both sides must agree on.
    """
    models = [*_models_of(events), *_models_of(http), *_models_of(tools)]
    _, schema = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions: dict[str, Any] = _without_titles(schema["$defs"])
    by_name = {model.__name__: model for model in WireModel.__subclasses__()}
    for name, definition in definitions.items():
        if name in by_name:
            definition["required"] = _always_present(by_name[name])
    for names in (EventType, EphemeralType):
        definitions[names.__name__] = {
            "description": inspect.getdoc(names),
            "type": "string",
            "enum": [member.value for member in names],
        }
    definitions |= _typed(Event, EVENT_DATA, definitions)
    definitions |= _typed(EphemeralEvent, EPHEMERAL_DATA, definitions)
    return {
        "$schema": DIALECT,
        "title": "Wire",
        "description": "Generated from src/greenroom/wire by `make wire`. Do not edit.",
        "x-constants": CONSTANTS,
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """`document` as it is committed: indented JSON with a final line break."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _models_of(module: ModuleType) -> list[type[BaseModel]]:
    """The messages that a module defines itself, in the order of their definition."""
    return [
        member
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, WireModel)
        and member.__module__ == module.__name__
    ]


def _always_present(model: type[BaseModel]) -> list[str]:
    """The fields that our own peers always send: all but those that may be null.

    `WireModel.to_json` leaves nulls out and writes every other default.
    """
    return [
        field.alias or name
        for name, field in model.model_fields.items()
        if field.is_required() or field.get_default(call_default_factory=True) is not None
    ]


def _without_titles(schema: Any) -> Any:
    """A schema without pydantic's titles, which only repeat the names of the fields.

    A *property* called title has an object as its value and stays.
    """
    if isinstance(schema, dict):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema


def _typed(
    model: type[WireModel], shapes: Mapping[str, type[WireModel]], definitions: dict[str, Any]
) -> dict[str, Any]:
    """One definition per known event, and their discriminated union (``TypedEvent``)."""
    event = definitions[model.__name__]
    named = {
        _event_name(kind): {
            **event,
            "description": inspect.getdoc(data),
            "properties": {
                **event["properties"],
                "type": {"type": "string", "const": str(kind)},
                "data": {"$ref": f"#/$defs/{data.__name__}"},
            },
        }
        for kind, data in shapes.items()
    }
    union = {
        "description": f"An {model.__name__} whose type tells the shape of its data.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in named],
    }
    return {**named, f"Typed{model.__name__}": union}


def _event_name(kind: str) -> str:
    """``voice.session.end`` becomes ``VoiceSessionEndEvent``."""
    return "".join(part.capitalize() for part in kind.split(".")) + "Event"


if __name__ == "__main__":
    sys.stdout.write(text())
