"""What a record changes of the built-in assistant: words, voice, what ends it, and its patience."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from greenroom.bot.deck import DECK, Command, meaning
from greenroom.bot.dialogue import Dialogue, Farewell, Heard, Say
from greenroom.bot.manner import Manner, VoiceWish, manner_of, voice_of
from greenroom.bot.nudging import Nudging
from greenroom.bot.sphinx import NotUnderstoodFrame, Recogniser
from greenroom.wire.assistants import BotRecord, IdlePrompts


def record(**fields: Any) -> BotRecord:
    return BotRecord.model_validate({"name": "mary", **fields})


def test_a_record_that_says_nothing_changes_nothing() -> None:
    assert manner_of(record()) == Manner()
    assert voice_of(record()) == VoiceWish()
    plain, with_record = Dialogue(DECK, 1), Dialogue(DECK, 1, manner_of(record()))
    assert plain.greet() == with_record.greet()
    assert plain.grammar == with_record.grammar


def test_it_begins_and_ends_in_the_records_words() -> None:
    manner = manner_of(
        record(firstMessage="Ahoy!", endMessage="Farewell, sailor.", endPhrases=["That's all!"])
    )
    dialogue = Dialogue(DECK, 1, manner)
    first = dialogue.greet()[0]
    assert isinstance(first, Say)
    assert first.text.startswith("Ahoy! What is ")
    assert "that's all" in dialogue.grammar
    assert dialogue.heard(Heard("that's all", 1.0)) == [Farewell("Farewell, sailor.")]


def test_an_end_phrase_may_be_what_is_otherwise_no_answer() -> None:
    manner = manner_of(record(endPhrases=["Stop", "goodbye", "STOP."]))
    assert manner.end_phrases == ("stop",)
    assert manner.meaning("stop") is Command.GOODBYE
    grammar = Dialogue(DECK, 1, manner).grammar
    assert grammar.count("/ stop ") == 1


def test_phrases_of_words_that_nobody_knows_are_not_listened_for() -> None:
    recogniser = Recogniser(meaning)
    phrases = ["stop it", "xyzzy plugh"]
    manner = manner_of(record(endPhrases=phrases)).heard_by(recogniser.knows)
    assert manner.end_phrases == ("stop it",)
    recogniser.start(Dialogue(DECK, 1, manner).grammar)


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({"language": "en-GB"}, VoiceWish("en-gb")),
        ({"language": "de"}, VoiceWish()),
        ({"voice": {"name": "en-us+f3"}}, VoiceWish("en-us+f3")),
        ({"voice": {"name": "en; rm"}}, VoiceWish()),
        ({"voice": {"parameters": {"speed": 2}}}, VoiceWish(words_per_minute=300)),
        ({"voice": {"parameters": {"speed": 9}}}, VoiceWish(words_per_minute=450)),
        ({"voice": {"parameters": {"wordsPerMinute": 100, "speed": 2}}}, VoiceWish("en-us", 100)),
        ({"voice": {"parameters": {"pitch": 120}}}, VoiceWish(pitch=99)),
        ({"voice": {"parameters": {"pitch": "high"}}}, VoiceWish()),
    ],
)
def test_the_voice_is_what_espeak_can_of_it(fields: dict[str, Any], wish: VoiceWish) -> None:
    assert voice_of(record(**fields)) == wish


class Quiet(Nudging):
    """One whose frames go nowhere."""

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        pass


async def test_it_asks_again_a_few_times_and_never_into_anybodys_words() -> None:
    said: list[str] = []
    spoke = asyncio.Event()
    may = True

    async def say(text: str) -> None:
        said.append(text)
        spoke.set()

    async def happen(*frames: Frame) -> None:
        for frame in frames:
            await nudging.process_frame(frame, FrameDirection.DOWNSTREAM)

    async def until_said(count: int) -> None:
        async with asyncio.timeout(10):
            while len(said) < count:
                spoke.clear()
                await spoke.wait()

    async def a_while() -> None:
        await asyncio.sleep(0.05)  # several times as long as it waits

    prompts = IdlePrompts(after_s=0.005, messages=["One?", "Two?"], most=3)
    nudging = Quiet(prompts, say, lambda: may)
    running = asyncio.create_task(nudging.run())
    await a_while()
    assert said == []  # nobody is there yet
    await happen(BotStartedSpeakingFrame())
    await a_while()
    assert said == []
    await happen(BotStoppedSpeakingFrame())
    await until_said(3)
    await a_while()
    assert said == ["One?", "Two?", "One?"]
    # Whoever has said something may be asked anew, once they are silent.
    await happen(UserStartedSpeakingFrame())
    await a_while()
    assert len(said) == 3
    may = False
    await happen(UserStoppedSpeakingFrame())
    await a_while()
    assert len(said) == 3
    may = True
    await until_said(4)
    assert said[3] == "One?"
    # A noise is nobody who has said something.
    await until_said(6)
    await happen(UserStartedSpeakingFrame(), NotUnderstoodFrame(), UserStoppedSpeakingFrame())
    await a_while()
    assert len(said) == 6
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
