"""What calls measured, told at the end of a test run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Measured = Callable[[str, float, str], None]
_FIGURES = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the calls measured, also when all is well."""
    figures = terminalreporter.config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("measured in whole calls")
        for figure in figures:
            terminalreporter.line(figure)


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> Measured:
    """Notes a figure (its name, value and unit) for the end of the test run."""
    figures = pytestconfig.stash.setdefault(_FIGURES, [])
    return lambda name, value, unit: figures.append(f"{name}: {value:.0f} {unit}")
