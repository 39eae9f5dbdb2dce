"""The report of a check-up: a table for people, JSON for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from greenroom.doctor.finding import Finding, Level

_SIGNS = {
    Level.OK: "[green]✓[/green]",
    Level.WARNING: "[yellow]![/yellow]",
    Level.PROBLEM: "[red]✗[/red]",
}


def as_table(findings: Sequence[Finding]) -> Table:
    """One row a finding, with how to mend it below what was found."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("sign", no_wrap=True)
    table.add_column("check", no_wrap=True, style="bold")
    table.add_column("message", overflow="fold")
    for finding in findings:
        told = escape(finding.message)
        if finding.mend:
            told += f"\n[cyan]→[/cyan] {escape(finding.mend)}"
        table.add_row(_SIGNS[finding.level], finding.check, told)
    return table


def as_json(findings: Sequence[Finding]) -> str:
    """``{"healthy": …, "findings": [{"check", "level", "message", "mend"}]}``."""
    told = [asdict(finding) for finding in findings]
    return json.dumps({"healthy": is_healthy(findings), "findings": told}, indent=2)


def summary(findings: Sequence[Finding]) -> str:
    """One line: how many problems and warnings there are."""
    levels = Counter(finding.level for finding in findings)
    problems, warnings = levels[Level.PROBLEM], levels[Level.WARNING]
    if not problems and not warnings:
        return "All is well."
    told = [_counted(problems, "problem")] if problems else []
    told += [_counted(warnings, "warning")] if warnings else []
    return " and ".join(told) + "."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether there is no problem; warnings may be."""
    return all(finding.level is not Level.PROBLEM for finding in findings)
