"""What a session costs: to the millionth of a dollar, however it is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.pricelist import read_price_list
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.budgets import BudgetKind, Budgets
from greenroom.session.cost import cost_of, spent, utc_day
from greenroom.session.deadlines import deadlines, longest_life_s
from greenroom.session.lifecycle import transition
from greenroom.session.model import (
    DeadlineKind,
    EndReason,
    Limits,
    PauseCause,
    Session,
    Stage,
)
from greenroom.session.prices import METERING_S, MICRO, Rate, Tariff, price
from greenroom.session.usage import MOST_ITEMS, OTHER, Meter, timed, used
from tests.session.happening import NOW, after, changed, opened

GONE = i.BotExited("lau_1", clean=True, code="bot_exited", message="")
EXAMPLE = read_price_list(None).prices
AN_HOUR = Limits(max_duration_s=3600, idle_s=86_400, persistence_s=86_400, pause_s=86_400)
# A third of a cent a second, and paused at a tenth of that: nothing comes out even.
TARIFF = Tariff(
    {
        "container.seconds": Rate(Decimal("0.01"), 3),
        "container.paused_seconds": Rate(Decimal("0.001"), 3),
        "room.seconds": Rate(Decimal("0.000007"), 1),
        "room.paused_seconds": Rate(Decimal(0), 1),
        "tts.characters": Rate(Decimal("0.015"), 1000),
    }
)


def paid(tariff: Tariff = TARIFF, limits: Limits = AN_HOUR, now: float = NOW) -> Session:
    """A session that is begun, and costs something."""
    return opened(limits, now=now, tariff=tariff).session


def connected(tariff: Tariff = TARIFF, limits: Limits = AN_HOUR) -> Session:
    return after(paid(tariff, limits), i.BotJoined(), i.UserJoined("page-1"))


def billed(session: Session, now: float) -> Session:
    return transition(session, i.Due(DeadlineKind.METER), now).session


def told(change: f.Change) -> list[f.Costed]:
    return [fact for fact in change.facts if isinstance(fact, f.Costed)]


# ---- the arithmetic


def test_a_forgotten_hour_costs_what_the_guide_says() -> None:
    """A forgotten session is about $1.41 an hour."""
    quantities = {
        "container.seconds": 3600 * MICRO,
        "room.seconds": 3600 * MICRO,
        "stt.audio_seconds": 3600 * MICRO,
        "llm.calls": 60 * MICRO,
        "tts.characters": 20_000 * MICRO,
    }
    cost = price(quantities, EXAMPLE.rates)
    assert cost.components == {
        "container": 100_000,
        "room": 50_000,
        "stt": 360_000,
        "llm": 600_000,
        "tts": 300_000,
    }
    assert cost.micro_usd == 1_410_000
    assert EXAMPLE.estimate(3600) == cost
    ten_tabs = 10 * cost.micro_usd
    assert ten_tabs == 14_100_000
    a_day = round(24 * ten_tabs / MICRO)
    assert (a_day, 30 * a_day) == (338, 10_140)


def test_tokens_may_be_priced_instead_of_calls() -> None:
    rates = {
        "llm.prompt_tokens": Rate(Decimal("0.0025"), 1000),
        "llm.completion_tokens": Rate(Decimal("0.01"), 1000),
    }
    used_tokens = {"llm.prompt_tokens": 1200 * MICRO, "llm.completion_tokens": 50 * MICRO}
    assert price(used_tokens, rates).components == {"llm": 3000 + 500}


@pytest.mark.parametrize(
    ("usd", "per", "quantity", "expected"),
    [
        ("0.000001", 2, 1, 0),  # half a millionth, and its even neighbour
        ("0.000001", 2, 3, 2),
        ("1000", 1, 10**7, 10**16),
        ("0.1", 3600, 1, 28),
    ],
)
def test_money_is_rounded_once_half_to_even(
    usd: str, per: int, quantity: int, expected: int
) -> None:
    assert Rate(Decimal(usd), per).micro_usd(quantity * MICRO) == expected


def test_what_has_no_price_is_kept_and_shown() -> None:
    meter = used(Meter(), "telephony", "minutes", 3)
    cost = price(meter.quantities, TARIFF.rates)
    assert (cost.components, cost.unpriced) == ({"telephony": 0}, ("telephony.minutes",))


def test_a_bot_that_invents_components_fills_no_record() -> None:
    meter = Meter()
    for number in range(1000):
        meter = used(meter, f"c{number}", "units", 1)
    assert len(meter.quantities) == MOST_ITEMS + 1
    assert meter.quantities[OTHER] == (1000 - MOST_ITEMS) * MICRO


# ---- time


TIMES = st.lists(st.floats(0, 4000, allow_nan=False), max_size=30)


@given(times=TIMES, end=st.floats(0, 4000, allow_nan=False))
def test_however_time_is_cut_it_costs_the_same(times: list[float], end: float) -> None:
    ticks = sorted(time for time in times if time < end)
    session = connected()
    for tick in ticks:
        session = billed(session, NOW + tick)
    cut, whole = after(session, GONE, now=NOW + end), after(connected(), GONE, now=NOW + end)
    assert cut.meter.quantities == whole.meter.quantities
    assert cost_of(cut) == cost_of(whole)


@given(times=st.lists(st.floats(-4000, 3600, allow_nan=False), max_size=30))
def test_a_clock_that_jumps_counts_no_second_twice(times: list[float]) -> None:
    session = connected()
    for time in times:
        session = billed(session, NOW + time)
    longest = max([0.0, *times])
    # It is due only once an interval has passed; then everything up to it is counted.
    counted = session.meter.quantities.get("container.seconds", 0)
    assert counted <= round(longest * MICRO) + 1
    assert counted >= (longest - METERING_S) * MICRO - 1


@given(
    at=st.lists(st.tuples(st.floats(0, 400_000), st.integers(0, 9)), max_size=20),
    begun=st.floats(0, 86_400),
)
def test_the_days_add_up_to_the_bill(at: list[tuple[float, int]], begun: float) -> None:
    """Whatever falls on which day, the totals are the sum over the changes, to the millionth."""
    limits = replace(AN_HOUR, max_duration_s=500_000)
    session = paid(limits=limits, now=NOW + begun)
    days: dict[str, int] = {}
    now = NOW + begun
    for seconds, characters in sorted(at):
        now = NOW + begun + seconds
        event: i.Input = i.Reported(
            "lau_1", session.report_seq + 1, i.Usage("tts", characters, "characters")
        )
        for one_event in (event, i.Due(DeadlineKind.METER)):
            change = transition(session, one_event, now)
            for one in spent(session, change.session, now):
                assert one.micro_usd > 0
                days[one.day] = days.get(one.day, 0) + one.micro_usd
            session = change.session
    assert sum(days.values()) == cost_of(session).micro_usd
    assert all(utc_day(NOW + begun) <= day <= utc_day(now) for day in days)


def test_time_counts_for_the_day_on_which_it_passed() -> None:
    evening = datetime(2026, 11, 21, 23, 59, tzinfo=UTC).timestamp()
    session = paid(now=evening, limits=replace(AN_HOUR, max_duration_s=200_000))
    later = evening + 60 + 86_400 + 30
    found = spent(session, billed(session, later), later)
    container = [(one.day, one.micro_usd) for one in found if one.component == "container"]
    assert container == [
        ("2026-11-21", 200_000),
        ("2026-11-22", 288_000_000),
        ("2026-11-23", 100_000),
    ]


def test_no_session_is_billed_for_longer_than_its_process_can_live() -> None:
    """A laptop sleeps for a week: the launcher's wall clock has ended the bot long before."""
    session = billed(connected(), NOW + 7 * 86_400)
    seconds = longest_life_s(AN_HOUR)
    assert session.meter.quantities["container.seconds"] == seconds * MICRO
    assert billed(session, NOW + 8 * 86_400).meter.quantities == session.meter.quantities


