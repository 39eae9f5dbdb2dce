"""One goodbye: a call, the word, the farewell heard to its end, and what everybody noted."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.chain.notes import noted
from playwright.async_api import Browser
from tests.e2e.person import Person, Said, a_person
from tests.e2e.server import Server

HERE = Path(__file__).parent
HEARD_WITHIN_S = 15.0
ANSWERED_WITHIN_S = 4.0
BETWEEN_SENTENCES_MS = 700.0
MOST_TRIES = 4
ASKED = 20
_NOW = "performance.timeOrigin + performance.now()"


@dataclass
class Goodbye:
    """One round.

    Attributes:
        steps: When each step was reached, in milliseconds after the recogniser's word.
        ahead_ms: By how much the page's clock is ahead of the machine's: no less, and no more.
    """

    steps: dict[str, float] = field(default_factory=dict)
    ahead_ms: tuple[float, float] = (0.0, 0.0)


class NotingServer(Server):
    """The server of `bench/chain/server.py`, whose bots are those of `bench/chain/bot.py`."""

    def command(self) -> list[str]:
        """The command line up to its arguments."""
        return [sys.executable, str(HERE / "server.py"), "serve"]


async def clock_of(person: Person) -> tuple[float, float]:
    """Within which bounds the page's clock is ahead of ours: asked again and again.

    The page's answer was made between the question and its coming back, whatever took how long.
    """
    at_least, at_most = -float("inf"), float("inf")
    for _ in range(ASKED):
        asked_ms = time.time() * 1000
        page_ms = float(await person.page.evaluate(_NOW))
        at_most = min(at_most, page_ms - asked_ms)
        at_least = max(at_least, page_ms - time.time() * 1000)
    return at_least, at_most


async def say_goodbye(browser: Browser, server: Server, notes: Path) -> Goodbye:
    """A visitor calls, is greeted, says goodbye, and stays until the page has shown the end."""
    async with a_person(browser, server.url, [HERE / "page.js"]) as person:
        clock = await clock_of(person)
        await person.click("talk")
        await person.ears.utterance(HEARD_WITHIN_S, BETWEEN_SENTENCES_MS)
        said = await _until_understood(person, notes)
        person.ears.attention_ms = said.ended_ms
        farewell = await person.ears.utterance(HEARD_WITHIN_S, BETWEEN_SENTENCES_MS)
        await person.see("notice", code="goodbye", timeout_s=HEARD_WITHIN_S)
        steps = noted(notes, said.began_ms)
        steps |= {note["step"]: note["at_ms"] for note in await person.page.evaluate("__chain")}
        steps["last sound into the microphone"] = said.ended_ms
        steps["farewell begins"] = farewell.began_ms
        steps["farewell heard"] = farewell.ended_ms
        after = await clock_of(person)
    word_ms = steps["word"]
    relative = {step: at_ms - word_ms for step, at_ms in steps.items()}
    return Goodbye(relative, (max(clock[0], after[0]), min(clock[1], after[1])))


async def _until_understood(person: Person, notes: Path) -> Said:
    for _ in range(MOST_TRIES):
        said = await person.say("goodbye")
        deadline_s = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < deadline_s:
            if "word" in noted(notes, said.began_ms):
                return said
            await asyncio.sleep(0.05)
    raise AssertionError("“goodbye” was not understood")
