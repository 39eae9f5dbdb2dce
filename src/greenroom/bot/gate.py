"""Lets the user's voice into the pipeline, or keeps it out: mute and pause."""

from __future__ import annotations

from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

# Silence that is let in after the gate closes, so that a detector which was in the middle of an
# utterance hears it end; Pipecat's default waits for 0.2 s of it.
CLOSING_SILENCE_S = 0.5


class Gate(FrameProcessor):
    """Drops incoming audio while closed; stands right behind the transport's input.

    What was said before it closed still counts. While it is closed nothing behind it works:
    neither detector nor recogniser sees a frame, so neither can time out on silence.
    """

    def __init__(self) -> None:
        super().__init__()
        self._closed_by: set[str] = set()
        self._silence_left_s = 0.0

    def close_for(self, cause: str) -> None:
        """Keep audio out for this cause, beside any other."""
        if not self._closed_by:
            self._silence_left_s = CLOSING_SILENCE_S
        self._closed_by.add(cause)

    def open_for(self, cause: str) -> None:
        """Lift this cause; audio comes in once no cause is left."""
        self._closed_by.discard(cause)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but audio that is to be kept out."""
        await super().process_frame(frame, direction)
        if self._closed_by and isinstance(frame, InputAudioRawFrame):
            if self._silence_left_s <= 0:
                return
            self._silence_left_s -= frame.num_frames / frame.sample_rate
            frame.audio = bytes(len(frame.audio))
        await self.push_frame(frame, direction)
