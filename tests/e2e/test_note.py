"""“Make a note …” in a real browser: a model is asked over HTTP, the note made and confirmed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.async_api import expect

from greenroom.store import SQLITE_FILE
from greenroom.testing.openai import Ears, OpenAI, Rule, realtime_address, served
from greenroom.testing.openai.replies import USUAL_RULES
from tests.e2e.conftest import StartServer
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.speech import Listener

pytestmark = pytest.mark.e2e

REPLY_WITHIN_S = 10.0
TRIES = 3
ASKED = "make a note buy milk"
CONFIRMED = "I have written it down."


@pytest.fixture
async def openai() -> AsyncIterator[tuple[OpenAI, str]]:
    confirms = Rule("", say=CONFIRMED, role="tool")
    rules = [confirms, *USUAL_RULES]
    playing = OpenAI(keys=None, rules=rules, first_token_s=0.2, hear=Ears(ASKED, "goodbye"))
    async with served(playing) as address:
        yield playing, address


def _services(kind: str, address: str) -> dict[str, Any]:
    if kind == "speechToSpeech":
        settings = {"model": "small", "baseUrl": realtime_address(address)}
        turns = {"detection": "silence", "silenceS": 0.5}
        return {"speechToSpeech": {"service": "openai", "settings": settings}, "turns": turns}
    return {
        "llm": {"service": "openai", "settings": {"model": "small", "baseUrl": address}},
        "stt": {"service": "sphinx", "settings": {"phrases": [ASKED, "goodbye"]}},
    }


# The second's short form is tests/bot/test_speech_to_speech.py.
@pytest.fixture(params=["llm", pytest.param("speechToSpeech", marks=pytest.mark.long)])
async def server(
    start_server: StartServer,
    openai: tuple[OpenAI, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Server]:
    record: dict[str, Any] = {
        "name": "cards",  # the one that the page talks with
        "firstMessage": "Hello there.",
        "tools": ["notes"],
        "endPhrases": ["goodbye"],
        **_services(request.param, openai[1]),
    }
    (tmp_path / "cards.yaml").write_text(yaml.safe_dump(record))
    async with start_server(GREENROOM_ASSISTANTS_DIR=str(tmp_path)) as server:
        yield server


async def test_a_note_is_made_by_voice(
    server: Server, person: Person, openai: tuple[OpenAI, str]
) -> None:
    await person.click("talk")
    greeting = await person.ears.utterance(2 * REPLY_WITHIN_S)
    assert Listener.of(["hello there"]).understand(greeting.pcm) == "hello there"

    confirmed = Listener.of([CONFIRMED])
    for _ in range(TRIES):
        await person.say(ASKED)
        answer = await person.ears.utterance(REPLY_WITHIN_S)
        if confirmed.understand(answer.pcm):
            break
    assert confirmed.understand(answer.pcm)

    kept = server.state_dir / SQLITE_FILE
    with contextlib.closing(sqlite3.connect(kept)) as database:
        told = database.execute("select type, data from events where type like 'voice.tool.%'")
        events = {type_: json.loads(data) for type_, data in told}
        assert database.execute("select title from notes").fetchall() == [("buy milk",)]
    call, result = events["voice.tool.call"], events["voice.tool.result"]
    assert (call["name"], call["arguments"]) == ("create_note", {"title": "buy milk"})
    assert (result["name"], result["outcome"]) == ("create_note", "ok")
    assert result["toolCallId"] == call["toolCallId"]
    whole = [answer.messages[-1]["role"] for answer in openai[0].asked]
    heard = [answer.said[-1][0] for answer in openai[0].realtime.asked]
    assert (whole or heard)[-1] == "tool"

    await expect(person.part("notes")).to_contain_text("buy milk")
    await person.click("delete the note: buy milk")
    await expect(person.part("notes")).not_to_contain_text("buy milk")
    with contextlib.closing(sqlite3.connect(kept)) as database:
        assert database.execute("select title from notes").fetchall() == []

    await person.say("goodbye")
    await person.see("notice", timeout_s=REPLY_WITHIN_S, code="goodbye")
    await eventually(lambda: not server.bots(), 5, "the bot still lives")
    assert "Traceback" not in server.log
