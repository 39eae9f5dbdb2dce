"""Watches a model think: what takes too long is given up, and what failed is told in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FunctionCallsStartedFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

from greenroom.bot.services.failover import nobody_waits_for

# Nobody waits longer for a model that gives no sign of life; most begin within two seconds.
SIGN_WITHIN_S = 10.0
# Nor for one that gives signs, but neither a word nor a tool to call: it writes the arguments of a
# tool, a page of HTML perhaps, or thinks in words that are for nobody.
WORDS_WITHIN_S = 60.0
# A model that fails so often in a row will fail again.
MOST_FAILURES = 3
SORRY = "I cannot think just now. Please say that again in a moment."
GIVING_UP = "I am sorry, I cannot think any more. Goodbye!"


class _Before(FrameProcessor):
    """Stands right before the model, where an interruption comes by first."""

    def __init__(self, cut_off: Callable[[], None]) -> None:
        super().__init__()
        self._cut_off = cut_off

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take note of interruptions; pass everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and direction is FrameDirection.DOWNSTREAM:
            self._cut_off()
        await self.push_frame(frame, direction)


class Thinking(FrameProcessor):
    """Stands right behind the language model, and with its other half right before it.

    A model that is interrupted ends its answer before it lets the interruption through. By what
    comes out of it alone, whoever spoke on while it thought would have got an empty answer.

    Args:
        active: The model that is asked at present.
        failed: Awaited when an answer failed and nothing took its place; with whether there is
            no use in going on.
        empty: Awaited when an answer came to its end with nothing in it: no words, and no call
            of a tool that could be read.
        sign_within_s: How long an answer may take to begin, and to go on.
        words_within_s: How long an answer that goes on may be without a word.

    Attributes:
        before: Its other half.
        has_words: Whether the latest answer has some, or calls a tool.
    """

    def __init__(
        self,
        active: Callable[[], LLMService[Any]],
        failed: Callable[[bool], Awaitable[None]],
        empty: Callable[[], Awaitable[None]],
        sign_within_s: float = SIGN_WITHIN_S,
        words_within_s: float = WORDS_WITHIN_S,
    ) -> None:
        super().__init__()
        self._active = active
        self._failed = failed
        self._empty = empty
        self.before: FrameProcessor = _Before(self._cut_off)
        self.has_words = False
        self._answers = False
        self._uses_tools = False
        self._is_unheard = False
        self._has_failed = False
        self._is_cut_off = False
        self._sign_within_s = sign_within_s
        self._words_within_s = words_within_s
        self._began_s = 0.0
        self._sign_s = 0.0
        self._silent = asyncio.Event()
        self._silent.set()
        self._failures = 0
        self._waiting: asyncio.Task[None] | None = None

    @property
    def thinks(self) -> bool:
        """Whether an answer is on its way to be heard, or a tool at work that it called for."""
        return self._answers or self._uses_tools or self._is_unheard

    def listen_to(self, model: LLMService[Any]) -> None:
        """Have signs of life of this model, which makes no frame of every piece that it gets.

        Also of its death: an answer that failed is no empty one. Side effect: replaces a method
        of the model's, which Pipecat calls for each piece.
        """
        stop = model.stop_ttfb_metrics

        async def erred(model: LLMService[Any], error: ErrorFrame) -> None:
            self._has_failed = True

        async def stop_ttfb_metrics(*, end_time: float | None = None) -> None:
            self._sign()
            await stop(end_time=end_time)

        model.add_event_handler("on_error", erred)
        model.stop_ttfb_metrics = stop_ttfb_metrics  # type: ignore[method-assign]

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take note of how an answer comes along; pass everything on."""
        await super().process_frame(frame, direction)
        match frame:
            case LLMFullResponseStartFrame():
                self._begin()
            case LLMTextFrame():
                self._go_on(frame.text)
            case FunctionCallsStartedFrame():
                self._uses_tools = self.has_words = True
                self._stop_waiting()
            case LLMFullResponseEndFrame():
                await self._end()
            case InterruptionFrame() | EndFrame() | CancelFrame():
                self._forget()
            case BotStartedSpeakingFrame():
                self._silent.clear()
                self._is_unheard = False
            case BotStoppedSpeakingFrame():
                self._silent.set()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """The pipeline is over."""
        await super().cleanup()
        self._stop_waiting()

    async def reached_the_end(self, error: ErrorFrame) -> None:
        """An error of the model's has come through to the pipeline's beginning."""
        if nobody_waits_for(error):
            return
        self._stop_waiting()
        self._failures += 1
        permanent = error.category is not None and error.category.is_permanent
        await self._failed(permanent or self._failures >= MOST_FAILURES)

    async def interrupt(self) -> None:
        """Cut off what is thought and said, whoever may not be interrupted.

        From here: while such an assistant speaks, Pipecat lets no interruption past its ears.
        """
        self._cut_off()
        await self.before.broadcast_interruption()

    # ---- an answer

    def _begin(self) -> None:
        self._stop_waiting()
        self._answers = True
        self._uses_tools = self._is_unheard = self._has_failed = self.has_words = False
        self._sign()
        self._began_s = self._sign_s
        self._waiting = asyncio.create_task(self._wait())

    def _go_on(self, text: str) -> None:
        self._sign()
        # Line ends, or a smiley, are not heard.
        if self.has_words or not any(character.isalnum() for character in text):
            return
        self.has_words = True
        if self._speaks_itself:
            self._stop_waiting()
            self._answers = False

    async def _end(self) -> None:
        self._stop_waiting()
        self._answers = False
        if self._has_failed or self._is_cut_off:
            return
        if self.has_words:
            self._failures = 0
            self._is_unheard = self._silent.is_set() and not self._speaks_itself
        else:
            await self._came_to_nothing()

    def _forget(self) -> None:
        self._stop_waiting()
        self._answers = self._uses_tools = self._is_unheard = False
        self._has_failed = self._is_cut_off = False

    async def _came_to_nothing(self) -> None:
        self._failures += 1
        if self._failures == 1:
            await self._empty()
        else:
            await self._failed(self._failures >= MOST_FAILURES)

    def _cut_off(self) -> None:
        """An interruption is on its way through the model."""
        self._is_cut_off = True

    @property
    def _speaks_itself(self) -> bool:
        """Such a model says nothing for as long as it speaks, or a tool of its works."""
        return self._active().service_metadata_frame().is_realtime_service

    # ---- how long it takes

    def _sign(self) -> None:
        self._sign_s = time.monotonic()

    @property
    def _left_s(self) -> float:
        """How much longer it may take until there is more of it."""
        due_s = self._sign_s + self._sign_within_s
        if not self.has_words:
            due_s = min(due_s, self._began_s + self._words_within_s)
        return due_s - time.monotonic()

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    async def _wait(self) -> None:
        while (left_s := self._left_s) > 0 or not self._silent.is_set():
            await asyncio.sleep(max(left_s, 0.0))
            # What there was of it is heard to its end.
            await self._silent.wait()
        self._waiting = None
        self._has_failed = True  # it is late, which is told once
        llm = self._active()
        # The interruption has it give up what it waits for.
        await llm.queue_frame(InterruptionFrame())
        await llm.push_error(
            "no answer in time",
            exception=TimeoutError("no answer in time"),
            category=ErrorCategory.CONNECTIVITY,
        )
