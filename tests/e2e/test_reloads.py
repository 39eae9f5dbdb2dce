"""A page that reloads, or comes back, finds the same bot, hears it again and goes on.

``bench/reload.py`` reloads a hundred times in mid-utterance, and measures it.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest

from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.reloads import AUDIBLE_WITHIN_S, note_connections, reload
from tests.e2e.server import Server, eventually
from tests.e2e.talk import Talk

pytestmark = pytest.mark.e2e

TIMES = 3
# So far into a sentence the page reloads.
INTO_THE_SENTENCE_S = 0.25
BACK_WITHIN_S = 10.0


async def test_reloads_in_mid_utterance(server: Server, person: Person, measured: Measured) -> None:
    """FAILURES 8."""
    await note_connections(person)
    await person.page.reload()
    await person.click("talk")
    await person.ears.wait_for_speech(AUDIBLE_WITHIN_S)
    (bot,) = server.bots()
    took = []
    for _ in range(TIMES):
        await asyncio.sleep(INTO_THE_SENTENCE_S)
        took.append(await reload(person))
        assert server.bots() == [bot]
    connected_ms = statistics.median(each.connected_ms for each in took)
    measured("reload in mid-utterance → connected again", connected_ms, "ms")

    # Also by the browser's own button, from wherever else.
    await person.page.goto(f"{server.url}/healthz")
    await person.page.go_back()
    await person.see("status", status="active", timeout_s=AUDIBLE_WITHIN_S)
    assert server.bots() == [bot]
    await person.click("stop")
    await person.see("notice", code="user")
    assert "Traceback" not in server.log


async def test_a_reload_finds_the_same_bot_and_goes_on(server: Server, person: Person) -> None:
    """FAILURES 8."""
    talk = Talk(person)
    await person.click("talk")
    first = await talk.hear_question()
    second = await talk.answer(first.answer)
    session_id = await person.session_id(server.url)
    (bot,) = server.bots()

    await person.page.reload()
    await person.see("status", timeout_s=BACK_WITHIN_S, status="active")
    await be_able_to_hear(person)
    # Of what it says now the beginning was lost on the way; it is asked when it is silent.
    now_ms = time.time() * 1000
    person.ears.attention_ms = await person.ears.silence_after(now_ms, BACK_WITHIN_S, 700)
    await person.see("card", question=second.question, state="question")
    await talk.answer(second.answer)
    await person.see("score", right=2, asked=2)
    assert await person.session_id(server.url) == session_id
    assert server.bots() == [bot]
    await person.click("stop|end")
    await person.see("notice", code="user")
    await eventually(lambda: not server.bots(), 5, "the bot still lives")
    assert "Traceback" not in server.log


async def be_able_to_hear(person: Person) -> None:
    """Touch the page, which lets it make a sound, and press its button for that if it shows one."""
    await person.page.keyboard.press("Tab")
    button = person.page.get_by_role("button", name="Let me hear")
    if await button.is_visible():
        await button.click()
