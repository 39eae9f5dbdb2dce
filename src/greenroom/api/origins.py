"""Which pages may ask: our own, and those of the origins that the settings name."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request
from starlette.requests import HTTPConnection

from greenroom.errors import Forbidden


def is_allowed_origin(connection: HTTPConnection, allowed: Collection[str]) -> bool:
    """Whether the page that asks is ours, or one that the settings name.

    Programs send no Origin; they have no cookie of somebody's browser to misuse either.
    """
    origin = connection.headers.get("origin")
    if origin is None or origin in allowed:
        return True
    try:
        host = urlsplit(origin).netloc
    except ValueError:  # not even an address
        return False
    return bool(host) and host == connection.headers.get("host")


def refuse_foreign_pages(request: Request) -> None:
    """Dependency: a page of another origin must not start bots in its visitor's name.

    A browser asks beforehand (CORS) only if a request is unusual; a bare POST is not.

    Raises:
        Forbidden: The page is of an origin that the settings do not name.
    """
    if not is_allowed_origin(request, request.app.state.origins):
        raise Forbidden("Pages of this origin may not ask here. Name it in GREENROOM_ORIGINS.")
