"""Stretches of time in which somebody could not be had; they may overlap."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Span = tuple[float, float]


class Spans:
    """Stretches of the machine's own time, which nobody moves."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    @contextmanager
    def during(self) -> Iterator[None]:
        """From here to the end of the block."""
        began = time.time()
        try:
            yield
        finally:
            self.all.append((began, time.time()))


def outside_s(begin: float, end: float, *excused: Iterable[Span]) -> float:
    """How much of a stretch is in none of those spans."""
    spans = sorted(span for spans in excused for span in spans)
    left_s, at = 0.0, begin
    for a, b in spans:
        left_s += max(0.0, min(a, end) - at) if a > at else 0.0
        at = max(at, min(b, end))
        if at >= end:
            return left_s
    return left_s + max(0.0, end - at)
