"""What a pipeline is made of."""

from __future__ import annotations

from collections.abc import Iterator

from pipecat.processors.frame_processor import FrameProcessor


def parts_of(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    """A processor and all that it is made of."""
    yield processor
    for part in processor.processors:
        yield from parts_of(part)
