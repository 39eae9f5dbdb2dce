"""The limits of one launch, without processes and without waiting."""

from __future__ import annotations

import dataclasses

import pytest

from greenroom.launch.watch import DUMP_S, SETTLE_S, Measure, Now, Watch
from greenroom.ports.launcher import ExitCause
from tests.launch.helpers import an_order

BEGIN = Now(monotonic_s=1000.0, epoch_s=1_700_000_000.0)
ORDER = an_order(join_within_s=30, wall_clock_s=600, memory_limit_bytes=100)


def after(s: float, *, clock_set_by_s: float = 0.0) -> Now:
    return Now(BEGIN.monotonic_s + s, BEGIN.epoch_s + s + clock_set_by_s)


def measures(watch: Watch, until_s: float, step_s: float = 0.1) -> list[tuple[float, Measure]]:
    """Everything that becomes due, with its time, as a loop would meet it."""
    ticks = (round(step_s * n, 3) for n in range(int(until_s / step_s) + 1))
    due = ((at_s, watch.due(after(at_s))) for at_s in ticks)
    return [(at_s, measure) for at_s, measure in due if measure is not Measure.NOTHING]


def test_a_bot_that_never_joins_is_asked_where_it_hangs_and_killed() -> None:
    watch = Watch(ORDER, BEGIN)
    assert measures(watch, 31) == [(30.0, Measure.DUMP), (30.0 + DUMP_S, Measure.KILL)]
    assert watch.cause is ExitCause.JOIN_DEADLINE


def test_a_bot_that_joined_lives_until_the_wall_clock() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.joined()
    assert measures(watch, 601) == [(600.0, Measure.KILL)]
    assert watch.cause is ExitCause.WALL_CLOCK


@pytest.mark.parametrize(("set_by_s", "killed"), [(0.0, False), (3600.0, True), (-3600.0, False)])
def test_time_slept_through_counts_on_the_wall_clock(set_by_s: float, killed: bool) -> None:
    """FAILURES 21: a laptop sleeps for an hour."""
    watch = Watch(ORDER, BEGIN)
    watch.joined()
    due = watch.due(after(10, clock_set_by_s=set_by_s))
    assert due is (Measure.KILL if killed else Measure.NOTHING)


def test_a_clock_set_back_prolongs_nothing() -> None:
    """FAILURES 21: the machine\'s clock jumps."""
    watch = Watch(ORDER, BEGIN)
    watch.joined()
    assert watch.due(after(600, clock_set_by_s=-3600)) is Measure.KILL


def test_an_end_goes_from_polite_to_certain() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.end(BEGIN, polite_s=5, term_s=3)
    assert measures(watch, 20) == [
        (5.0, Measure.TERM),
        (8.0 - DUMP_S, Measure.DUMP),
        (8.0, Measure.KILL),
        (8.0 + SETTLE_S, Measure.SETTLE),
    ]
    assert watch.cause is ExitCause.ENDED


def test_a_second_end_hurries_and_never_delays() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.end(BEGIN, polite_s=5, term_s=3)
    watch.end(after(1), polite_s=0, term_s=0.2)
    watch.end(after(1), polite_s=60, term_s=60)
    assert measures(watch, 3) == [(1.0, Measure.TERM), (1.2, Measure.KILL)]


def test_the_wall_clock_cuts_a_long_polite_end_short() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.joined()
    watch.end(after(599), polite_s=3600, term_s=60)
    assert measures(watch, 601) == [(600.0, Measure.KILL)]
    assert watch.cause is ExitCause.ENDED


def test_too_much_private_memory_is_killed_at_once() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.saw_memory(after(1), 100)
    assert watch.due(after(1)) is Measure.NOTHING
    watch.saw_memory(after(2), 101)
    assert watch.due(after(2)) is Measure.KILL
    assert watch.cause is ExitCause.MEMORY


def test_a_tick_that_comes_late_goes_straight_to_the_kill() -> None:
    watch = Watch(ORDER, BEGIN)
    watch.end(BEGIN, polite_s=1, term_s=1)
    assert watch.due(after(2.5)) is Measure.KILL


def test_the_next_moment_is_never_later_than_the_next_measure() -> None:
    watch = Watch(dataclasses.replace(ORDER, wall_clock_s=20.0), BEGIN)
    watch.end(after(1), polite_s=2, term_s=3)
    seen: list[Measure] = []
    while Measure.SETTLE not in seen:
        seen.append(watch.due(after(watch.next_at_s() - BEGIN.monotonic_s)))
    assert seen == [Measure.TERM, Measure.DUMP, Measure.KILL, Measure.SETTLE]
