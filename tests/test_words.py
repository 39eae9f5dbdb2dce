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
    e.ConsentNeeded,
    e.AssistantNotReady,
    e.AssistantDisabled,
    e.RoomsUnavailable,
]


@pytest.mark.parametrize("words", [CLIENT, PAGE], ids=["client", "page"])
def test_every_refusal_of_a_start_has_words(words: Path) -> None:
    text = words.read_text()
    known = set(re.findall(r"^  ([a-z_]+): ", text, re.MULTILINE))
    # Of limits the client tells only the kinds apart, by their codes' form.
    forms = re.findall(r"/(\S+)/\.test\(code\)", text)
    wordless = {error.code for error in REFUSALS} - known
    assert [code for code in wordless if not any(re.search(form, code) for form in forms)] == []
