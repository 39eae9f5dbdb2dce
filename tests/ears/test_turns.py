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
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from greenroom.bot.sphinx import NotUnderstoodFrame
from greenroom.bot.turns import ASK_AGAIN, AskAgain, StopAfterSilence, StopByModel

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


def test_whoever_may_not_be_answered_is_not_asked() -> None:
    may = {"be answered": True}
    asking = AskAgain(lambda: may["be answered"], always=True)
    assert asking.idle_prompt == ASK_AGAIN
    assert asking.interrupted_prompt
    may["be answered"] = False
    assert [asking.idle_prompt, asking.interrupted_prompt] == [None, None]


def test_ears_that_tell_of_every_noise_are_answered_only_for_an_interruption() -> None:
    asking = AskAgain(lambda: True, always=False)
    assert asking.idle_prompt is None
    assert asking.interrupted_prompt