def test_paused_time_has_its_own_price() -> None:
    session = billed(connected(), NOW + 30)
    session = after(session, i.Pause(PauseCause.USER), now=NOW + 33)
    session = after(session, i.Pause(PauseCause.GROUP_CALL), now=NOW + 40)
    session = after(session, i.Resume(PauseCause.USER), now=NOW + 50)
    session = after(session, i.Resume(PauseCause.GROUP_CALL), now=NOW + 63)
    session = billed(session, NOW + 73)
    assert session.meter.quantities["container.seconds"] == (33 + 10) * MICRO
    assert session.meter.quantities["container.paused_seconds"] == 30 * MICRO
    assert cost_of(session).components["container"] == round(43 * 10_000 / 3) + 10_000


def test_a_process_costs_from_the_click_to_its_end_and_no_longer() -> None:
    session = after(paid(), i.BotJoined(), i.UserJoined("page-1"), now=NOW + 3)
    session = after(session, i.UserLeft("page-1"), now=NOW + 10)
    session = after(session, i.Stop(), now=NOW + 20)
    session = after(session, GONE, now=NOW + 21)
    assert session.meter.quantities["container.seconds"] == 21 * MICRO
    assert after(session, GONE, i.Due(DeadlineKind.METER), now=NOW + 99) == session


# ---- what is told


def test_a_running_session_is_billed_on_time_and_told_of_it() -> None:
    session = connected()
    assert deadlines(session)[DeadlineKind.METER] == NOW + METERING_S
    early = changed(session, i.Due(DeadlineKind.METER), NOW + 9)
    assert early.session == session
    change = changed(session, i.Due(DeadlineKind.METER), NOW + 11)
    (fact,) = told(change)
    assert fact.cost == cost_of(change.session)
    assert deadlines(change.session)[DeadlineKind.METER] == NOW + 11 + METERING_S


