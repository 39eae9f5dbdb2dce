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
    """Stands before the model: once the farewell is being said, it is asked nothing more."""

    def __init__(self, parting: Callable[[], bool]) -> None:
        super().__init__()
        self._parting = parting

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but questions that come too late."""
        await super().process_frame(frame, direction)
        if not (isinstance(frame, LLMContextFrame) and self._parting()):
            await self.push_frame(frame, direction)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))
