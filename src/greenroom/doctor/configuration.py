"""The settings: names that nobody reads, and secrets that are missing, short or known."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.errors import GreenroomError
from greenroom.settings import MAKE_SECRET, MIN_SECRET_CHARS, Settings

PREFIX = "GREENROOM_"
# What `greenroom relay` and `greenroom listen` read beside the settings.
_OF_COMMANDS = ("RELAY_URL", "RELAY_TOKEN", "RELAY_SECRET")
KNOWN = frozenset(PREFIX + name.upper() for name in (*Settings.model_fields, *_OF_COMMANDS))
# Parts of values that stand in examples and tutorials.
_EXAMPLES = (
    "changeme",
    "change-me",
    "change_me",
    "example",
    "password",
    "your-",
    "your_",
    "secret",
)
_FEWEST_DISTINCT_CHARS = 10


def names(environment: Mapping[str, str], known: Collection[str]) -> list[Finding]:
    """Variables that look like settings and are none: somebody believes that they do something.

    Args:
        environment: The variables.
        known: The full names of all settings.
    """
    found = [
        warning("settings", f"{name} is no setting; nobody reads it.", _meant(name, known))
        for name in sorted(environment)
        if name not in known and (name.startswith(PREFIX) or _nearly(name, known))
    ]
    return found or [ok("settings", f"{_count(environment, known)} set, all of them known")]


def _count(environment: Mapping[str, str], known: Collection[str]) -> int:
    return sum(name in known for name in environment)


def _nearly(name: str, known: Collection[str]) -> bool:
    """A slip in the prefix itself, like GREENROM_PORT."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return name.startswith("GREEN") and bool(close)


def _meant(name: str, known: Collection[str]) -> str:
    # Without the prefix, which would make all of them alike.
    rests = {setting.removeprefix(PREFIX): setting for setting in known}
    rest = name.removeprefix(PREFIX) if name.startswith(PREFIX) else name.partition("_")[2]
    nearest = difflib.get_close_matches(rest, rests, n=1)
    if not nearest:
        return f"Unset it; the README lists every {PREFIX}… setting."
    return f"Did you mean {rests[nearest[0]]}?"


def unreadable(error: GreenroomError) -> Finding:
    """The settings cannot be read at all; the error names the first that is wrong."""
    return problem("settings", error.message, "Correct that variable, or unset it.")


def secret(value: str | None, *, host: str, host_is_loopback: bool) -> Finding:
    """Whether the installation's secret is there, long enough and nobody else's.

    Args:
        value: As set; None if it is not.
        host: The address that the server listens on.
        host_is_loopback: Whether only this machine can reach it.
    """
    mend = f"Make one: {MAKE_SECRET}"
    if value is None:
        if host_is_loopback:
            return ok("secret", "not set: one is made and kept in the state folder")
        message = f"GREENROOM_SECRET is not set, and {host} can be reached from other machines."
        return problem("secret", message, mend)
    if not value.strip():
        return problem("secret", "GREENROOM_SECRET is set, and empty.", f"Unset it, or: {mend}")
    if len(value) < MIN_SECRET_CHARS:
        message = f"GREENROOM_SECRET has {len(value)} characters of {MIN_SECRET_CHARS}."
        return problem("secret", message, mend)
    if any(known in value.lower() for known in _EXAMPLES):
        return problem("secret", "GREENROOM_SECRET looks like an example from a text.", mend)
    if len(set(value)) < _FEWEST_DISTINCT_CHARS:
        message = "GREENROOM_SECRET consists of few different characters: it can be guessed."
        return problem("secret", message, mend)
    return ok("secret", f"GREENROOM_SECRET, {len(value)} characters")


def kept_secret(path: Path) -> list[Finding]:
    """Whether the secret that was made on loopback is for its owner's eyes only."""
    if not path.is_file():
        return []
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        message = f"{path} can be read by other users of this machine."
        return [problem("secret", message, f"Run: chmod 600 {path}")]
    if not path.read_text().strip():
        message = f"{path} is empty: everybody can sign tokens."
        return [problem("secret", message, f"Remove it; a new one is made at the start: rm {path}")]
    return []
