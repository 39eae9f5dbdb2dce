"""What a pipeline is made of, and what goes into a model's context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from pipecat.processors.aggregators.llm_context import LLMContextMessage
from pipecat.processors.frame_processor import FrameProcessor


def parts_of(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    """A processor and all that it is made of."""
    yield processor
    for part in processor.processors:
        yield from parts_of(part)


def message(role: Literal["developer", "user"], text: str) -> LLMContextMessage:
    """A message of a conversation, for a model's context. ``developer``: the application's word."""
    return cast(LLMContextMessage, {"role": role, "content": text})
