"""Lets a model that hears and speaks by itself say what others want said, and be told things.

Pipecat's services of that kind speak only what they think of themselves: words for a voice
(``TTSSpeakFrame``) would pass them unheard, and messages for the model would be held back by the
aggregator of the user's words, which knows no other way to have a model answer than a turn.
`OwnVoice` asks the model to say the words, brings it the messages, and has a voice in reserve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    DataFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from greenroom.bot.espeak import ESPEAK_RATE_HZ, Espeak, EspeakFailed
from greenroom.bot.farewell import FarewellEndFrame
from greenroom.bot.parts import message
from greenroom.bot.services.openai_realtime import (
    is_answering,
    is_openai,
    owe_an_answer,
    stop_answering,
    tell_as_user,
)

log = structlog.get_logger("greenroom.bot.own_voice")

# A farewell is said in any case: if the model has not begun after this time, by the reserve.
FAREWELL_BEGINS_WITHIN_S = 3.0
_SAY = "Say exactly this to the user now, word for word, and nothing else: {text}"


@dataclass
class ToldFrame(DataFrame):
    """Messages on their way to the model, which the user's aggregator is to let pass."""

    messages: list[LLMContextMessage] = field(default_factory=list)
    run_llm: bool = False


@dataclass(slots=True)
class _Words:
    """What the model was asked to say.

    Attributes:
        text: The words.
        is_farewell: They are its last.
        told: The model was told of the wish.
        asked: And it was asked for its answer, to that and to nothing else.
        begun: That answer has begun.
        sounded: And is heard.
    """

    text: str
    is_farewell: bool
    told: bool = False
    asked: bool = False
    begun: bool = False
    sounded: bool = False


class OwnVoice:
    """Three processors round a model that speaks by itself; they know of each other by this.

    Args:
        model: The model that is asked at present.
        context: What was said, kept beside what the model remembers itself.
        reserve: Speaks when the model cannot; None: then nobody does.

    Attributes:
        before: Stands before the aggregator of the user's words.
        into: Stands right before the model.
        behind: Stands behind the model and whoever watches it.
        live: Set once the model was told the conversation and answers; cleared when its
            connection is lost.
        said: Set while nothing of what it has answered is still to be heard.
        lost: Whether it cannot speak just now, so that the reserve does.
        answering: Whether an answer is on its way.
        answered: Whether an answer has come to its end; reset by whoever counts failures.
    """

    def __init__(
        self, model: Callable[[], Any], context: LLMContext, reserve: Espeak | None
    ) -> None:
        self.model = model
        self.context = context
        self.reserve = reserve
        self.live = asyncio.Event()
        self.said = asyncio.Event()
        self.said.set()
        self.lost = False
        self.answering = False
        self.answered = False
        self.words: _Words | None = None
        self.before = Before(self)
        self.into = Into(self)
        self.behind = Behind(self)

    async def ready_to_ask_again(self) -> None:
        """Before the connection is made anew: the model owes an answer then.

        Pipecat tells a new session of the conversation only if it does.
        """
        self.behind.passed.clear()
        await self.model().queue_frame(LLMMessagesAppendFrame([], run_llm=False))
        try:
            async with asyncio.timeout(1.0):
                await self.behind.passed.wait()
        except TimeoutError:
            log.warning("own_voice.model_is_stuck")
        if self.answering:
            await self.behind.close_answer()
        self.live.clear()


class _Part(FrameProcessor):
    """A processor that knows of the others by what they share."""

    def __init__(self, voice: OwnVoice) -> None:
        super().__init__()
        self._voice = voice


class Before(_Part):
    """Turns words for a voice into a wish, and wraps what the model is to be told."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Wrap what is for the model; pass everything else on."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM:
            match frame:
                case TTSSpeakFrame() if not self._voice.lost:
                    told = message("developer", _SAY.format(text=frame.text))
                    wish = ToldFrame([told], run_llm=True)
                    wish.interruptible = frame.interruptible
                    self._voice.words = _Words(frame.text, not frame.interruptible)
                    frame = wish
                case LLMMessagesAppendFrame():
                    frame = ToldFrame(list(frame.messages), run_llm=bool(frame.run_llm))
                case LLMRunFrame():
                    frame = ToldFrame(run_llm=True)
        await self.push_frame(frame, direction)


class Into(_Part):
    """Brings the model what it is told, and tells it to stop when it is interrupted."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Unwrap what is for the model; pass everything else on."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM:
            if isinstance(frame, ToldFrame):
                frame = await self._for_the_model(frame)
            elif isinstance(frame, InterruptionFrame):
                await self._stop()
        await self.push_frame(frame, direction)

    async def _for_the_model(self, told: ToldFrame) -> LLMMessagesAppendFrame:
        messages = told.messages
        model = self._voice.model()
        if self._voice.live.is_set() and is_openai(model):
            messages = []
            for one in told.messages:
                if isinstance(one, dict) and one.get("role") == "user":
                    await tell_as_user(model, str(one.get("content")))
                    self._voice.context.add_message(one)
                else:
                    messages.append(one)
            if told.run_llm:
                owe_an_answer(model)
        frame = LLMMessagesAppendFrame(messages, run_llm=told.run_llm)
        frame.interruptible = told.interruptible
        return frame

    async def _stop(self) -> None:
        words = self._voice.words
        if words is not None and not words.is_farewell:
            self._voice.words = None
        model = self._voice.model()
        if is_openai(model) and (self._voice.answering or is_answering(model)):
            await stop_answering(model)


