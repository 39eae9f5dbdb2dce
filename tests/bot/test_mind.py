"""The assistant with a mind: a service class of Pipecat's asks a model over HTTP, in real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pipecat.frames.frames import ErrorFrame
from pipecat.utils.errors import ErrorCategory

from greenroom.bot.persona import greeting_of, name_of
from greenroom.bot.services.failover import nobody_waits_for
from greenroom.testing.openai import Fault, OpenAI, Rule, served
from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import CommandKind, Report, ReportKind
from tests.bot.child import BotProcess
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.page import Page
from tests.bot.speech import spoken
from tests.bot.test_observe import session, told

__all__ = ["session", "told"]

ASSISTANT = "greenroom.bot.assistant"
# The ears listen for these: what is tried is the conversation, and not how well they hear.
PHRASES = ["what is the weather", "that is all"]


class Call:
    """A call with an assistant whose model is the stand-in."""

    def __init__(
        self, process: BotProcess, greenroom: FakeGreenroom, page: Page, openai: OpenAI
    ) -> None:
        self.process = process
        self.greenroom = greenroom
        self.page = page
        self.openai = openai

    async def hears(self, text: str, after: int = 0, within_s: float = 20.0) -> Report:
        """Wait until the assistant says something with this in it."""
        return await self.greenroom.report(
            ReportKind.TRANSCRIPT,
            lambda data: data["role"] == "assistant" and text in data["text"],
            after=after,
            within_s=within_s,
        )

    async def types(self, text: str) -> None:
        """Type instead of speaking."""
        await self.greenroom.command(CommandKind.MESSAGE, {"text": text})

    async def says(self, text: str) -> None:
        """Speak, and wait until it is said."""
        self.page.say(spoken(text))
        await self.page.microphone.said.wait()

    async def quiet(self, after: int) -> None:
        """Wait until the assistant has stopped speaking."""
        await self.greenroom.report(
            ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=after, within_s=20.0
        )

    async def error(self, code: str) -> Report:
        """Wait for an error that is told."""
        return await self.greenroom.report(
            ReportKind.ERROR, lambda data: data["code"] == code, within_s=20.0
        )


@pytest.fixture
async def openai() -> AsyncIterator[tuple[OpenAI, str]]:
    playing = OpenAI(keys=None, rules=[Rule("", say="It is sunny today.")])
    async with served(playing) as address:
        yield playing, address


@dataclass
class Mary:
    """An assistant of the tests, to be called."""

    openai: OpenAI
    start: StartBot
    greenroom: FakeGreenroom
    open_page: OpenPage

    async def call(
        self,
        record: dict[str, Any],
        body: dict[str, Any],
        *,
        adjusted: dict[str, Any] | None = None,
    ) -> Call:
        """Open a call with her; the record says what else there is to her.

        Args:
            record: What is hers beside a name and a first message.
            body: Of the start.
            adjusted: What is changed of the record while she waits for the page.
        """
        whole = {
            "name": "mary",
            "turns": {"detection": "silence", "silenceS": 0.3},
            "firstMessage": "Hello, this is Mary.",
            **record,
        }
        update = {"record": whole, "body": body}
        self.greenroom.session = self.greenroom.session.model_copy(update=update)
        process = self.start(ASSISTANT)
        await self.greenroom.linked()
        if adjusted is not None:
            await self.greenroom.command(CommandKind.ADJUST, adjusted)
        page = self.open_page()
        await page.connect()
        return Call(process, self.greenroom, page, self.openai)


@pytest.fixture
def talk(
    openai: tuple[OpenAI, str], start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> Any:
    """Opens a call with a record; its model is the stand-in unless it says otherwise."""
    playing, address = openai
    mary = Mary(playing, start, greenroom, open_page)
    settings = {"model": "small", "baseUrl": address}
    llm = {"service": "openai", "settings": settings}
    stt = {"service": "sphinx", "settings": {"phrases": PHRASES}}

    async def talk(body: dict[str, Any] | None = None, **record: Any) -> Call:
        return await mary.call({"llm": llm, "stt": stt, **record}, body or {})

    return talk


async def test_a_whole_call(talk: Any) -> None:
    call = await talk(
        body={"userName": "Ada"},
        persona="You are Mary, a librarian.",
        personality="Cheerful.",
        language="en-GB",
        endPhrases=["that is all"],
        endMessage="Until next time!",
    )
    # The first message is said without asking the model, and by name.
    greeted = await call.hears("Hello Ada, this is Mary.")
    assert call.openai.asked == []
    await call.quiet(greeted.seq)

    # What is said is asked, and what is streamed is spoken and told.
    await call.says("what is the weather")
    answered = await call.hears("It is sunny today.")
    asked = call.openai.asked[0]
    assert asked.messages[-1] == {"role": "user", "content": "what is the weather"}
    assert {"role": "assistant", "content": "Hello Ada, this is Mary."} in asked.messages
    for words in ("You are Mary, a librarian.", "Cheerful.", "en-GB", '"Ada"'):
        assert words in asked.system
    usage = await call.greenroom.report(
        ReportKind.USAGE, lambda data: data["unit"] == "completion_tokens"
    )
    assert usage.data["quantity"] > 0
    await call.quiet(answered.seq)

    # It ends politely by the user's words, which nobody answers.
    await call.says("that is all")
    await call.hears("Until next time!")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}
    assert len(call.openai.asked) == 1


async def test_it_is_told_things_and_becomes_another(talk: Any) -> None:
    call = await talk(persona="You are Mary.")
    greeted = await call.hears("Hello, this is Mary.")
    await call.quiet(greeted.seq)
    await call.greenroom.command(CommandKind.CONTEXT, {"text": "The shop closes at six."})
    await call.greenroom.command(CommandKind.CONTEXT, {"text": "I am in a hurry.", "by": "page"})
    await call.greenroom.command(
        CommandKind.ADJUST, {"persona": "You are Tom.", "voice": {"name": "en-gb"}}
    )
    assert call.openai.asked == []
    await call.types("hello")
    await call.hears("It is sunny today.")
    asked = call.openai.asked[0]
    assert "You are Tom." in asked.system
    assert "You are Mary." not in asked.system
    assert {"role": "developer", "content": "The shop closes at six."} in asked.messages
    assert {"role": "user", "content": "I am in a hurry."} in asked.messages
    await call.greenroom.command(CommandKind.SAY, {"text": "The bell rings.", "interrupt": True})
    await call.hears("The bell rings.")
    # Near the hard limit the model is told to come to an end.
    await call.greenroom.command(CommandKind.WARNING, {"ends_in_s": 60})
    await call.types("and now")
    async with asyncio.timeout(20):
        while "ends in 60 seconds" not in str(call.openai.asked[-1].messages):
            await asyncio.sleep(0.05)


async def test_a_model_that_fails_is_told_of_in_words_and_in_the_end_ends_the_call(
    talk: Any,
) -> None:
    call = await talk()
    await call.hears("Hello, this is Mary.")
    call.openai.order(Fault(500, after_tokens=0))
    await call.types("hello")
    sorry = await call.hears("I cannot think just now.")
    # The client itself tries twice more before it gives up on a refusal.
    call.openai.order(Fault(429, times=3))
    await call.types("hello")
    sorry = await call.hears("I cannot think just now.", after=sorry.seq)
    await call.types("hello again")
    await call.hears("It is sunny today.", after=sorry.seq)
    # A key that is refused is no good next time either.
    call.openai.keys = set()
    await call.types("hello")
    await call.hears("I cannot think any more.")
    failed = await call.error("model_failed")
    assert failed.data["fatal"], "it is no goodbye of the user's"


@pytest.mark.long
async def test_what_fails_is_taken_over_and_what_was_lost_is_done_again(
    talk: Any, openai: tuple[OpenAI, str]
) -> None:
    async with _broken() as nowhere:
        settings = {"model": "small", "baseUrl": nowhere}
        call = await talk(
            llm={
                "service": "openai",
                "settings": settings,
                "fallbacks": [
                    {"service": "ollama", "settings": {"model": "small", "baseUrl": openai[1]}}
                ],
            },
            tts={
                "service": "openai",
                "settings": {"baseUrl": nowhere},
                "fallbacks": [{"service": "espeak"}],
            },
        )
        await call.error("service_fallback")
        await call.hears("Hello, this is Mary.")
        assert await call.page.hears_sound()
        await call.types("hello")
        switched = await call.greenroom.report(
            ReportKind.ERROR,
            lambda data: data["message"].startswith("The language model failed, and another"),
        )
        await call.hears("It is sunny today.", after=switched.seq)
        told = str([report.data for report in call.greenroom.reports])
        assert "secret" not in told
        assert "Service" not in told


NOTES = {"tools": [{"name": "notes"}, {"name": "end_call"}]}


async def answer_tools(call: Call, result: Any, calls: int = 1) -> None:
    """Be the server that carries tools out."""
    seq = 0
    for _ in range(calls):
        asked = await call.greenroom.report(ReportKind.TOOL_CALL, after=seq, within_s=20.0)
        seq = asked.seq
        answer = {"toolCallId": asked.data["toolCallId"], "by": "server", "result": result}
        await call.greenroom.command(CommandKind.TOOL_RESULTS, {"results": [answer]})


async def test_a_tool_goes_round_and_the_call_ends_by_one(talk: Any) -> None:
    call = await talk(**NOTES)
    await call.hears("Hello, this is Mary.")
    call.openai.call("create_note", {"title": "milk"})
    call.openai.say("I have noted it.")
    async with asyncio.TaskGroup() as group:
        group.create_task(answer_tools(call, {"id": "n1", "title": "milk"}))
        await call.types("make a note of milk")
        noted = await call.hears("I have noted it.")
    told = call.openai.asked[1].messages
    assert told[-1]["role"] == "tool"
    assert "n1" in told[-1]["content"]
    assert set(call.openai.asked[0].functions) == {
        *("create_note", "read_note", "edit_note", "delete_note", "search_notes", "end_call")
    }
    await call.quiet(noted.seq)

    call.openai.call("end_call", {"farewell": "See you soon!"})
    await call.types("that will do")
    await call.hears("See you soon!")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}
    assert len(call.openai.asked) == 3


async def test_wrong_calls_come_back_as_errors_and_a_loop_is_stopped(talk: Any) -> None:
    call = await talk(**NOTES)
    await call.hears("Hello, this is Mary.")
    call.openai.call("create_note", {"heading": "milk"})  # not its argument
    call.openai.call("launch_rocket", {})  # not its function
    call.openai.call("create_note", "{not json")
    call.openai.say("That did not work.")
    await call.types("make a note")
    await call.hears("That did not work.")
    refused, unknown, unreadable = (one.messages[-1] for one in call.openai.asked[1:])
    assert "error" in refused["content"]
    assert unknown["role"] == "tool"
    assert "no JSON" in unreadable["content"]

    # Whatever it is told, it calls again.
    before = len(call.openai.asked)
    call.openai.rules.insert(0, Rule("No more tools", say="I give up.", role="tool"))
    call.openai.rules.insert(1, Rule("", call="end_nothing"))
    call.openai.rules.insert(1, Rule("", call="search_notes"))
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(answer_tools(call, [], calls=100))
        await call.types("find my notes")
        await call.hears("I give up.")
        answering.cancel()
    assert len(call.openai.asked) - before < 20


@pytest.mark.long
async def test_silence_is_broken_and_ends_by_the_assistants_own_words(talk: Any) -> None:
    call = await talk(
        idlePrompts={"afterS": 0.3, "messages": ["Are you still there?"], "most": 1},
        endPhrases=["sunny"],
    )
    await call.hears("Are you still there?")
    await call.types("hello")
    await call.hears("It is sunny today.")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}


@pytest.mark.long
async def test_the_context_stays_within_bounds(talk: Any) -> None:
    call = await talk(context={"mostMessages": 4, "mostTokens": 500})
    last = await call.hears("Hello, this is Mary.")
    call.openai.rules.insert(0, Rule("summar", say="They spoke of the weather."))
    for number in range(4):
        await call.types(f"hello {number}")
        last = await call.hears("It is sunny today.", after=last.seq)
    async with asyncio.timeout(20):
        while not any("They spoke" in str(one.messages) for one in call.openai.asked):
            await call.types("and now")
            await asyncio.sleep(1.0)
    assert len(call.openai.asked[-1].messages) < 12


@pytest.mark.parametrize(
    ("error", "category", "waits"),
    [
        ("Error during completion: 500", ErrorCategory.SERVER, True),
        ("Context summarization timed out after 30s", ErrorCategory.UNKNOWN, False),
        ("Error generating context summary: 500", ErrorCategory.SERVER, False),
        ("Error executing function call [x]", ErrorCategory.APPLICATION, False),
    ],
)
def test_what_nobody_waits_for_is_no_failure(
    error: str, category: ErrorCategory, waits: bool
) -> None:
    assert nobody_waits_for(ErrorFrame(error, category=category)) is not waits


@asynccontextmanager
async def _broken() -> AsyncIterator[str]:
    """A provider where nobody's key is good."""
    async with served(OpenAI(keys=["secret"])) as address:
        yield address


@pytest.mark.parametrize(
    ("first", "name", "said"),
    [
        ("Hello, this is Mary!", "Ada", "Hello Ada, this is Mary!"),
        ("Hello, this is Mary!", None, "Hello, this is Mary!"),
        ("Hi {{userName}}, how are you?", "Ada", "Hi Ada, how are you?"),
        ("Hi {{userName}}, how are you?", None, "Hi, how are you?"),
        ("This is Mary.", "Ada", "Hello Ada! This is Mary."),
        (None, "Ada", None),
    ],
)
def test_a_name_is_said_once_and_never_made_up(
    first: str | None, name: str | None, said: str | None
) -> None:
    record = BotRecord.model_validate({"name": "mary", "firstMessage": first})
    assert greeting_of(record, name) == said


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, None),
        ({"userName": 3}, None),
        ({"userName": " "}, None),
        ({"userName": "A\nda"}, "A da"),
    ],
)
def test_a_name_is_what_the_start_says(body: dict[str, Any], name: str | None) -> None:
    assert name_of(body) == name
