"""Paths of fields as people read them: ``tts.settings.speed``, ``tools[2].name``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

Path = tuple[Any, ...]


def dotted(path: Iterable[Any]) -> str:
    """A path as it is written: names with dots between them, numbers in brackets."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            written += f".{part}" if written else str(part)
    return written


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is no object, with its path; an empty object is one, too."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def is_field(model: type[BaseModel], path: str) -> bool:
    """Whether a model has a field of this path, as far down as it says what there is."""
    first, _, rest = path.partition(".")
    by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
    field = by_alias.get(first)
    if field is None:
        return False
    if not rest:
        return True
    kinds = (field.annotation, *get_args(field.annotation))
    inner = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
    if inner is not None:
        return is_field(inner, rest)
    # An open object may have anything in it; a text or a list has no fields.
    return any(getattr(kind, "__origin__", kind) is dict for kind in kinds)
