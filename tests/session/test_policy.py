"""Who may come in, who waits, who is refused: numbers in, a verdict out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.session.policy import (
    LONGEST_RETRY_S,
    UNLIMITED,
    Admit,
    Limit,
    Load,
    Occupancy,
    Place,
    Quotas,
    Refuse,
    Verdict,
    Wait,
    day_of,
    decide,
    next_in,
)

ADA = Place("ada", "acme", "cards")
MIB = 1024 * 1024
IDLE = Load(cores=2, busy_cores=0, free_bytes=8_000 * MIB)


def verdict(
    occupancy: Occupancy, quotas: Quotas | None = None, load: Load | None = None, wait: bool = False
) -> Verdict:
    return decide(ADA, occupancy, quotas or Quotas(), load, may_wait=wait)


@pytest.mark.parametrize(
    ("quotas", "occupancy", "limit", "value", "allowed"),
    [
        (Quotas(), Occupancy(user_live=1), Limit.USER_LIVE, 1, 1),
        (Quotas(), Occupancy(user_today=10), Limit.USER_DAY, 10, 10),
        (Quotas(), Occupancy(user_ended_s=29.5), Limit.USER_COOLDOWN, 29.5, 30),
        (Quotas(), Occupancy(live=5), Limit.LIVE, 5, 5),
        (Quotas(), Occupancy(today=100), Limit.DAY, 100, 100),
        (Quotas(tenant_live=2), Occupancy(live_of_tenant={"acme": 2}), Limit.TENANT_LIVE, 2, 2),
        (Quotas(tenant_day=7), Occupancy(tenant_today=8), Limit.TENANT_DAY, 8, 7),
        (
            Quotas(assistant_live=3),
            Occupancy(live_of_assistant={"cards": 3}),
            Limit.ASSISTANT_LIVE,
            3,
            3,
        ),
        (
            Quotas(assistants={"cards": 1}),
            Occupancy(live_of_assistant={"cards": 1}),
            Limit.ASSISTANT_LIVE,
            1,
            1,
        ),
    ],
)
def test_each_limit_admits_one_less_and_refuses_by_name(
    quotas: Quotas, occupancy: Occupancy, limit: Limit, value: float, allowed: float
) -> None:
    refused = verdict(occupancy, quotas)
    assert isinstance(refused, Refuse)
    assert (refused.limit, refused.value, refused.allowed) == (limit, value, allowed)
    assert refused.retry_after_s > 0
    assert verdict(Occupancy(), quotas) == Admit()
    assert verdict(occupancy, UNLIMITED) == Admit()


@pytest.mark.parametrize(
    "nearly",
    [
        Occupancy(user_today=9, today=99, live=4, user_ended_s=30),
        Occupancy(live_of_tenant={"other": 99}, live_of_assistant={"other": 99}),
    ],
)
def test_the_last_of_everything_is_still_there(nearly: Occupancy) -> None:
    assert verdict(nearly, Quotas(tenant_live=1, assistant_live=1)) == Admit()


@pytest.mark.parametrize(
    ("occupancy", "least_s", "most_s"),
    [
        (Occupancy(user_ended_s=10), 20, 20),
        (Occupancy(user_today=10, day_left_s=60), 60, 60),
        (Occupancy(today=100, day_left_s=50_000), LONGEST_RETRY_S, LONGEST_RETRY_S),
        (Occupancy(live=5), 1, 30),
    ],
)
def test_when_to_come_back_is_honest(occupancy: Occupancy, least_s: float, most_s: float) -> None:
    refused = verdict(occupancy)
    assert isinstance(refused, Refuse)
    assert least_s <= refused.retry_after_s <= most_s


def test_a_visitor_of_ones_own_machine_is_not_counted_but_takes_a_place() -> None:
    guests = Quotas().for_guests()
    assert verdict(Occupancy(user_today=500, today=500, user_ended_s=0), guests) == Admit()
    assert isinstance(verdict(Occupancy(live=5), guests), Refuse)


def test_waiting_is_for_places_and_not_for_tomorrow() -> None:
    assert verdict(Occupancy(live=5), wait=True) == Wait(1)
    waiting = (Place("bob", "acme", "cards"), Place("eve", "acme", "cards"))
    assert verdict(Occupancy(live=5, waiting=waiting, last_position=2), wait=True) == Wait(3)
    assert verdict(Occupancy(live=5, waiting=waiting, last_position=4), wait=True) == Wait(5)
    for spent in (Occupancy(live=5, today=100), Occupancy(live=5, user_ended_s=1)):
        assert isinstance(verdict(spent, wait=True), Refuse)


def test_the_waiting_room_is_bounded() -> None:
    waiting = tuple(Place(f"user-{n}", "acme", "cards") for n in range(2))
    full = verdict(Occupancy(live=5, waiting=waiting), Quotas(queue=2), wait=True)
    assert full == Refuse(Limit.QUEUE, 2, 2, 5.0)
    assert isinstance(verdict(Occupancy(live=5), Quotas(queue=0), wait=True), Refuse)


def test_who_waits_has_their_start_of_the_day_already() -> None:
    waiting = (Place("bob", "acme", "cards"),)
    assert isinstance(verdict(Occupancy(live=1, today=99, waiting=waiting)), Refuse)
    mine = (Place("ada", "acme", "other"),)
    refused = verdict(Occupancy(user_today=9, waiting=mine))
    assert isinstance(refused, Refuse)
    assert refused.limit is Limit.USER_DAY


def test_nobody_overtakes_whoever_waits_for_the_same_place() -> None:
    """A place has become free and the next in the queue is not in yet."""
    occupancy = Occupancy(live=4, waiting=(Place("bob", "acme", "cards"),), last_position=1)
    assert isinstance(verdict(occupancy), Refuse)
    assert verdict(occupancy, wait=True) == Wait(2)


def test_whoever_waits_for_another_assistant_holds_nobody_up() -> None:
    busy = Place("bob", "acme", "quiz")
    quotas = Quotas(assistants={"quiz": 1})
    occupancy = Occupancy(live=1, live_of_assistant={"quiz": 1}, waiting=(busy, busy))
    assert verdict(occupancy, quotas) == Admit()
    assert next_in(occupancy, quotas, None) == []


def test_the_next_come_in_in_order_and_only_as_many_as_fit() -> None:
    waiting = tuple(Place(f"user-{n}", f"tenant-{n % 2}", "cards") for n in range(6))
    assert next_in(Occupancy(live=3, waiting=waiting), Quotas(live=5), None) == [0, 1]
    one_each = Quotas(live=5, tenant_live=1)
    assert next_in(Occupancy(live=0, waiting=waiting), one_each, None) == [0, 1]
    assert next_in(Occupancy(live=5, waiting=waiting), Quotas(live=5), None) == []


@pytest.mark.parametrize(
    ("load", "settling", "resource"),
    [
        (IDLE, 0, None),
        (Load(2, 1.5, 8_000 * MIB), 0, None),  # 1.5 + 0.2 of 1.7
        (Load(2, 1.6, 8_000 * MIB), 0, "cpu"),
        (Load(2, 1.0, 8_000 * MIB), 2, None),
        (Load(2, 1.0, 8_000 * MIB), 3, "cpu"),  # three calls whose load does not show yet
        (Load(2, 0.0, 320 * MIB), 0, None),
        (Load(2, 0.0, 319 * MIB), 0, "memory"),
        (Load(2, 0.0, 400 * MIB), 2, "memory"),
    ],
)
def test_a_machine_takes_no_call_that_would_disturb_the_others(
    load: Load, settling: int, resource: str | None
) -> None:
    said = verdict(Occupancy(live=3, settling=settling), load=load)
    if resource is None:
        assert said == Admit()
    else:
        assert isinstance(said, Refuse)
        assert (said.limit, said.resource) == (Limit.MACHINE, resource)
        waits = verdict(Occupancy(live=3, settling=settling), load=load, wait=True)
        assert waits == Wait(1)


def test_a_machine_that_others_keep_busy_may_be_told_not_to_look() -> None:
    anything = replace(Quotas().machine, most_cpu_share=None)
    busy = Load(2, 2.0, 8_000 * MIB)
    assert verdict(Occupancy(live=3), replace(Quotas(), machine=anything), busy) == Admit()


def test_the_first_call_disturbs_nobody() -> None:
    assert verdict(Occupancy(live=0), load=Load(2, 2, 0)) == Admit()
    # Nor does whoever hangs up and starts again while the last bot is on its way out.
    assert verdict(Occupancy(live=2, ending=2, settling=2), load=Load(2, 2, 0)) == Admit()
    assert isinstance(verdict(Occupancy(live=2, ending=1), load=Load(2, 2, 0)), Refuse)


def test_an_unmeasured_machine_is_taken_to_do() -> None:
    assert verdict(Occupancy(live=4, settling=4), load=None) == Admit()


def test_a_day_is_a_day_of_utc() -> None:
    midnight = 1_800_057_600.0  # 2027-01-16T00:00:00Z
    assert day_of(midnight) == (midnight, 86_400)
    assert day_of(midnight - 0.5) == (midnight - 86_400, 0.5)


PLACES = st.builds(
    Place,
    st.sampled_from(["ada", "bob", "eve"]),
    st.sampled_from(["acme", "zeta"]),
    st.sampled_from(["cards", "quiz"]),
)


@given(
    live=st.integers(0, 8),
    waiting=st.lists(PLACES, max_size=8),
    most=st.integers(1, 8),
    of_tenant=st.integers(1, 8) | st.none(),
    of_assistant=st.integers(1, 8) | st.none(),
)
def test_never_one_too_many_comes_in_from_the_waiting_room(
    live: int, waiting: list[Place], most: int, of_tenant: int | None, of_assistant: int | None
) -> None:
    quotas = Quotas(live=most, tenant_live=of_tenant, assistant_live=of_assistant)
    occupancy = Occupancy(live=live, live_of_tenant={"acme": live}, waiting=tuple(waiting))
    let_in = [waiting[index] for index in next_in(occupancy, quotas, None)]
    assert live + len(let_in) <= max(live, most)
    for tenant, before in (("acme", live), ("zeta", 0)):
        now = before + sum(place.tenant == tenant for place in let_in)
        assert now <= max(before, of_tenant or now)
    for assistant in ("cards", "quiz"):
        now = sum(place.assistant == assistant for place in let_in)
        assert now <= (of_assistant or now)
