"""Watches a model think: what takes too long is given up, and what failed is told in words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames.frames import (
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

# Nobody waits longer for the first word of an answer; most models begin within two seconds.
FIRST_WORD_WITHIN_S = 10.0
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
        first_word_within_s: How long an answer may take to begin.

    Attributes:
        before: Its other half.
    """

    def __init__(
        self,
        active: Callable[[], LLMService[Any]],
        failed: Callable[[bool], Awaitable[None]],
        empty: Callable[[], Awaitable[None]],
        first_word_within_s: float = FIRST_WORD_WITHIN_S,
    ) -> None:
        super().__init__()
        self._active = active
        self._failed = failed
        self._empty = empty
        self.before: FrameProcessor = _Before(self._cut_off)
        self._is_empty = False
        self._is_cut_off = False
        self._within_s = first_word_within_s
        self._failures = 0
        self._waiting: asyncio.Task[None] | None = None

    @property
    def thinks(self) -> bool:
        """Whether an answer is awaited of which there is no word yet."""
        return self._waiting is not None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take note of how an answer comes along; pass everything on."""
        await super().process_frame(frame, direction)
        match frame:
            case LLMFullResponseStartFrame():
                self._stop_waiting()
                self._is_empty = True
                self._waiting = asyncio.create_task(self._wait())
            case LLMTextFrame() | FunctionCallsStartedFrame():
                self._failures = 0
                self._is_empty = False
                self._stop_waiting()
            case LLMFullResponseEndFrame() if self._is_empty and not self._is_cut_off:
                self._stop_waiting()
                self._is_empty = False
                await self._came_to_nothing()
            case InterruptionFrame():
                self._stop_waiting()
                self._is_empty = self._is_cut_off = False
            case LLMFullResponseEndFrame() | EndFrame() | CancelFrame():
                self._stop_waiting()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """The pipeline is over."""
        await super().cleanup()
        self._stop_waiting()

    def erred(self) -> None:
        """A model says that it failed: its answer is no empty one."""
        self._is_empty = False

    async def _came_to_nothing(self) -> None:
        self._failures += 1
        if self._failures == 1:
            await self._empty()
        else:
            await self._failed(self._failures >= MOST_FAILURES)

    async def reached_the_end(self, error: ErrorFrame) -> None:
        """An error of the model's has come through to the pipeline's beginning."""
        if nobody_waits_for(error):
            return
        self._stop_waiting()
        self._failures += 1
        permanent = error.category is not None and error.category.is_permanent
        await self._failed(permanent or self._failures >= MOST_FAILURES)

    def _cut_off(self) -> None:
        """An interruption is on its way through the model."""
        self._is_cut_off = True

    def _stop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    async def _wait(self) -> None:
        await asyncio.sleep(self._within_s)
        self._waiting = None
        self._is_empty = False  # it is late, which is told once
        llm = self._active()
        # The interruption has it give up what it waits for.
        await llm.queue_frame(InterruptionFrame())
        await llm.push_error(
            "no answer in time",
            exception=TimeoutError("no answer in time"),
            category=ErrorCategory.CONNECTIVITY,
        )