class Behind(_Part):
    """Sees what the model says, holds the farewell's end until it is said, and has the reserve."""

    def __init__(self, voice: OwnVoice) -> None:
        super().__init__(voice)
        self.passed = asyncio.Event()
        self._end: FarewellEndFrame | None = None
        self._deadline: asyncio.Task[None] | None = None
        self._reserve_speaks = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass on what is to be heard, in order."""
        await super().process_frame(frame, direction)
        voice = self._voice
        if direction is not FrameDirection.DOWNSTREAM:
            if isinstance(frame, BotStoppedSpeakingFrame):
                voice.said.set()
            elif isinstance(frame, LLMContextFrame):
                self._asked()
            await self.push_frame(frame, direction)
            return
        match frame:
            case LLMFullResponseStartFrame():
                if voice.words is not None and voice.words.asked and not voice.answering:
                    voice.words.begun = True
                voice.answering = True
                voice.live.set()
            case TTSAudioRawFrame() if self._reserve_speaks:
                return  # too late
            case TTSAudioRawFrame():
                voice.said.clear()
                voice.lost = False
                if voice.words is not None and voice.words.begun:
                    voice.words.sounded = True
            case TTSSpeakFrame():
                await self._speak(frame.text)
                return
            case FarewellEndFrame() if self._is_awaited:
                self._end = frame
                self._deadline = asyncio.create_task(self._hurry())
                return
            case LLMMessagesAppendFrame():
                self.passed.set()
                if voice.words is not None:
                    voice.words.told = True
        await self.push_frame(frame, direction)
        if isinstance(frame, LLMFullResponseEndFrame):
            await self._answered()

    async def close_answer(self) -> None:
        """No more comes of the answer that was on its way: what was said of it is all of it."""
        await self.push_frame(TTSStoppedFrame())
        await self.push_frame(LLMFullResponseEndFrame())
        self._voice.answering = False

    async def cleanup(self) -> None:
        """The pipeline is over."""
        await super().cleanup()
        if self._deadline is not None:
            self._deadline.cancel()

    @property
    def _is_awaited(self) -> bool:
        return self._voice.words is not None or self._voice.answering

    def _asked(self) -> None:
        """The model is asked. It may be about to answer the user, and the wish after that."""
        voice, model = self._voice, self._voice.model()
        if voice.words is None or not voice.words.told:
            return
        voice.words.asked = True
        if is_openai(model) and is_answering(model):
            voice.answering = True

    async def _answered(self) -> None:
        voice = self._voice
        voice.answering = False
        voice.answered = True
        if voice.words is not None and voice.words.sounded:
            voice.words = None
        if self._end is not None and not self._is_awaited:
            await self._let_go()

    async def _hurry(self) -> None:
        """The farewell's end is held: if the model does not begin with it, the reserve does."""
        await asyncio.sleep(FAREWELL_BEGINS_WITHIN_S)
        words = self._voice.words
        if words is None or words.sounded:
            return
        self._voice.words = None
        self._reserve_speaks = True
        log.warning("own_voice.reserve_says_farewell")
        await self._speak(words.text)
        await self._let_go()

    async def _let_go(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            await self.push_frame(end)

    async def _speak(self, text: str) -> None:
        """Say it with the voice in reserve."""
        reserve = self._voice.reserve
        if reserve is None:
            return
        await self.push_frame(TTSStartedFrame())
        await self.push_frame(TTSTextFrame(text, text_type=TextType.SENTENCE))
        try:
            async for pcm in reserve.speak(text):
                await self.push_frame(TTSAudioRawFrame(pcm, ESPEAK_RATE_HZ, 1))
        except EspeakFailed:
            log.warning("own_voice.reserve_failed")
        await self.push_frame(TTSStoppedFrame())