def test_nothing_is_told_when_nothing_was_added() -> None:
    free = Tariff({"container.seconds": Rate(Decimal(0), 1), "room.seconds": Rate(Decimal(0), 1)})
    session = connected(free)
    first = changed(session, i.Due(DeadlineKind.METER), NOW + 10)
    assert len(told(first)) == 1, "that it costs nothing is worth saying once"
    assert told(changed(first.session, i.Due(DeadlineKind.METER), NOW + 20)) == []


def test_the_last_bill_comes_before_the_end() -> None:
    session = after(connected(), i.Usage("tts", 1000, "characters"), i.Stop(), now=NOW + 3)
    change = changed(session, GONE, NOW + 6)
    assert [type(fact) for fact in change.facts[-2:]] == [f.Costed, f.Ended]
    assert told(change)[0].cost.components == {"container": 20_000, "room": 42, "tts": 15_000}


def test_usage_counts_in_every_stage_in_which_there_is_a_bot() -> None:
    """A greeting is synthesised before anybody is there, and a farewell while it ends."""
    usage = i.Usage("tts", 1, "characters")
    session = after(paid(), usage, i.BotJoined(), i.UserJoined("page-1"), usage)
    session = after(session, i.UserLeft("page-1"), usage, i.Stop(), usage)
    assert session.stage is Stage.ENDING
    assert session.meter.quantities["tts.characters"] == 4 * MICRO


def test_a_report_that_comes_twice_is_paid_once() -> None:
    """FAILURES 15."""
    session = connected()
    report = i.Reported("lau_1", session.report_seq + 1, i.Usage("tts", 1000, "characters"))
    once = transition(session, report, NOW)
    assert once.session.meter.quantities["tts.characters"] == 1000 * MICRO
    twice = transition(once.session, report, NOW)
    assert (twice.outcome, twice.session) == (f.Outcome.DUPLICATE, once.session)


def test_time_before_anything_ran_costs_nothing() -> None:
    """A place in the queue is free; the clock starts when something runs."""
    assert timed(Meter(), ["container.seconds"], NOW, 60) == Meter(at=NOW)


# ---- budgets


BUDGETS = Budgets({BudgetKind.SESSION: 1000, BudgetKind.TENANT_DAY: 5000}, warning_share=0.8)


@pytest.mark.parametrize(
    ("session_spent", "tenant_spent", "expected"),
    [
        (0, 0, None),
        (799, 3999, None),
        (800, 0, i.BudgetNear("session", 800, 1000)),
        (0, 4000, i.BudgetNear("tenant_day", 4000, 5000)),
        (900, 5000, i.BudgetSpent("tenant_day", 5000, 5000)),
        (1000, 0, i.BudgetSpent("session", 1000, 1000)),
    ],
)
def test_what_is_spent_comes_before_what_is_nearly_spent(
    session_spent: int, tenant_spent: int, expected: i.Input | None
) -> None:
    amounts = {BudgetKind.SESSION: session_spent, BudgetKind.TENANT_DAY: tenant_spent}
    assert BUDGETS.judge(amounts, frozenset()) == expected


def test_a_warning_is_given_once_for_each_budget() -> None:
    near = i.BudgetNear("session", 800, 1000)
    first = transition(connected(), near, NOW)
    assert first.facts == (f.BudgetWarned("session", 800, 1000),)
    again = transition(first.session, near, NOW)
    assert (again.session, again.facts) == (first.session, ())
    amounts = {BudgetKind.SESSION: 900, BudgetKind.TENANT_DAY: 0}
    assert BUDGETS.judge(amounts, first.session.meter.warned) is None


def test_a_spent_budget_ends_the_session_after_a_word() -> None:
    change = transition(connected(), i.BudgetSpent("session", 1001, 1000), NOW)
    assert (change.session.stage, change.session.reason) == (Stage.ENDING, EndReason.BUDGET)
    tell, end = change.effects
    assert tell.payload["data"] == {"reason": "budget", "within_s": 4.0}
    assert end.payload["polite_s"] == 4.0
    assert change.facts[0] == f.BudgetWarned("session", 1001, 1000)
    hurried = transition(change.session, i.Stop(), NOW)
    assert hurried.effects[0].payload["polite_s"] == 0.0, "the user need not hear it out"


@pytest.mark.parametrize("events", [(), (i.Pause(PauseCause.USER),), (i.UserLeft("page-1"),)])
def test_nothing_is_said_where_nobody_listens(events: tuple[i.Input, ...]) -> None:
    session = after(connected(), *events) if events else paid()
    change = transition(session, i.BudgetSpent("session", 1001, 1000), NOW)
    tell, end = change.effects
    assert tell.payload["data"] == {"reason": "budget"}
    assert end.payload["polite_s"] == Limits().polite_s
