"""An assistant whose model hears and speaks by itself: OpenAI's Realtime API, in real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from greenroom.testing.openai import Fault, OpenAI, Rule, realtime_address, served
from greenroom.wire.link import CommandKind, ReportKind
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.speech import spoken
from tests.bot.test_mind import ASSISTANT, NOTES, Call, _answer_tools

EXACTLY = Rule(r"(?s)exactly this[^:]*: (.+)", say=r"\1")


@pytest.fixture
async def openai() -> AsyncIterator[tuple[OpenAI, str]]:
    playing = OpenAI(keys=None, rules=[EXACTLY, Rule("", say="It is sunny today.")])
    async with served(playing) as address:
        yield playing, address


@pytest.fixture
async def talk(
    openai: tuple[OpenAI, str], start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> Any:
    """Opens a call with a record; its model is the stand-in."""
    playing, address = openai

    async def talk(**record: Any) -> Call:
        settings = {"model": "small", "baseUrl": realtime_address(address)}
        whole = {
            "name": "mary",
            "speechToSpeech": {"service": "openai", "settings": settings},
            "turns": {"detection": "silence", "silenceS": 0.3},
            "firstMessage": "Hello, this is Mary.",
            **record,
        }
        update = {"record": whole, "body": {"userName": "Ada"}}
        greenroom.session = greenroom.session.model_copy(update=update)
        process = start(ASSISTANT)
        await greenroom.linked()
        page = open_page()
        await page.connect()
        return Call(process, greenroom, page, playing)

    return talk


async def _hear(call: Call, text: str, after: int = 0) -> int:
    """The user says something; it is reported as this."""
    call.openai.realtime.hears(text)
    await call.says(text)
    told = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["role"] == "user", after=after, within_s=20.0
    )
    assert told.data["text"] == text
    return told.seq


async def test_a_whole_call(talk: Any) -> None:
    call = await talk(
        persona="You are Mary, a librarian.",
        voice={"name": "cedar", "parameters": {"speed": 1.2}},
        endPhrases=["that is all"],
        endMessage="Until next time!",
        **NOTES,
    )
    realtime = call.openai.realtime
    # The model says the first message word for word, and by name.
    greeted = await call.hears("Hello Ada, this is Mary.")
    assert await call.page.hears_sound()
    (session,) = realtime.sessions
    assert session.session["audio"]["output"]["voice"] == "cedar"
    assert session.session["audio"]["output"]["speed"] == 1.2
    assert "You are Mary, a librarian." in session.session["instructions"]
    await call.quiet(greeted.seq)

    # What is said is heard, written down, and answered; and paid for.
    heard = await _hear(call, "what is the weather")
    await call.hears("It is sunny today.", after=heard)
    units = ("audio_prompt_tokens", "audio_completion_tokens", "cached_tokens")
    for unit in units:
        usage = await call.greenroom.report(
            ReportKind.USAGE, lambda data, unit=unit: data["unit"] == unit, after=greeted.seq
        )
        assert usage.data["quantity"] > 0
    assert await call.greenroom.report(ReportKind.USER_SPEECH, lambda data: data["speaking"])

    # Speech over an answer silences it, at the model's end, too.
    call.openai.say("I could go on about that " * 8)
    heard = await _hear(call, "go on then", after=heard)
    speaking = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=heard, within_s=20.0
    )
    call.openai.call("create_note", {"title": "milk"})
    call.openai.say("I have noted it.")
    async with asyncio.TaskGroup() as group:
        group.create_task(_answer_tools(call, {"id": "n1", "title": "milk"}))
        heard = await _hear(call, "make a note of milk", after=heard)
        noted = await call.hears("I have noted it.", after=heard)
    silenced = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=speaking.seq
    )
    assert silenced.data["interrupted"]
    assert any(event["type"] == "conversation.item.truncate" for event in session.events)
    role, result = realtime.asked[-1].said[-1]
    assert role == "tool"
    assert "n1" in result
    assert "create_note" in realtime.asked[-1].functions
    await call.quiet(noted.seq)

    # It ends politely by the user's words, which nobody answers.
    await _hear(call, "that is all", after=noted.seq)
    await call.hears("Until next time!")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}
    assert "sunny" not in str([r.data for r in call.greenroom.reports if r.seq > noted.seq])
    assert realtime.refused == []
    assert len(realtime.sessions) == 1
