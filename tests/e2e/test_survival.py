"""A call survives a reload of its page, and the sudden death of its server."""

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


async def current_session(person: Person, server: Server) -> str:
    """The id of the person's running session, as the server says."""
    answer = await person.page.request.get(f"{server.url}/api/voice/session/current")
    assert answer.status == 200
    return str((await answer.json())["sessionId"])


async def test_a_reload_finds_the_same_bot_and_goes_on(server: Server, person: Person) -> None:
    """FAILURES 8."""
    talk = Talk(person)
    await person.click("talk")
    first = await talk.hear_question()
    second = await talk.answer(first.answer)
    session_id = await current_session(person, server)
    (bot,) = server.bots()

    await person.page.reload()
    await person.see("status", timeout_s=BACK_WITHIN_S, status="active")
    await be_able_to_hear(person)
    # Of what it says now the beginning was lost on the way; it is asked when it is silent.
    now_ms = time.time() * 1000
    person.ears.attention_ms = await person.ears.silence_after(now_ms, BACK_WITHIN_S, 700)
    await person.say("repeat please")
    assert await talk.hear_question() == second, "the bot asks what it had asked before"
    await person.see("score", right=1, asked=1)
    assert await current_session(person, server) == session_id
    assert server.bots() == [bot]

    await talk.answer(second.answer)
    await person.see("score", right=2, asked=2)
    await person.click("stop|end")
    await person.see("notice", code="user")
    await eventually(lambda: not server.bots(), 5, "the bot still lives")
    assert "Traceback" not in server.log


async def test_a_call_goes_on_without_its_server(
    server: Server, person: Person, measured: Measured
) -> None:
    """FAILURES 20: the server is killed with a live call, and finds it again when it is back."""
    talk = Talk(person)
    await person.click("talk")
    first = await talk.hear_question()
    session_id = await current_session(person, server)
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


async def be_able_to_hear(person: Person) -> None:
    """Touch the page, which lets it make a sound, and press its button for that if it shows one."""
    await person.page.keyboard.press("Tab")
    button = person.page.get_by_role("button", name="Let me hear")
    if await button.is_visible():
        await button.click()
