"""One call of `bench/talk.py`: a page is opened, clicked, heard, spoken to, heard again, closed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.calls.bot import QUESTION
from bench.calls.peers import Setup
from playwright.async_api import Browser
from tests.e2e.person import Person, a_person

MARKS_JS = Path(__file__).with_name("marks.js")
HEARD_WITHIN_S = 15.0
ANSWERED_WITHIN_S = 4.0
MOST_TRIES = 3
SETTLED_WITHIN_S = 15.0
# What a page still does after it was loaded is not what is measured.
IDLE_BEFORE_CLICK_S = 0.5
CLICK_AFTER_S = 0.2
_LOOK_EVERY_S = 0.05

# All pages of a round click at the same moment of the clock, and the test tool does nothing then.
_CLICK_AT = "(element, atMs) => setTimeout(() => element.click(), atMs - Date.now())"


@dataclass
class Call:
    """What one call took.

    Attributes:
        setup: The name of its `Setup`.
        together: How many calls began with it.
        first_sound_ms: From the click to the first sound that the page played.
        answer_ms: From the end of the user's words to the first sound of the answer.
        steps: When page and bot reached what, in milliseconds after the click.
        answer_steps: The same of the answer, after the end of the user's words.
        tries: How often the words were said until they were answered.
    """

    setup: str
    together: int
    first_sound_ms: float = 0.0
    answer_ms: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    answer_steps: dict[str, float] = field(default_factory=dict)
    tries: int = 0

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Call:
        """What `to_json` wrote."""
        return cls(**json.loads(line))


async def call_together(browser: Browser, setup: Setup, count: int) -> list[Call]:
    """So many visitors click at the same moment, listen, speak and hang up."""
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(a_person(browser, setup.url, [MARKS_JS]))
            for _ in range(count)
        ]
        for person in people:
            await person.page.keyboard.press("Tab")  # a page may make a sound once it was touched
        await asyncio.sleep(IDLE_BEFORE_CLICK_S)
        click_at_ms = (time.time() + CLICK_AFTER_S) * 1000
        for person in people:
            await _button(person, setup.talk).evaluate(_CLICK_AT, click_at_ms)
        calls = await asyncio.gather(*(_talk(person, setup, count) for person in people))
        for person in people:
            await _button(person, setup.hang_up).click()
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while not await setup.settled():
                await asyncio.sleep(_LOOK_EVERY_S)
        return calls


def _button(person: Person, name: str) -> Any:
    return person.page.get_by_role("button", name=name, exact=True)


async def _talk(person: Person, setup: Setup, together: int) -> Call:
    call = Call(setup.name, together)
    heard_ms = await person.ears.wait_for_speech(HEARD_WITHIN_S)
    await person.ears.utterance(HEARD_WITHIN_S)
    marks = await person.page.evaluate("window.__marks")
    clicked_ms = marks["click"]
    call.first_sound_ms = heard_ms - clicked_ms
    session_id = await person.page.evaluate(setup.session_id)
    steps = {**marks, **_noted(setup.marks, session_id, after_ms=clicked_ms)}
    call.steps = {step: at_ms - clicked_ms for step, at_ms in steps.items()}
    await _answer(person, setup, call, session_id)
    return call


async def _answer(person: Person, setup: Setup, call: Call, session_id: str) -> None:
    for call.tries in range(1, MOST_TRIES + 1):
        said = await person.say(QUESTION)
        person.ears.attention_ms = said.ended_ms
        try:
            heard_ms = await person.ears.wait_for_speech(ANSWERED_WITHIN_S)
        except TimeoutError:
            continue
        call.answer_ms = heard_ms - said.ended_ms
        noted = _noted(setup.marks, session_id, after_ms=said.began_ms)
        call.answer_steps = {step: at_ms - said.ended_ms for step, at_ms in noted.items()}
        return
    raise AssertionError(f"“{QUESTION}” was not answered ({setup.name})")


def _noted(path: Path, session_id: str, after_ms: float) -> dict[str, float]:
    """What the session's bot has noted since then; of each step the first time."""
    steps: dict[str, float] = {}
    for line in path.read_text().splitlines():
        note = json.loads(line)
        if note["session"] == session_id and note["at_ms"] >= after_ms:
            steps.setdefault(note["step"], note["at_ms"])
    return steps


def load(path: Path) -> list[Call]:
    """The calls that were kept in a file; none if there is no file."""
    lines: Sequence[str] = path.read_text().splitlines() if path.exists() else ()
    return [Call.from_json(line) for line in lines]
