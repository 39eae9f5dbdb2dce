"""The built-in bot in real calls: it greets, listens, is interrupted, and says goodbye."""

from __future__ import annotations

import asyncio
import time

import pytest

from greenroom.bot.deck import DECK, Card, in_words
from greenroom.wire.link import BotLevel, CommandKind, Report, ReportKind
from greenroom.wire.process import ExitCode
from tests.bot.child import BotProcess
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.page import AUDIBLE_RMS, Page, rms
from tests.bot.speech import spoken, which

CARDS = "greenroom.bot.cards"
GREETINGS = [f"hello what is {card.spoken}" for card in DECK]


class Call:
    """A call with the built-in bot that has been greeted."""

    def __init__(self, process: BotProcess, greenroom: FakeGreenroom, page: Page) -> None:
        self.process = process
        self.greenroom = greenroom
        self.page = page

    async def question(self, after: int = 0) -> Card:
        """The card that was shown last, once one was shown after that report."""
        shown = await self.greenroom.report(
            ReportKind.APP, lambda data: data["type"] == "app.question", after=after
        )
        return next(card for card in DECK if card.question == shown.data["data"]["question"])

    async def say(self, text: str) -> None:
        """Speak, and wait until it is said."""
        self.page.say(spoken(text))
        await self.page.microphone.said.wait()

    async def bot_is(self, *, speaking: bool, after: int = 0, **times: float) -> Report:
        """Wait for the bot to begin or to stop."""
        return await self.greenroom.report(
            ReportKind.BOT_SPEECH, lambda data: data["speaking"] is speaking, after=after, **times
        )

    async def quiet(self, after: int = 0) -> int:
        """Wait until the bot has stopped; returns the number of that report."""
        return (await self.bot_is(speaking=False, after=after)).seq

    def of(self, kind: ReportKind, **data: object) -> list[Report]:
        """All reports of a kind with this in their data, in order."""
        return [
            report
            for report in self.greenroom.reports
            if report.kind is kind and data.items() <= report.data.items()
        ]

    def speaking(self, kind: ReportKind) -> list[bool]:
        """How one side began and stopped, in order."""
        return [report.data["speaking"] for report in self.of(kind)]

    def texts(self, role: str) -> list[str]:
        """All that one side said, in order."""
        return [r.data["text"] for r in self.of(ReportKind.TRANSCRIPT, role=role)]


@pytest.fixture
async def call(start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage) -> Call:
    process = start(CARDS)
    await greenroom.linked()
    page = open_page()
    await page.connect()
    return Call(process, greenroom, page)


async def test_a_whole_call(call: Call) -> None:
    greenroom, page = call.greenroom, call.page
    # It greets as soon as media is connected, and asks.
    first_s = await page.hears_sound()
    assert first_s - page.connected_s < 1.0
    assert greenroom.hellos[0].level is BotLevel.ATTACHED
    card = await call.question()
    greeted = await call.quiet()
    silent_s = await page.hears_silence(after_s=first_s)
    heard = which(page.pcm(from_s=first_s - 0.1, to_s=silent_s + 0.2), GREETINGS)
    assert heard == f"hello what is {card.spoken}"
    assert call.texts("assistant") == ["Hello!", f"What is {card.spoken}?"]
    # The card turns when its own words begin.
    shown, words = call.of(ReportKind.APP)[0], call.of(ReportKind.TRANSCRIPT)[1]
    assert abs(words.at_ms - shown.at_ms) < 100

    # A right answer turns the card, and the next question comes in the same breath.
    await call.say(in_words(card.answer))
    said_s = time.monotonic()
    answer = await greenroom.report(ReportKind.APP, after=greeted)
    assert await page.hears_sound(after_s=said_s) - said_s < 2.0
    assert answer.data["type"] == "app.answer"
    assert answer.data["data"] == {
        "question": card.question,
        "value": card.answer,
        "correct": True,
        "expected": card.answer,
        "right": 1,
        "asked": 1,
    }
    assert await call.question(after=answer.seq) != card
    answered = await call.quiet(after=answer.seq)
    assert call.texts("user") == [in_words(card.answer)]
    assert call.speaking(ReportKind.USER_SPEECH) == [True, False]
    assert call.speaking(ReportKind.BOT_SPEECH) == [True, False, True, False]

    # What was used is metered.
    characters = sum(r.data["quantity"] for r in call.of(ReportKind.USAGE, unit="characters"))
    assert characters == len("".join(call.texts("assistant")))
    seconds = sum(r.data["quantity"] for r in call.of(ReportKind.USAGE, unit="audio_seconds"))
    assert 0.5 < seconds < 5

    # Goodbye is heard to its end, though it is spoken over.
    await call.say("goodbye")
    speaking = await call.bot_is(speaking=True, after=answered)
    page.say(spoken("repeat please"))
    farewell = await greenroom.report(ReportKind.FAREWELL, after=answered)
    reported_s = time.monotonic()
    assert farewell.data == {"heard": True}
    stopped = await call.bot_is(speaking=False, after=speaking.seq)
    assert stopped.data["interrupted"] is False
    assert stopped.seq < farewell.seq
    assert rms(page.pcm(from_s=reported_s - 0.1)) < AUDIBLE_RMS
    assert call.texts("assistant")[-1] == "Goodbye! You got one of one right."

    # Nobody ends the bot: it goes by itself.
    assert call.process.alive
    assert await call.process.exit_code(within_s=5.0) == ExitCode.OK
    assert time.monotonic() - reported_s > 2.5
    assert call.process.last_words == ""


