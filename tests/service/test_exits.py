"""What is logged of a bot that broke: which exception, and where; never what it said."""

from __future__ import annotations

import traceback

from greenroom.service.exits import where_it_broke


def _last_words(error: Exception) -> str:
    try:
        try:
            raise error
        except ValueError as inner:
            raise RuntimeError(f"about {inner}") from inner
    except Exception:
        return f"2026-12-01 | INFO | started\n{traceback.format_exc()}"


def test_the_last_exception_and_its_line_are_named_and_not_its_words() -> None:
    broke = where_it_broke(_last_words(KeyError("my secret")))
    assert broke is not None
    assert broke.startswith("KeyError, ")
    assert f"{__file__}:" in broke
    assert "secret" not in broke
    chained = where_it_broke(_last_words(ValueError("my\nsecret lines")))
    assert chained is not None
    assert chained.startswith("RuntimeError, ")


def test_a_program_that_raised_nothing_broke_nowhere() -> None:
    assert where_it_broke("") is None
    assert where_it_broke("2026-12-01 | INFO | goodbye\nKilled\n") is None
