"""A page that reloads while the bot speaks hears it again, each time, from one and the same bot.

``bench/reload.py`` does the same a hundred times, and measures it.
"""

from __future__ import annotations

import asyncio
import statistics

import pytest

from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.reloads import AUDIBLE_WITHIN_S, note_connections, reload
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

TIMES = 3
# So far into a sentence the page reloads.
INTO_THE_SENTENCE_S = 0.25


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
    assert "Traceback" not in server.log


async def test_back_in_the_conversation_by_the_back_button(server: Server, person: Person) -> None:
    await person.click("talk")
    await person.ears.wait_for_speech(AUDIBLE_WITHIN_S)
    (bot,) = server.bots()
    await person.page.goto(f"{server.url}/healthz")
    await person.page.go_back()
    await person.see("status", status="active", timeout_s=AUDIBLE_WITHIN_S)
    assert server.bots() == [bot]
    await person.click("stop")
    await person.see("notice", code="user")
