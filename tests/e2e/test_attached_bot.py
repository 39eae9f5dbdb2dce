"""An attached bot in a real browser: it is muted, typed to, found again, and heard to its end.

What it says is heard, and what its words were the page's script tells; `test_call` understands
them by ear.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartServer
from tests.e2e.ears import Utterance
from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.reloads import note_connections, reload
from tests.e2e.server import Server, eventually
from tests.e2e.speech import speech_ms

# Its parts are in make test: what such a bot obeys in tests/bot, and what the page asks in web.
pytestmark = [pytest.mark.e2e, pytest.mark.long]

BOT = Path(__file__).parents[2] / "examples" / "attached" / "bot.py"
REPLY_WITHIN_S = 5.0
TRIES = 3


@pytest.fixture
async def server(start_server: StartServer) -> AsyncIterator[Server]:
    async with start_server(str(BOT)) as server:
        yield server


async def test_an_attached_bot_takes_part(
    server: Server, person: Person, measured: Measured
) -> None:
    script = person.part("transcript")
    await note_connections(person)
    await person.page.reload()
    await person.click("talk")
    await person.ears.utterance(2 * REPLY_WITHIN_S)
    await script.get_by_text("Tell me a colour.").wait_for()
    (bot,) = server.bots()

    await person.click("mute the microphone")
    await person.page.locator(".mute[aria-pressed=true]").wait_for()
    await person.say("green")
    await person.click("mute the microphone")
    await person.page.locator(".mute[aria-pressed=false]").wait_for()
    await tell(person, "purple")
    await script.get_by_text("You said purple.").wait_for()

    session = await person.page.request.get(f"{server.url}/api/voice/session/current")
    session_id = (await session.json())["sessionId"]
    typed = await person.page.request.post(
        f"{server.url}/api/voice/session/{session_id}/message", data={"text": "orange"}
    )
    assert typed.status == 202
    await person.ears.utterance(REPLY_WITHIN_S)
    await script.get_by_text("You said orange.").wait_for()
    lines = await script.locator("li[data-role=user] span").all_inner_texts()
    assert lines == ["purple", "orange"], "what was said while muted, nobody heard"

    await reload(person)
    assert server.bots() == [bot]
    await script.get_by_text("Welcome back.").wait_for()
    await person.ears.utterance(REPLY_WITHIN_S)

    farewell = await tell(person, "goodbye")
    await script.get_by_text("See you!").wait_for()
    await person.see("notice", code="goodbye")
    heard_ms = person.ears.sound_ms_between(farewell.began_ms, person.ears.recorded_until_ms)
    heard_share = heard_ms / speech_ms("See you!")
    measured("attached bot: farewell heard", 100 * heard_share, "% of its length")
    assert heard_share >= 0.9
    await eventually(lambda: not server.bots(), 5, "the bot still lives")
    assert "Traceback" not in server.log


async def tell(person: Person, word: str) -> Utterance:
    """Say a word, again if it was not understood, and hear what the bot says to it."""
    for _ in range(TRIES):
        await person.say(word)
        try:
            return await person.ears.utterance(REPLY_WITHIN_S)
        except TimeoutError:
            continue
    raise AssertionError(f"“{word}” was not understood")
