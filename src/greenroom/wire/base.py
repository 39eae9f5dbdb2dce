"""What every message on the wire has in common: camelCase JSON, strict fields, a version."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

WIRE_VERSION = 1


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
    """How long it is as JSON; raises `ValueError` if it cannot be: infinity, half a character."""
    return len(json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
