"""The end of a conversation with a mind: by words of either side, and silence of the mind after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pipecat.frames.frames import Frame, LLMContextFrame, TranscriptionFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

GOODBYE = "Goodbye!"


class EndPhrases:
    """What ends the conversation, whoever says it, in whatever spelling."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = [words for phrase in phrases if (words := _words(phrase))]

    def said_in(self, text: str) -> bool:
        """Whether one of them is in it, word for word."""
        heard = f" {_words(text)} "
        return any(f" {phrase} " in heard for phrase in self._phrases)


class EndWords(FrameProcessor):
    """Stands behind the ears: what ends the conversation is not answered.

    Args:
        phrases: What ends it.
        end: Called when one was said; must not block.
    """

    def __init__(self, phrases: EndPhrases, end: Callable[[], None]) -> None:
        super().__init__()
        self._phrases = phrases
        self._end = end

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but what was understood as the end."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame) and self._phrases.said_in(frame.text):
            self._end()
            return
        await self.push_frame(frame, direction)


class Silencer(FrameProcessor):
    """Stands before the model, and keeps from it what is not to be answered.

    Args:
        may: Whether a question may go to the model now.
    """

    def __init__(self, may: Callable[[], bool]) -> None:
        super().__init__()
        self._may = may

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but questions that are not to be asked."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame) or self._may():
            await self.push_frame(frame, direction)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))
