"""The machine: Python, the voice, Node for the page, how bots start, cores and memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from greenroom.doctor.finding import Finding, ok, problem, warning

OLDEST_PYTHON = (3, 11)
NEWEST_TESTED_PYTHON = (3, 13)
_MIB = 1024 * 1024
# A live call holds about 37 MB of its own, the models that all share about 300 MB
# (measured; see ARCHITECTURE.md on processes).
CALL_BYTES = 40 * _MIB
MODELS_BYTES = 300 * _MIB
# A call that is silent takes 11 to 19 % of a core.
CALLS_PER_CORE = 5

Which = Callable[[str], str | None]


def python(version: tuple[int, int, int]) -> Finding:
    """Whether this Python is one that Greenroom runs on."""
    shown = ".".join(map(str, version))
    oldest = ".".join(map(str, OLDEST_PYTHON))
    newest = ".".join(map(str, NEWEST_TESTED_PYTHON))
    if version[:2] < OLDEST_PYTHON:
        return problem(
            "python", f"Python {shown} is too old.", f"Install Python {oldest} or newer."
        )
    if version[:2] > NEWEST_TESTED_PYTHON:
        mend = f"If something breaks, use Python {oldest} to {newest}."
        return warning("python", f"Python {shown} is newer than what is tested.", mend)
    return ok("python", f"Python {shown}")


def voice(which: Which) -> Finding:
    """Whether the built-in bot can speak."""
    path = which("espeak-ng")
    if path is None:
        mend = "Install it (sudo apt-get install espeak-ng), or serve a bot with another voice."
        return problem("voice", "espeak-ng is missing: the built-in bot cannot speak.", mend)
    return ok("voice", f"espeak-ng, {path}")


def page(folder: Path, which: Which, version_of: Callable[[str], str]) -> Finding:
    """Whether there is a page to serve; Node is needed only to build one.

    Args:
        folder: Where the built page is.
        which: Finds a program.
        version_of: What a program says to ``--version``.
    """
    if (folder / "index.html").is_file():
        return ok("page", "built, so Node is not needed")
    mend = "From a clone, run: make run  (it builds the page, and brings a Node if there is none)."
    node = which("node")
    if node is None:
        return problem("page", "The page is not built, and there is no Node.js to do it.", mend)
    version = version_of(node).strip()
    recent = _builds_pages(version)
    return problem(
        "page",
        f"The page is not built. Node.js {version} {'can' if recent else 'is too old to'} do it.",
        mend,
    )


def _builds_pages(version: str) -> bool:
    """Vite runs on Node 20.19+ and 22.12+."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return major > 22 or (major == 22 and minor >= 12) or (major == 20 and minor >= 19)


def starting(method: str) -> Finding:
    """How bots come to life here: by a fork of what is loaded, or each anew."""
    if method == "fork":
        return ok("bots start by", "fork: in tens of milliseconds, sharing memory")
    return warning(
        "bots start by",
        f"{method}: forking is not safe on this system; each bot takes seconds and about 100 MB.",
        "For many calls, use Linux.",
    )


def cores(count: int) -> Finding:
    """How many calls the processor carries at once."""
    told = f"{count} core{'s' if count != 1 else ''}: about {count * CALLS_PER_CORE} calls at once"
    if count < 2:
        return warning("cores", told, "With two or more, calls that start do not disturb others.")
    return ok("cores", told)


def memory(available_bytes: int) -> Finding:
    """How many calls the free memory holds."""
    free = f"{available_bytes / _MIB:,.0f} MB free"
    calls = (available_bytes - MODELS_BYTES) // CALL_BYTES
    if calls < 1:
        return problem("memory", f"{free}: not enough for a bot.", "Free about 400 MB.")
    if calls < 5:
        return warning("memory", f"{free}: room for {calls} calls.", "Free about 40 MB a call.")
    return ok("memory", f"{free}: room for about {calls} calls")
