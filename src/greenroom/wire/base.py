"""What every message on the wire has in common: camelCase JSON, strict fields, a version."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError, from_json

WIRE_VERSION = 1
# Both ends read JSON nested up to 200 levels, and a message is a few levels around what it carries.
_LEVELS_AROUND = 16


class WireModel(BaseModel):
    """A message on the wire: snake_case in Python, camelCase in JSON.

    Unknown fields are ignored, so that a newer peer can say more than an older one knows.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )

    def to_json(self) -> str:
        """This message as compact JSON text with the names of the wire."""
        try:
            return self.model_dump_json(by_alias=True, exclude_none=True)
        except PydanticSerializationError:
            # Half a character ("\ud800"), which JSON can carry and UTF-8 cannot: what is on record
            # must be tellable, or whoever follows would be stopped there for ever.
            whole = self.model_dump(by_alias=True, exclude_none=True)
            return json.dumps(whole, separators=(",", ":"))


def size_bytes(data: Any) -> int:
    """How long it is as JSON.

    Raises:
        ValueError: It cannot be told: infinity, half a character, or it is nested so deeply that
            nobody could read the message that carries it.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    told = text.encode()
    from_json(b"[" * _LEVELS_AROUND + told + b"]" * _LEVELS_AROUND)
    return len(told)
