"""How often somebody may ask: exact in a minute, fair to others, and bounded in memory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import RateLimited
from greenroom.service.rates import PERIOD_S, Rates
from greenroom.session.rates import PER_MIN, Rate


@dataclass
class Watch:
    """A clock that the test sets."""

    at_s: float = 1_000.0

    def __call__(self) -> float:
        return self.at_s


def passes(rates: Rates, who: str = "ada", rate: Rate = Rate.STARTS) -> bool:
    try:
        rates.take(rate, who)
    except RateLimited:
        return False
    return True


@pytest.mark.parametrize("per_min", [1, 3, 7, 30, 6_000])
def test_as_many_as_a_minute_allows_at_once_and_not_one_more(per_min: int) -> None:
    watch = Watch()
    rates = Rates({Rate.STARTS: per_min}, monotonic=watch)
    assert [passes(rates) for _ in range(per_min)] == [True] * per_min
    with pytest.raises(RateLimited) as caught:
        rates.take(Rate.STARTS, "ada")
    wait_s = caught.value.retry_after_s or 0.0
    assert wait_s == pytest.approx(PERIOD_S / per_min)
    assert caught.value.as_json()["facts"] == {"rate": "starts", "perMin": per_min}
    assert passes(rates, "bob"), "others have a bucket of their own"
    assert passes(rates, rate=Rate.OFFERS), "what has no limit is not counted"
    watch.at_s += wait_s
    assert passes(rates)
    assert not passes(rates)
    watch.at_s += PERIOD_S
    assert [passes(rates) for _ in range(per_min + 1)] == [True] * per_min + [False]


def test_what_counts_for_several_takes_as_much_or_nothing() -> None:
    rates = Rates({Rate.REPORTS: 60}, monotonic=Watch())
    rates.take(Rate.REPORTS, "lau_1", 50)
    with pytest.raises(RateLimited) as caught:
        rates.take(Rate.REPORTS, "lau_1", 20)
    assert caught.value.retry_after_s == pytest.approx(10)
    rates.take(Rate.REPORTS, "lau_1", 10)
    rates.take(Rate.REPORTS, "lau_2", 100)  # more than a minute's worth is a minute's worth


@given(st.integers(1, 20), st.lists(st.floats(0, 30), max_size=200))
def test_in_no_minute_more_than_twice_as_many(per_min: int, pauses_s: list[float]) -> None:
    """A full bucket, and what it is filled by meanwhile."""
    watch = Watch()
    rates = Rates({Rate.STARTS: per_min}, monotonic=watch)
    passed_at: list[float] = []
    for pause_s in pauses_s:
        watch.at_s += pause_s
        if passes(rates):
            passed_at.append(watch.at_s)
    for start in passed_at:
        within = sum(start <= at < start + PERIOD_S for at in passed_at)
        assert within <= 2 * per_min


def test_its_memory_is_bounded_whoever_comes() -> None:
    watch = Watch()
    rates = Rates({Rate.BAD_LOGINS: 5}, monotonic=watch, most_buckets=100)
    for _ in range(5):
        passes(rates, "again and again", Rate.BAD_LOGINS)
    for number in range(5_000):
        watch.at_s += 0.001
        passes(rates, f"2001:db8:{number:x}::/64", Rate.BAD_LOGINS)
        assert not passes(rates, "again and again", Rate.BAD_LOGINS), "the rest push nobody out"
    assert len(rates) == 100
    watch.at_s += PERIOD_S
    passes(rates, "somebody", Rate.BAD_LOGINS)
    assert len(rates) == 1, "whoever is quiet for a minute is forgotten"


def test_every_rate_has_a_usual_measure() -> None:
    assert set(PER_MIN) == set(Rate)
