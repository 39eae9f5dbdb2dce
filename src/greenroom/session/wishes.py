"""What a start may ask for beside its assistant's limits: less, or more up to a ceiling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from greenroom.errors import BadRequest
from greenroom.session.model import Limits

# Where nothing at all can be meant, rather than "at once".
_MAY_BE_NOTHING = ("persistence_s",)


def wished(limits: Limits, ceilings: Limits, wishes: Mapping[str, float]) -> Limits:
    """The limits of a session that was asked for with wishes.

    Args:
        limits: Those of its assistant.
        ceilings: The most that may be asked for.
        wishes: Fields of `Limits` and their wanted values, in seconds.

    Raises:
        BadRequest: A wish is no time, or above its ceiling. It names the field; nothing is
            silently made smaller, since whoever asked would plan with what they did not get.
    """
    for name, wish_s in wishes.items():
        field = f"limits.{_as_in_json(name)}"
        least = "not below 0" if name in _MAY_BE_NOTHING else "above 0"
        too_small = wish_s < 0 or (wish_s == 0 and name not in _MAY_BE_NOTHING)
        if not math.isfinite(wish_s) or too_small:
            raise BadRequest(f"“{field}” must be a number of seconds, {least}.", field=field)
        most_s = max(getattr(ceilings, name), getattr(limits, name))
        if wish_s > most_s:
            raise BadRequest(f"“{field}” may be at most {most_s:g} here.", field=field, most=most_s)
    return replace(limits, **wishes)


def _as_in_json(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