async def test_speaking_over_the_bot_interrupts_it(call: Call) -> None:
    await call.question()
    call.page.say(spoken("repeat please"))
    started = await call.greenroom.report(ReportKind.USER_SPEECH)
    started_s = time.monotonic()
    stopped = await call.bot_is(speaking=False, after=started.seq)
    assert stopped.data["interrupted"] is True
    silent_s = await call.page.hears_silence(after_s=started_s - 0.1, for_s=0.2)
    assert silent_s - started_s < 0.7  # of the 2 s that the question had to go
    await call.bot_is(speaking=True, after=stopped.seq)
    assert call.texts("user") == ["repeat please"]


async def test_a_muted_user_is_not_heard_but_may_type(call: Call) -> None:
    """FAILURES 11."""
    card = await call.question()
    await call.greenroom.command(CommandKind.MUTE, {"muted": True})
    await call.say(in_words(card.answer))
    await asyncio.sleep(0.3)
    assert call.of(ReportKind.USER_SPEECH) == []
    await call.greenroom.command(CommandKind.MESSAGE, {"text": f"{card.answer}."})
    answer = await call.greenroom.report(ReportKind.APP, lambda data: "answer" in data["type"])
    assert answer.data["data"]["correct"] is True
    await call.greenroom.command(CommandKind.MUTE, {"muted": False})
    await call.say("repeat please")
    await call.greenroom.report(ReportKind.USER_SPEECH, after=answer.seq)


async def test_says_what_it_is_told_once(call: Call) -> None:
    await call.question()
    heard = call.greenroom.last_seq
    data = {"text": "Wait."}
    await call.greenroom.command(CommandKind.SAY, data, command_id="say-1")
    await call.greenroom.command(CommandKind.SAY, data, command_id="say-1")
    said = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["text"] == "Wait.", after=heard
    )
    await call.quiet(after=said.seq)
    assert call.texts("assistant").count("Wait.") == 1


async def test_what_it_is_told_at_once_is_said_at_once_and_in_the_voice_that_is_wanted(
    call: Call,
) -> None:
    """What a mind would be told is nothing to cards, and disturbs nobody."""
    greenroom, words = call.greenroom, "One two three four five six seven."
    await call.question()
    await greenroom.command(CommandKind.CONTEXT, {"text": "The user is in a hurry."})
    await greenroom.command(CommandKind.ADJUST, {"persona": "A pirate.", "personality": None})

    async def takes_ms(after: int) -> tuple[int, int]:
        """How long the words take, said over whatever is being said; and the last report."""
        await greenroom.command(CommandKind.SAY, {"text": words, "interrupt": True})
        said = await greenroom.report(
            ReportKind.TRANSCRIPT, lambda data: data["text"] == words, after=after
        )
        stopped = await call.bot_is(speaking=False, after=said.seq)
        assert stopped.data["interrupted"] is False
        began = [r for r in call.of(ReportKind.BOT_SPEECH, speaking=True) if r.seq < stopped.seq]
        return stopped.at_ms - began[-1].at_ms, stopped.seq

    usual_ms, last = await takes_ms(greenroom.last_seq)
    cut_off = call.of(ReportKind.BOT_SPEECH, speaking=False)[0]
    assert cut_off.data["interrupted"] is True, "the question gave way"
    voice = {"name": "en-gb", "parameters": {"wordsPerMinute": 400}}
    await greenroom.command(CommandKind.ADJUST, {"voice": voice})
    hurried_ms, _ = await takes_ms(last)
    assert hurried_ms < 0.7 * usual_ms


