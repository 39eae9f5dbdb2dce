"""How VAPI refuses: Nest's three fields, and ours beside them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from greenroom.errors import GreenroomError

# Every path of this wire begins so, and every refusal there has its shape.
PREFIX = "/call"


def is_ours(path: str) -> bool:
    """Whether a path is one of this wire's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def refusal(error: GreenroomError) -> tuple[int, dict[str, Any]]:
    """The status and body of a refusal: ``{statusCode, message, error}`` and our own ``code``."""
    phrase = HTTPStatus(error.status).phrase
    return error.status, {**error.as_json(), "statusCode": error.status, "error": phrase}
