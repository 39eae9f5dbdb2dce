"""The values of a scripted dialogue, and the places in texts and arguments where they go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from greenroom.bot.deck import in_words
from greenroom.wire.script import PLACE

Values = Mapping[str, Any]


def find(values: Values, path: str) -> Any:
    """What stands at ``name.field.field``; None if nothing does."""
    found: Any = values
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def filled(template: Any, values: Values) -> Any:
    """Arguments or data with their values; a text that is one place is that value as it is."""
    if isinstance(template, Mapping):
        return {name: filled(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [filled(inner, values) for inner in template]
    if not isinstance(template, str):
        return template
    if whole := PLACE.fullmatch(template):
        return find(values, whole[1])
    return said(template, values)


def said(text: str, values: Values) -> str:
    """A text with its values as they are spoken; what has no words leaves none."""
    return PLACE.sub(lambda place: _words(find(values, place[1])), text)


def spoken(text: str) -> str:
    """Words as a recogniser tells them: lower-case, numbers in words, no punctuation."""
    words = re.findall(r"[a-z']+|[0-9]+", text.lower())
    return " ".join(_number(word) if word.isdecimal() else word for word in words)


def _number(digits: str) -> str:
    return in_words(int(digits)) if len(digits) <= 3 else " ".join(map(in_words, map(int, digits)))


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return ", ".join(_words(one) for one in value) if isinstance(value, list) else ""