async def test_says_how_long_is_left_and_interrupts_nobody_by_it(call: Call) -> None:
    card = await call.question()
    await call.greenroom.command(CommandKind.WARNING, {"ends_in_s": 119.7})
    said = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["text"] == "We have two minutes left."
    )
    heard_s = time.monotonic()
    stopped = await call.bot_is(speaking=False, after=said.seq)
    assert stopped.data["interrupted"] is False
    assert call.texts("assistant")[:2] == ["Hello!", f"What is {card.spoken}?"]
    # It was heard, after the question and to its own end.
    silent_s = await call.page.hears_silence(after_s=heard_s)
    words = ["we have two minutes left", *GREETINGS]
    assert which(call.page.pcm(from_s=heard_s - 0.2, to_s=silent_s + 0.2), words) == words[0]

    # While the user speaks it waits.
    call.page.say(spoken("repeat please"))
    began = await call.greenroom.report(
        ReportKind.USER_SPEECH, lambda data: data["speaking"], after=stopped.seq
    )
    await call.greenroom.command(CommandKind.WARNING, {"ends_in_s": 31})
    said = await call.greenroom.report(
        ReportKind.TRANSCRIPT,
        lambda data: data["text"] == "We have thirty seconds left.",
        after=began.seq,
    )
    fell_silent = await call.greenroom.report(
        ReportKind.USER_SPEECH, lambda data: not data["speaking"], after=began.seq
    )
    assert fell_silent.seq < said.seq
    assert "repeat please" in call.texts("user")


async def test_a_paused_bot_is_silent_at_once_and_asks_again_afterwards(call: Call) -> None:
    await call.question()
    await call.greenroom.command(CommandKind.PAUSE, {"paused": True})
    paused_s = time.monotonic()
    stopped = await call.bot_is(speaking=False)
    assert await call.page.hears_silence(after_s=paused_s, for_s=0.2) - paused_s < 0.7
    await call.greenroom.command(CommandKind.SAY, {"text": "You should not hear this."})
    await call.say("repeat please")
    assert call.greenroom.last_seq == stopped.seq
    await call.greenroom.command(CommandKind.PAUSE, {"paused": False})
    await call.bot_is(speaking=True, after=stopped.seq)
    assert call.texts("assistant")[-1].startswith("Welcome back")


async def test_a_page_that_reloads_is_welcomed_back_and_not_greeted_again(
    call: Call, open_page: OpenPage
) -> None:
    """FAILURES 7."""
    card = await call.question()
    await call.page.close()
    left = await call.greenroom.report(ReportKind.USER_LEFT)
    again = open_page()
    await again.connect()
    await again.hears_sound(within_s=2.0)
    welcome = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: "Welcome back" in data["text"], after=left.seq
    )
    assert card.spoken in welcome.data["text"]
    assert "Hello!" not in call.texts("assistant")[1:]


async def test_a_session_that_is_paused_from_the_start_is_greeted_afterwards(
    start: StartBot, open_page: OpenPage, greenroom: FakeGreenroom
) -> None:
    greenroom.session = greenroom.session.model_copy(update={"paused": True, "muted": True})
    start(CARDS)
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await greenroom.report(ReportKind.BOT_JOINED)
    await asyncio.sleep(0.5)
    assert page.heard
    assert rms(page.pcm()) < AUDIBLE_RMS
    await greenroom.command(CommandKind.PAUSE, {"paused": False})
    await page.hears_sound(within_s=2.0)
    said = await greenroom.report(ReportKind.TRANSCRIPT)
    assert said.data["text"] == "Hello!"


async def test_a_record_gives_it_words_a_voice_and_patience(
    start: StartBot, open_page: OpenPage, greenroom: FakeGreenroom
) -> None:
    record = {
        "name": "mary",
        "firstMessage": "Ahoy!",
        "endPhrases": ["that is enough"],
        "endMessage": "So long.",
        "idlePrompts": {"afterS": 0.6, "messages": ["Still there?"], "most": 1},
        "voice": {"name": "en-gb", "parameters": {"wordsPerMinute": 200}},
    }
    greenroom.session = greenroom.session.model_copy(update={"record": record})
    process = start(CARDS)
    await greenroom.linked()
    page = open_page()
    await page.connect()
    call = Call(process, greenroom, page)
    await page.hears_sound()
    asked = await call.quiet()
    assert call.texts("assistant")[0] == "Ahoy!"
    nudged = await greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["text"] == "Still there?", after=asked
    )
    await call.quiet(after=nudged.seq)
    await call.say("that is enough")
    farewell = await greenroom.report(ReportKind.FAREWELL, after=nudged.seq)
    assert farewell.data == {"heard": True}
    assert call.texts("assistant")[-1] == "So long."
    assert call.texts("user") == ["that is enough"]
