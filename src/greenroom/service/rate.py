"""How much anybody may do in how little time: a token bucket each, with the time passed in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """Buckets by key, in memory: full at first, and filled again as time passes.

    Of the keys that were used longest ago the buckets are forgotten, and are full again.

    Args:
        per_s: Tokens that a bucket gains in a second.
        burst: What a bucket holds.
        most_keys: Buckets that are remembered.
    """

    def __init__(self, *, per_s: float, burst: float, most_keys: int = 10_000) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, key: str, cost: float, now: float) -> float:
        """Take so many tokens; if they are not there, take none.

        Args:
            key: Whose bucket.
            cost: How many; never more than ``burst``, or nobody could wait long enough.
            now: Seconds, of any clock; one that is set back takes nothing away.

        Returns:
            0.0 if they were taken; else the seconds until they will be there.
        """
        assert cost <= self._burst
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        gained = max(0.0, now - bucket.at) * self._per_s
        bucket.tokens = min(self._burst, bucket.tokens + gained)
        bucket.at = now
        if cost > bucket.tokens:
            return (cost - bucket.tokens) / self._per_s
        bucket.tokens -= cost
        return 0.0
