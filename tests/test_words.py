"""Whatever keeps a start from being one, the client says what to do, and the page has a heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom import errors as e

WEB = Path(__file__).parents[1] / "web"
CLIENT, PAGE = WEB / "packages/client/src/words.ts", WEB / "apps/talk/src/words.ts"
# Why somebody who presses the button may not talk, though nothing is wrong with what they sent.
REFUSALS: list[type[e.GreenroomError]] = [
    *e.LimitReached.__subclasses__(),
    e.BudgetUsedUp,
    e.Halted,
    e.Draining,
    e.LaunchFailed,
    e.BotSilent,
]


@pytest.mark.parametrize("words", [CLIENT, PAGE], ids=["client", "page"])
def test_every_refusal_of_a_start_has_words(words: Path) -> None:
    known = set(re.findall(r"^  ([a-z_]+): ", words.read_text(), re.MULTILINE))
    assert {error.code for error in REFUSALS} - known == set()
