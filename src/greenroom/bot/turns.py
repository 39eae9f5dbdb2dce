"""When a turn of the user's is over: also, and as soon, if nothing of it was understood."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import Frame, TranscriptionFrame
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

    Args:
        may: Whether the user is to be answered now; whoever is muted or has paused is not.
        always: Also if nobody was interrupted. Of ears that tell of every noise it is too much.
    """

    def __init__(self, may: Callable[[], bool], *, always: bool) -> None:
        # Not Pipecat's, which would set the prompts.
        self.max_consecutive_recoveries = 1
        self._may = may
        self._always = always

    # Pipecat reads them when a turn has ended.
    @property
    def interrupted_prompt(self) -> str | None:  # type: ignore[override]
        """What the model is told when the turn has interrupted it; None: nothing."""
        return DEFAULT_EMPTY_USER_TURN_INTERRUPTED_PROMPT if self._may() else None

    @property
    def idle_prompt(self) -> str | None:  # type: ignore[override]
        """What it is told when nobody was interrupted; None: nothing."""
        return ASK_AGAIN if self._always and self._may() else None


def _as_words(frame: Frame) -> Frame:
    """For a strategy alone, which counts no words: there were some, and no more will come."""
    if isinstance(frame, NotUnderstoodFrame):
        return TranscriptionFrame("?", "", time_now_iso8601(), finalized=True)
    return frame
