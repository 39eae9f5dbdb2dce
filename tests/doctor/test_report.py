"""The report: the same findings for people and for machines, and one exit code."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.doctor.report import as_json, as_table, is_healthy, summary

ALL = [ok("a", "fine"), warning("b", "so [so]", "mend [it]"), problem("c", "bad", "mend c")]


def test_people_see_every_finding_and_its_mend() -> None:
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        console.print(as_table(ALL))
    text = shown.get()
    for part in ("✓", "!", "✗", "fine", "so [so]", "→ mend [it]", "→ mend c"):
        assert part in text


def test_machines_get_the_same() -> None:
    told = json.loads(as_json(ALL))
    assert told["healthy"] is False
    assert told["findings"][1] == {
        "check": "b",
        "level": "warning",
        "message": "so [so]",
        "mend": "mend [it]",
    }


@pytest.mark.parametrize(
    ("findings", "told", "healthy"),
    [
        (ALL[:1], "All is well.", True),
        (ALL[:2], "1 warning.", True),
        (ALL, "1 problem and 1 warning.", False),
        ([*ALL, ALL[2]], "2 problems and 1 warning.", False),
    ],
)
def test_the_summary(findings: list[Finding], told: str, healthy: bool) -> None:
    assert (summary(findings), is_healthy(findings)) == (told, healthy)
