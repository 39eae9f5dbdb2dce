"""Secrets that get from the layer of the server into that of the page, or that of the bots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.wire.link import IceServer

SERVER_TO_PAGE = "server → page"
SERVER_TO_BOTS = "server → bots"

# Tools that build pages copy variables of these names into what every visitor loads.
_INTO_PAGES = re.compile(r"^(VITE|NEXT_PUBLIC|REACT_APP|PUBLIC|EXPO_PUBLIC|NUXT_PUBLIC|GATSBY)_")
_LIKE_A_SECRET = re.compile(r"(API_?KEY|SECRET|TOKEN|PASSWORD|PRIVATE_?KEY)", re.IGNORECASE)
# Keys that are meant for pages say so.
_MEANT_FOR_PAGES = re.compile(r"(PUBLIC|PUBLISHABLE|ANON)_?(API_?)?(KEY|TOKEN)", re.IGNORECASE)
# Anything shorter is found in every file.
_LEAST_CHARS = 12


def server_secrets(
    secret: str | None,
    database_url: str | None,
    kept_secret: str | None,
    daily_api_key: str | None = None,
) -> dict[str, str]:
    """What only the server may know: what it is called, and its value."""
    password = urlsplit(database_url).password if database_url else None
    named = {
        "GREENROOM_SECRET": secret,
        "the secret in the state folder": kept_secret,
        "GREENROOM_DAILY_API_KEY": daily_api_key,
        "the password of GREENROOM_DATABASE_URL": unquote(password) if password else None,
    }
    return {name: value for name, value in named.items() if value and value.strip()}


def keys_in(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold somebody's key, by their names; settings of ours left out."""
    return {
        name: value
        for name, value in environment.items()
        if _LIKE_A_SECRET.search(name)
        and not _MEANT_FOR_PAGES.search(name)
        and not name.startswith("GREENROOM_")
        and len(value) >= _LEAST_CHARS
        and "/" not in value[:1]  # where a key is kept is no secret
    }


def page_files(folder: Path, secrets: Mapping[str, str]) -> list[Finding]:
    """Secrets whose value stands in a file that every visitor can load."""
    sought = {n: v.encode() for n, v in secrets.items() if len(v) >= _LEAST_CHARS}
    found: list[Finding] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        content = path.read_bytes()
        found += [
            problem(
                SERVER_TO_PAGE,
                f"The value of {name} stands in {path.relative_to(folder)}.",
                "Take it out of the page's sources, build again, and replace that secret.",
            )
            for name, value in sought.items()
            if value in content
        ]
    return found or [ok(SERVER_TO_PAGE, f"no secret in the page's {len(files)} files")]


def variables_for_pages(environment: Mapping[str, str]) -> list[Finding]:
    """Variables whose names have build tools put their values into a page."""
    return [
        problem(
            SERVER_TO_PAGE,
            f"{name} looks like a secret, and its prefix makes build tools put it into the page.",
            f"Rename it: {_INTO_PAGES.sub('', name)} stays on the server.",
        )
        for name in sorted(environment)
        if _INTO_PAGES.match(name)
        and _LIKE_A_SECRET.search(rest := _INTO_PAGES.sub("", name))
        and not _MEANT_FOR_PAGES.search(rest)
    ]


def page_config(
    ice_servers: Sequence[IceServer], secrets: Mapping[str, str], *, host_is_loopback: bool
) -> list[Finding]:
    """What ``GET /api/voice/config`` tells every page."""
    found: list[Finding] = []
    credentials = {server.credential for server in ice_servers if server.credential}
    for name, value in secrets.items():
        if value in credentials:
            message = f"GREENROOM_ICE_SERVERS gives every page the value of {name}."
            mend = "Give the TURN server a credential of its own."
            found.append(problem(SERVER_TO_PAGE, message, mend))
    if credentials and not found and not host_is_loopback:
        message = "Every page is told the TURN server's credential, as it must be."
        mend = "Let it be short-lived, so that nobody else's calls run over that server for long."
        found.append(warning(SERVER_TO_PAGE, message, mend))
    return found


def bots_environment(environment: Mapping[str, str], secrets: Mapping[str, str]) -> list[Finding]:
    """The server's secrets under other names: bots get every variable but ``GREENROOM_…``.

    Args:
        environment: What bots get.
        secrets: What only the server may know.
    """
    found = [
        problem(
            SERVER_TO_BOTS,
            f"{variable} holds the value of {name}, and every bot gets it.",
            f"Unset {variable}; the server does not need it.",
        )
        for name, value in secrets.items()
        for variable, content in sorted(environment.items())
        if len(value) >= _LEAST_CHARS and value in content
    ]
    return found or [ok(SERVER_TO_BOTS, "bots get none of the server's secrets")]


def dotenv(path: Path) -> list[Finding]:
    """A ``.env`` file beside a bot: bots load it, so that it must not hold the server's secrets."""
    if not path.is_file():
        return []
    lines = path.read_text(errors="replace").splitlines()
    ours = [
        name
        for name in ("GREENROOM_SECRET", "GREENROOM_DATABASE_URL")
        if any(re.match(rf"\s*(export\s+)?{name}\s*=", line) for line in lines)
    ]
    return [
        warning(
            SERVER_TO_BOTS,
            f"{path} sets {name}; a bot that loads this file knows it.",
            "Keep it where only the server is started from: a service's unit, a secret store.",
        )
        for name in ours
    ]
