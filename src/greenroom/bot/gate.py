"""Lets the user's voice into the pipeline, or keeps it out, and keeps a paused bot silent."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport

# Silence that is let in after the gate closes, so that a detector which was in the middle of an
# utterance hears it end; Pipecat's default waits for 0.2 s of it.
CLOSING_SILENCE_S = 0.5
# Where a model elsewhere decides whether somebody has finished: OpenAI's most patient waits eight.
FAR_CLOSING_SILENCE_S = 10.0


class Shutter:
    """Decides frame by frame whether audio comes in; closed while there is any cause.

    What was said before it closed still counts. While it is closed nothing behind it works:
    neither detector nor recogniser sees a frame, so neither can time out on silence.

    Args:
        closing_silence_s: How much silence comes in after it closes.
    """

    def __init__(self, closing_silence_s: float = CLOSING_SILENCE_S) -> None:
        self._closing_silence_s = closing_silence_s
        self._closed_by: set[str] = set()
        self._silence_left_s = 0.0

    def close_for(self, cause: str) -> None:
        """Keep audio out for this cause, beside any other."""
        if not self._closed_by:
            self._silence_left_s = self._closing_silence_s
        self._closed_by.add(cause)

    def open_for(self, cause: str) -> None:
        """Lift this cause; audio comes in once no cause is left."""
        self._closed_by.discard(cause)

    def admits(self, frame: InputAudioRawFrame) -> bool:
        """Whether this frame comes in. Side effect: silences it right after the closing."""
        if not self._closed_by:
            return True
        if self._silence_left_s <= 0:
            return False
        self._silence_left_s -= frame.num_frames / frame.sample_rate
        frame.audio = bytes(len(frame.audio))
        return True


class Gate(FrameProcessor):
    """A shutter as a processor of a pipeline; stands right behind the transport's input."""

    def __init__(self) -> None:
        super().__init__()
        self._shutter = Shutter()
        self.close_for = self._shutter.close_for
        self.open_for = self._shutter.open_for

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on but audio that is to be kept out."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame) or self._shutter.admits(frame):
            await self.push_frame(frame, direction)


def guard(microphone: BaseInputTransport, shutter: Shutter) -> None:
    """Put a shutter in front of a finished pipeline.

    Side effect: replaces a method of the pipeline's input.
    """
    push = microphone.push_audio_frame

    async def push_audio_frame(frame: InputAudioRawFrame) -> None:
        if shutter.admits(frame):
            await push(frame)

    microphone.push_audio_frame = push_audio_frame  # type: ignore[method-assign]


def hush(speaker: BaseOutputTransport, hushed: Callable[[], bool]) -> None:
    """Play silence instead of sound while `hushed`; it takes as long as the sound would have.

    Side effect: replaces a method of the pipeline's output.
    """
    write = speaker.write_audio_frame

    async def write_audio_frame(frame: OutputAudioRawFrame) -> bool:
        if hushed():
            frame.audio = bytes(len(frame.audio))
        return await write(frame)

    speaker.write_audio_frame = write_audio_frame  # type: ignore[method-assign]
