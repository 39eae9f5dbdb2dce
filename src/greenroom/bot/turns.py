"""When a turn of the user's is over, also if nothing of it was understood; and what then."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import Frame, TranscriptionFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.turns.empty_user_turn import (
    DEFAULT_EMPTY_USER_TURN_INTERRUPTED_PROMPT,
    EmptyUserTurnConfig,
)
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_stop import (
    SpeechTimeoutUserTurnStopStrategy,
    TurnAnalyzerUserTurnStopStrategy,
)
from pipecat.utils.time import time_now_iso8601

from greenroom.bot.sphinx import NotUnderstoodFrame

ASK_AGAIN = (
    "The user has just said something that was not understood, unless it was a noise. Ask them in "
    "a few words to say it again."
)
ANSWER_NOW = (
    "Before you could answer, there was a noise, or a word that was not understood. Answer now "
    "what the user said before that."
)
# Who clears their throat while the model thinks may do so again; what never ends is no throat.
ANSWERS_OWED = 3


class StopAfterSilence(SpeechTimeoutUserTurnStopStrategy):
    """Pipecat's, which waits for silence; what was not understood ends a turn like any words.

    Without that, a turn that has no words lasts until Pipecat's own limit of five seconds. For any
    bot with `greenroom.bot.sphinx.SphinxSTTService`::

        UserTurnStrategies(stop=[StopAfterSilence()])
    """

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Look at a frame; see Pipecat."""
        return await super().process_frame(_as_words(frame))


class StopByModel(TurnAnalyzerUserTurnStopStrategy):
    """As `StopAfterSilence`, of Pipecat's that asks a model whether a pause is the end."""

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Look at a frame; see Pipecat."""
        return await super().process_frame(_as_words(frame))


class AskAgain(EmptyUserTurnConfig):
    """What a mind does after a turn without words: it asks, once until it hears some again.

    Unless it owes an answer to words that it understood: a cough while the model thinks has
    stopped the thinking, and whoever is asked to repeat then has been understood for nothing.

    Args:
        may: Whether the user is to be answered now; whoever is muted or has paused is not.
        always: Also if nobody was interrupted. Of ears that tell of every noise it is too much.
        context: The conversation, as the model knows it.
    """

    def __init__(self, may: Callable[[], bool], context: LLMContext, *, always: bool) -> None:
        # Not Pipecat's, which would set what are properties here.
        self._may = may
        self._always = always
        self._context = context

    # Pipecat reads them when a turn has ended.
    @property
    def max_consecutive_recoveries(self) -> int:  # type: ignore[override]
        """How many turns without words in a row are answered."""
        return ANSWERS_OWED if self._owes() else 1

    @property
    def interrupted_prompt(self) -> str | None:  # type: ignore[override]
        """What the model is told when the turn has interrupted it; None: nothing."""
        return self._told(DEFAULT_EMPTY_USER_TURN_INTERRUPTED_PROMPT)

    @property
    def idle_prompt(self) -> str | None:  # type: ignore[override]
        """What it is told when nobody was interrupted; None: nothing."""
        return self._told(ASK_AGAIN) if self._always else None

    def _told(self, prompt: str) -> str | None:
        if not self._may():
            return None
        return ANSWER_NOW if self._owes() else prompt

    def _owes(self) -> bool:
        """Whether nothing has been said since the user's words, or since what a tool gave."""
        messages = (one for one in self._context.messages if isinstance(one, dict))
        roles = [one["role"] for one in messages if one["role"] != "developer"]
        return bool(roles) and roles[-1] in ("user", "tool")


def _as_words(frame: Frame) -> Frame:
    """For a strategy alone, which counts no words: there were some, and no more will come."""
    if isinstance(frame, NotUnderstoodFrame):
        return TranscriptionFrame("?", "", time_now_iso8601(), finalized=True)
    return frame
