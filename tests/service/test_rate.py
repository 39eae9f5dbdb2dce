"""A token bucket gives what it promised, and no more, whatever the clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from greenroom.service.rate import RateLimit


def test_a_burst_is_there_at_once_and_then_what_time_brings() -> None:
    rate = RateLimit(per_s=2, burst=10)
    assert rate.wait_s("a", 10, now=0.0) == 0.0
    assert rate.wait_s("a", 1, now=0.0) == 0.5
    assert rate.wait_s("b", 1, now=0.0) == 0.0, "everybody has a bucket of their own"
    assert rate.wait_s("a", 1, now=0.5) == 0.0


def test_what_is_refused_takes_nothing() -> None:
    rate = RateLimit(per_s=1, burst=10)
    assert rate.wait_s("a", 8, now=0.0) == 0.0
    assert rate.wait_s("a", 8, now=0.0) == 6.0
    assert rate.wait_s("a", 2, now=0.0) == 0.0


def test_a_clock_set_back_takes_nothing_away_and_gives_nothing() -> None:
    rate = RateLimit(per_s=1, burst=10)
    assert rate.wait_s("a", 10, now=1_000.0) == 0.0
    assert rate.wait_s("a", 1, now=0.0) == 1.0
    assert rate.wait_s("a", 1, now=1.0) == 0.0


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    rate = RateLimit(per_s=1, burst=10, most_keys=3)
    assert rate.wait_s("often", 10, now=0.0) == 0.0
    for number in range(100):
        rate.wait_s(f"key-{number}", 1, now=0.0)
        assert rate.wait_s("often", 1, now=0.0) > 0, "what is used is not forgotten"
    assert len(rate) == 3


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 10)), max_size=50))
def test_nobody_gets_more_than_the_burst_and_the_rate(asked: list[tuple[float, float]]) -> None:
    rate, now, granted = RateLimit(per_s=3, burst=10), 0.0, 0.0
    for pause, cost in asked:
        now += pause
        wait_s = rate.wait_s("a", cost, now)
        assert wait_s >= 0
        if wait_s == 0:
            granted += cost
        else:
            assert rate.wait_s("a", cost, now + wait_s + 1e-6) == 0.0
            now += wait_s + 1e-6
            granted += cost
        assert granted <= 10 + 3 * now + 1e-6
