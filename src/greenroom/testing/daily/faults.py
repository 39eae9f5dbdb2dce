"""Misfortune to order: answers that fail, come late, or get lost after the deed was done."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, replace

from greenroom.testing.daily.refusals import Refusal, broken, too_many


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong.

    Attributes:
        status: What is answered instead: 500, 503, or 429 with ``Retry-After``; None: nothing
            else, the answer is only late.
        method: Of which requests; ``*``: of any.
        path: Of which paths behind ``/v1``, as a shell pattern: ``/rooms``, ``/rooms/*/eject``.
        times: How often; None: until ``until``.
        until: Not after this time (seconds since the epoch).
        done: The request is carried out first, and only its answer is lost.
        delay_s: The answer waits for so long, in real time.
    """

    status: int | None = 500
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    until: float = math.inf
    done: bool = False
    delay_s: float = 0.0

    def refusal(self, now: float) -> Refusal | None:
        """What is answered instead."""
        if self.status is None:
            return None
        if self.status == 429:
            return too_many(1 if math.isinf(self.until) else max(1, math.ceil(self.until - now)))
        return broken(self.status)


class Faults:
    """The faults that wait for their request, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Let it go wrong from the next request on that fits."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self._waiting.clear()

    def take(self, method: str, path: str, now: float) -> Fault | None:
        """The fault that strikes this request, if any; it is used up once."""
        self._waiting = [fault for fault in self._waiting if now < fault.until]
        for place, fault in enumerate(self._waiting):
            fits = fault.method in ("*", method) and fnmatch.fnmatchcase(path, fault.path)
            if not fits:
                continue
            if fault.times is not None:
                left = replace(fault, times=fault.times - 1)
                self._waiting[place : place + 1] = [left] if left.times else []
            return fault
        return None
