"""Words that an interruption overtakes are not spoken after it, and nothing else is lost."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pipecat.frames.frames import (
    ControlFrame,
    Frame,
    InterruptionFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors import frame_processor
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorQueue,
)
from pipecat.tests.utils import run_test

from greenroom.bot.conversation import ShowFrame
from greenroom.bot.espeak import EspeakTTSService
from greenroom.bot.farewell import FarewellEndFrame
from greenroom.bot.overtaking import OrderlyQueue, keep_order


@dataclass
class Typed(ControlFrame):
    """Somebody types two messages before anything else gets to work."""


class Answers(FrameProcessor):
    """Says something to each of the two, as a conversation does: the second interrupts."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, Typed):
            await self.push_frame(InterruptionFrame())
            await self.push_frame(TTSSpeakFrame("This is the answer to the first."))
            await self.push_frame(InterruptionFrame())
            await self.push_frame(TTSSpeakFrame("And this to the second."))
        else:
            await self.push_frame(frame, direction)


async def spoken_for(frame: Frame) -> list[str]:
    """What a voice says behind `Answers`."""
    down, _ = await run_test(
        Pipeline([Answers(), EspeakTTSService()]), frames_to_send=[frame], start_timeout=10
    )
    return [frame.text for frame in down if isinstance(frame, TTSTextFrame)]


async def test_only_the_answer_to_the_newest_message_is_spoken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frame_processor, "FrameProcessorQueue", FrameProcessorQueue)
    keep_order()
    assert await spoken_for(Typed()) == ["And this to the second."]


def goodbye() -> TTSSpeakFrame:
    frame = TTSSpeakFrame("Goodbye!")
    frame.interruptible = False
    return frame


async def test_what_is_not_the_bot_s_to_take_back_stays_in_its_order() -> None:
    queue = OrderlyQueue()
    heard = TranscriptionFrame("forty two", "", "")
    kept = [heard, ShowFrame(), goodbye(), FarewellEndFrame()]
    words = [TTSSpeakFrame("Right!"), TTSAudioRawFrame(bytes(320), 16_000, 1)]
    after = TTSSpeakFrame("Yes?")
    interruption = InterruptionFrame()
    for frame in (kept[0], words[0], *kept[1:], words[1], interruption, after):
        await queue.put((frame, FrameDirection.DOWNSTREAM, None))
    taken = []
    while not queue.empty():
        frame, _, _ = await queue.get()
        queue.task_done()
        taken.append(frame)
    assert taken == [interruption, *kept, after]
    await queue.join()  # and nobody waits for what was dropped
