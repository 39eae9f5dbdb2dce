"""A turn of which nothing was understood is over as soon as any other."""

from __future__ import annotations

from typing import Any

import pytest
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, BaseTurnParams, EndOfTurnState
from pipecat.frames.frames import (
    Frame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from greenroom.bot.sphinx import NotUnderstoodFrame
from greenroom.bot.turns import (
    ANSWER_NOW,
    ANSWERS_OWED,
    ASK_AGAIN,
    AskAgain,
    StopAfterSilence,
    StopByModel,
)

PROMPT_S = 0.5


class Complete(BaseTurnAnalyzer):
    """A model to which every pause is the end."""

    @property
    def speech_triggered(self) -> bool:
        return False

    @property
    def params(self) -> BaseTurnParams:
        return BaseTurnParams()

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, Any]:
        return EndOfTurnState.COMPLETE, None

    def clear(self) -> None:
        """Nothing is kept."""


async def stopped(stop: BaseUserTurnStopStrategy, heard: list[Frame]) -> list[Frame]:
    """The ends of turns within half a second of what the ears say of an utterance."""
    strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
    down, _ = await run_test(
        UserTurnProcessor(user_turn_strategies=strategies),
        frames_to_send=[
            VADUserStartedSpeakingFrame(),
            SleepFrame(0.1),
            VADUserStoppedSpeakingFrame(),
            SleepFrame(0.1),
            *heard,
            SleepFrame(PROMPT_S),
        ],
        start_timeout=10,
    )
    return [frame for frame in down if isinstance(frame, UserStoppedSpeakingFrame)]


@pytest.mark.parametrize(
    "stop",
    [
        lambda: StopAfterSilence(user_speech_timeout=0.1),
        lambda: StopAfterSilence(user_speech_timeout=0, wait_for_transcript=False),
        lambda: StopByModel(turn_analyzer=Complete()),
    ],
)
async def test_what_is_not_understood_ends_a_turn_at_once(stop: Any) -> None:
    assert len(await stopped(stop(), [NotUnderstoodFrame()])) == 1


async def test_as_long_as_the_ears_say_nothing_the_turn_waits_for_them() -> None:
    assert await stopped(StopAfterSilence(user_speech_timeout=0.1), []) == []


def told(*messages: tuple[str, str]) -> LLMContext:
    """A conversation, as the model knows it."""
    return LLMContext([{"role": role, "content": text} for role, text in messages])  # type: ignore[misc]


def test_whoever_may_not_be_answered_is_not_asked() -> None:
    may = {"be answered": True}
    asking = AskAgain(lambda: may["be answered"], told(), always=True)
    assert asking.idle_prompt == ASK_AGAIN
    assert asking.interrupted_prompt
    may["be answered"] = False
    assert [asking.idle_prompt, asking.interrupted_prompt] == [None, None]


def test_ears_that_tell_of_every_noise_are_answered_only_for_an_interruption() -> None:
    asking = AskAgain(lambda: True, told(("user", "hello")), always=False)
    assert asking.idle_prompt is None
    assert asking.interrupted_prompt


@pytest.mark.parametrize(
    "messages",
    [
        [("assistant", "hello"), ("user", "is it late")],
        [("user", "is it late"), ("assistant", ""), ("tool", "ten")],
        [("user", "is it late"), ("developer", ANSWER_NOW)],
        [("user", "is it late"), ("developer", "The shop closes at six.")],
    ],
)
def test_words_that_were_understood_are_answered_after_a_noise(
    messages: list[tuple[str, str]],
) -> None:
    asking = AskAgain(lambda: True, told(*messages), always=True)
    assert [asking.interrupted_prompt, asking.idle_prompt] == [ANSWER_NOW, ANSWER_NOW]
    assert asking.max_consecutive_recoveries == ANSWERS_OWED


@pytest.mark.parametrize(
    "messages",
    [[], [("user", "is it late"), ("assistant", "It")], [("developer", "You are Tom.")]],
)
def test_who_owes_no_answer_asks_once(messages: list[tuple[str, str]]) -> None:
    asking = AskAgain(lambda: True, told(*messages), always=True)
    assert ANSWER_NOW not in (asking.interrupted_prompt, asking.idle_prompt)
    assert asking.max_consecutive_recoveries == 1
