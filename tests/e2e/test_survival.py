"""A call survives the sudden death of its server."""

from __future__ import annotations

import time

import pytest

from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.talk import Talk

pytestmark = pytest.mark.e2e

DELETE_WITHIN_S = 3.0
BACK_WITHIN_S = 10.0


async def test_a_call_goes_on_without_its_server(
    server: Server, person: Person, measured: Measured
) -> None:
    """FAILURES 20: the server is killed with a live call, and finds it again when it is back."""
    talk = Talk(person)
    await person.click("talk")
    first = await talk.hear_question()
    session_id = await person.session_id(server.url)
    (bot,) = server.bots()

    await server.kill9()
    killed_ms = time.time() * 1000
    second = await talk.answer(first.answer)  # heard, understood and answered by nobody but the bot
    assert person.ears.sound_ms_between(killed_ms, person.ears.recorded_until_ms) > 1000
    assert second != first

    await server.start()
    await person.see("score", timeout_s=BACK_WITHIN_S, right=1, asked=1)  # nothing was lost
    await person.see("card", question=second.question, state="question")

    await server.kill9()
    began_s = time.monotonic()
    await server.start()
    measured("restart → address printed", (time.monotonic() - began_s) * 1000, "ms")
    answer = await person.page.request.delete(f"{server.url}/api/voice/session/{session_id}")
    took_s = time.monotonic() - began_s
    assert answer.status == 200
    await eventually(lambda: not bot.is_running(), DELETE_WITHIN_S, "the bot still lives")
    measured("restart → DELETE answered", took_s * 1000, "ms")
    assert took_s <= DELETE_WITHIN_S
    await person.see("notice", timeout_s=BACK_WITHIN_S, code="user")
