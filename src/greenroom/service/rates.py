"""How often somebody may ask: per minute, in this server's memory, and in a bounded share of it.

Each limit is a bucket that holds a minute's worth and fills evenly: kept as one number, the time at
which it will be full again (the generic cell rate algorithm, as in ATM's traffic management). These
limits keep one caller from using up what all share. What sessions cost, and how many there are, is
limited in the database, over all servers: `greenroom.session.policy`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from greenroom.errors import RateLimited
from greenroom.session.rates import Rate

PERIOD_S = 60.0
# A bucket takes about 300 bytes. Whoever was seen longest ago is forgotten first.
MOST_BUCKETS = 50_000
# Sums of fractions are off by this little.
_EPSILON_S = 1e-6


class Rates:
    """Counts calls, and refuses those that are too many.

    Args:
        per_min: How many a minute, and as many at once; None or absent: any number.
        monotonic: Seconds that only go forward.
        most_buckets: For so many callers at a time it remembers anything.
    """

    def __init__(
        self,
        per_min: Mapping[Rate, int | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        most_buckets: int = MOST_BUCKETS,
    ) -> None:
        self._per_min = per_min
        self._monotonic = monotonic
        self._most_buckets = most_buckets
        # The least recently seen first. The value: when the bucket will be full again.
        self._full_at: OrderedDict[tuple[Rate, str], float] = OrderedDict()

    def take(self, rate: Rate, who: str, count: int = 1) -> None:
        """Count a call.

        Args:
            rate: Of which kind.
            who: Whose: a user, a key, an address, a launch.
            count: For how many it counts, but for a minute's worth at most.

        Raises:
            RateLimited: It is one too many; then nothing is counted.
        """
        per_min = self._per_min.get(rate)
        if per_min is None:
            return
        now, key = self._monotonic(), (rate, who)
        takes_s = min(count, per_min) * PERIOD_S / per_min
        full_at = max(now, self._full_at.get(key, now))
        wait_s = full_at + takes_s - now - PERIOD_S
        if wait_s <= _EPSILON_S:
            self._full_at[key] = full_at + takes_s
            self._forget(now)
        if key in self._full_at:
            self._full_at.move_to_end(key)
        if wait_s > _EPSILON_S:
            raise RateLimited(
                f"Too many {_WORDS[rate]} for the moment. Try again in a little while.",
                retry_after_s=wait_s,
                rate=rate.value,
                perMin=per_min,
            )

    def _forget(self, now: float) -> None:
        """Whose bucket is full again is as good as never seen; beyond that, the oldest go."""
        while self._full_at:
            oldest, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) <= self._most_buckets:
                return
            del self._full_at[oldest]

    def __len__(self) -> int:
        """For how many callers it remembers anything."""
        return len(self._full_at)


_WORDS: Mapping[Rate, str] = {
    Rate.STARTS: "starts",
    Rate.OFFERS: "connections",
    Rate.CONTROLS: "mutes and pauses",
    Rate.MESSAGES: "messages",
    Rate.TICKETS: "tickets",
    Rate.TOKENS: "tokens",
    Rate.KEY_CALLS: "calls of this key",
    Rate.REPORTS: "reports of this launch",
    Rate.BAD_LOGINS: "tokens and keys that are not good",
}
