"""How much one address may use, and how fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from greenroom.wire.relay import MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a relay.

    Attributes:
        body_bytes: Of one request, and of one answer.
        kept: Requests kept for one address, waiting or passed.
        kept_bytes: Their size.
        kept_s: How long they are kept.
        addresses: Addresses for which anything is kept.
        all_bytes: Size of everything that is kept.
        per_s: Requests a second to one address, on average.
        burst: Requests to one address at a moment.
        hop_s: How long a sender waits for the application's answer.
        at_once: Requests under way to one application.
    """

    body_bytes: int = MAX_BODY_BYTES
    kept: int = 500
    kept_bytes: int = 16 * 1024 * 1024
    kept_s: float = 86_400.0
    addresses: int = 200
    all_bytes: int = 512 * 1024 * 1024
    per_s: float = 50.0
    burst: int = 200
    hop_s: float = 25.0
    at_once: int = 16


class Rate:
    """A token bucket.

    Args:
        per_s: Tokens a second.
        burst: Most tokens at a time.
        now: The time in seconds.
    """

    def __init__(self, per_s: float, burst: int, now: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._now = now
        self._tokens = float(burst)
        self._filled_at = now()

    def take(self) -> float:
        """Take one. Returns 0, or, if there is none, after how many seconds there will be."""
        now = self._now()
        gained = max(0.0, now - self._filled_at) * self._per_s
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_s
        self._tokens -= 1
        return 0.0
