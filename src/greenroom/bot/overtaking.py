"""An interruption takes along the words that it overtakes on their way to the next processor.

In Pipecat 1.14 a processor's interruption drops what waits to be processed, and system frames
overtake all others on the way in. Words that were sent before an interruption, and that a busy
processor had not taken in yet, came after it, and were spoken to their end: two messages typed
within a tenth of a second cost whoever typed them ten seconds of the answer to the first.
"""

from __future__ import annotations

from typing import Any

from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    SystemFrame,
    TextFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.processors import frame_processor
from pipecat.processors.frame_processor import FrameProcessorQueue

_OF_THE_BOT = (
    TextFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    OutputAudioRawFrame,
    LLMFullResponseStartFrame,
    LLMFullResponseEndFrame,
)
# Whoever interrupts has not taken back what they said before.
_OF_THE_USER = (TranscriptionFrame, InterimTranscriptionFrame, EagerTranscriptionFrame)


class OrderlyQueue(FrameProcessorQueue):
    """Pipecat's queue of what comes to a processor; no words of the bot's outlive an interruption.

    Everything else stays, and in its order: what the user said, what is shown, what ends a call,
    and speech that may not be interrupted.
    """

    async def put(self, item: tuple[Frame, Any, Any]) -> None:
        """Take a frame in; an interruption drops the bot's words that wait here."""
        if isinstance(item[0], InterruptionFrame):
            self._drop_words()
        await super().put(item)

    def _drop_words(self) -> None:
        waiting = []
        while not self.empty():
            waiting.append(self.get_nowait())
            self.task_done()
        for entry in waiting:
            _, _, (frame, _, _) = entry
            if not is_dropped(frame):
                self.put_nowait(entry)


def is_dropped(frame: Frame) -> bool:
    """Whether an interruption that comes after this frame is meant to stop it."""
    if isinstance(frame, (SystemFrame, *_OF_THE_USER)):
        return False
    return frame.interruptible and isinstance(frame, _OF_THE_BOT)


def keep_order() -> None:
    """Let every processor that is made from now on take its frames in so.

    Side effect: replaces Pipecat's queue.
    """
    vars(frame_processor)["FrameProcessorQueue"] = OrderlyQueue
