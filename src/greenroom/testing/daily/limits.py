"""How often Daily lets itself be asked: one rate for most calls, one for the heavy ones."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from greenroom.testing.daily.refusals import too_many


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests that are taken in any one second; None: any number.

    The defaults are the documented ones: 20 a second, of DELETE and of lists 2
    (https://docs.daily.co/docs/rest-api/authentication, “Rate limits”).
    """

    most_per_s: int | None = 20
    heavy_per_s: int | None = 2


NO_LIMITS = Limits(None, None)


class Pace:
    """Counts the requests of one rate by a clock that is passed in."""

    def __init__(self, most_per_s: int | None) -> None:
        self._most = most_per_s
        self._taken: deque[float] = deque()

    def take(self, now: float) -> None:
        """One more request; one that is refused does not count.

        Raises:
            Refusal: It is one too many; 429 with ``Retry-After``.
        """
        if self._most is None:
            return
        while self._taken and not 0 <= now - self._taken[0] < 1.0:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            raise too_many(max(1, math.ceil(self._taken[0] + 1.0 - now)))
        self._taken.append(now)
