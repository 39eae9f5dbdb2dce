"""docs/failures.md: every row has tests, and each test named there exists and names its row."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_LINE = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([^`]+)::([^`]+)`")
_NAMED = re.compile(r"\bFAILURES (\d+(?:(?:, | and | to )\d+)*)")


@dataclass(frozen=True, slots=True)
class Named:
    """A test that a row names."""

    row: int
    file: str
    test: str


def rows() -> dict[int, list[Named]]:
    text = (ROOT / "docs" / "failures.md").read_text()
    return {
        int(row): [Named(int(row), *found) for found in _TEST.findall(tests)]
        for row, _, tests in _LINE.findall(text)
    }


NAMED = [named for tests in rows().values() for named in tests]


def test_every_row_has_a_test() -> None:
    assert set(rows()) == set(range(1, 31))
    assert [row for row, tests in rows().items() if not tests] == []


@pytest.mark.parametrize("named", NAMED, ids=lambda named: f"{named.row}-{named.test}")
def test_what_is_named_exists_and_says_which_row_it_is(named: Named) -> None:
    path = ROOT / named.file
    assert path.is_file()
    if path.suffix == ".ts":
        assert re.search(rf"test\('{named.test}: ", path.read_text())
        return
    docstrings = docstrings_of(path)
    assert named.test in docstrings, "there is no such test"
    said = rows_in(docstrings[named.test]) | rows_in(docstrings[""])
    assert named.row in said


@cache
def docstrings_of(path: Path) -> dict[str, str]:
    """Of every function of a file; the file's own under the empty name."""
    tree = ast.parse(path.read_text())
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    told = {function.name: ast.get_docstring(function) or "" for function in functions}
    return {**told, "": ast.get_docstring(tree) or ""}


def rows_in(text: str) -> set[int]:
    """``FAILURES 20, 21 and 23`` are three rows, ``FAILURES 16 to 24`` are nine."""
    found: set[int] = set()
    for named in _NAMED.findall(text):
        for part in re.split(r", | and ", named):
            first, _, last = part.partition(" to ")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_rows_are_read_as_they_are_written() -> None:
    assert rows_in("FAILURES 20, 21 and 23: the server dies. FAILURES 5.") == {5, 20, 21, 23}
    assert rows_in("FAILURES 16 to 18 at once, 9 times") == {16, 17, 18}
    assert rows_in("MOST_FAILURES 3 of them; failures 4") == set()
