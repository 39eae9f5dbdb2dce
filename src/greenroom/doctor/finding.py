"""What a check has found, how bad it is, and how to mend it in one line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. A problem keeps calls from working, or from being safe."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: What was looked at.
        level: How bad it is.
        message: What was found; no secret's value is ever in it.
        mend: What to do about it; empty if all is well.
    """

    check: str
    level: Level
    message: str
    mend: str = ""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, message)


def warning(check: str, message: str, mend: str) -> Finding:
    """It works, but not as somebody would wish."""
    return Finding(check, Level.WARNING, message, mend)


def problem(check: str, message: str, mend: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(check, Level.PROBLEM, message, mend)
