"""Addresses in records, of services and tools: what none can be called by is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from greenroom.assistants.paths import Path, leaves
from greenroom.wire.webhooks import MAX_URL_CHARS

HTTP = ("https", "http")
_OF_SERVICES = (*HTTP, "wss", "ws", "grpc", "grpcs")
# Settings of services that hold an address: whole, or, with some services, without its scheme.
_WHOLE = re.compile(r"(?:url|uri|endpoint|host|server|address|proxy)$", re.IGNORECASE)
_ALSO_BARE = re.compile(r"(?:url|uri|endpoint)$", re.IGNORECASE)


def problem_of(url: str, schemes: Collection[str] = HTTP) -> str | None:
    """What no server can call. Whether this one may, its own settings say."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in schemes or not parts.hostname or not url.isascii():
        return "must begin with https:// (or http://), then a host, and be in ASCII"
    if "@" in parts.netloc or parts.fragment:
        return "must have no user name, password or fragment"
    # `https://x:/` has a port that is none.
    if port == 0 or parts.netloc.endswith(":"):
        return "is no address"
    if len(url) > MAX_URL_CHARS or not url.isprintable() or " " in url or "\\" in url:
        return "is no address"
    return None


def problems_of_service(settings: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the addresses in a service's settings, by the path within them."""
    for path, value in leaves(settings):
        name = next((part for part in reversed(path) if isinstance(part, str)), "")
        if not isinstance(value, str) or not _WHOLE.search(name):
            continue
        bare = "://" not in value and not value.startswith("//")
        if bare and not _ALSO_BARE.search(name):
            continue
        problem = problem_of(f"https://{value}" if bare else value, _OF_SERVICES)
        if problem is not None:
            yield path, problem
