"""What a session costs: derived from its meter and its tariff, never kept beside them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from greenroom.session.deadlines import longest_life_s
from greenroom.session.matrix import billed_time
from greenroom.session.model import Session
from greenroom.session.prices import Cost, price
from greenroom.session.usage import Meter, timed

DAY_S = 86_400
# A clock that jumps by years must not keep us busy; the rest counts for the last of these days.
_MOST_MIDNIGHTS = 31


@dataclass(frozen=True, slots=True)
class Spent:
    """What a change has cost: so much, for one component, on one day (UTC, ``2026-11-21``)."""

    day: str
    component: str
    micro_usd: int


def cost_of(session: Session) -> Cost:
    """The session's bill so far."""
    return price(session.meter.quantities, session.tariff.rates)


def metered(before: Session, after: Session, now: float) -> Session:
    """``after`` with the time until now on its bill, at the price of what ``before`` was."""
    items = billed_time(before.stage, paused=before.is_paused)
    if not items:  # it waited for nothing; from now on something may run
        at = after.meter.at  # ahead of now if it ran before, and the clock was set back since
        return replace(after, meter=replace(after.meter, at=now if at is None else max(now, at)))
    meter = timed(after.meter, items, now, longest_life_s(after.limits))
    return replace(after, meter=meter)


def time_price_changed(before: Session, after: Session) -> bool:
    """Whether what runs, and so costs by time, is another than it was."""
    return billed_time(before.stage, paused=before.is_paused) != billed_time(
        after.stage, paused=after.is_paused
    )


def spent(before: Session, after: Session, now: float) -> list[Spent]:
    """What a change adds to the bill, by day and component. The sum is exact, day by day.

    Time counts for the day on which it passed, usage for the day on which it was reported.

    Args:
        before: The session as it was.
        after: The session as it is.
        now: When it changed, in seconds since the epoch.
    """
    if after.meter.quantities == before.meter.quantities:
        return []
    found: list[Spent] = []
    billed = price(before.meter.quantities, after.tariff.rates)
    for day, meter in _at_midnights(before, after, now):
        bill = price(meter.quantities, after.tariff.rates)
        for component, amount in bill.components.items():
            added = amount - billed.components.get(component, 0)
            if added:
                found.append(Spent(day, component, added))
        billed = bill
    return found


def _at_midnights(before: Session, after: Session, now: float) -> Iterator[tuple[str, Meter]]:
    """The meter at the end of each day between two states, and now."""
    start, end = before.meter.at, after.meter.at
    meter = before.meter
    if start is not None and end is not None:
        items = billed_time(before.stage, paused=before.is_paused)
        most_s = longest_life_s(after.limits)
        for midnight in itertools.islice(_midnights(start, end), _MOST_MIDNIGHTS):
            meter = timed(meter, items, midnight, most_s)
            yield utc_day(midnight - DAY_S), meter
    yield utc_day(max(now, end or now)), after.meter


def _midnights(start: float, end: float) -> Iterator[float]:
    """Each midnight (UTC) after ``start`` and before ``end``."""
    midnight = (start // DAY_S + 1) * DAY_S
    while midnight < end:
        yield midnight
        midnight += DAY_S


def utc_day(at: float) -> str:
    """The day (UTC) of a time in seconds since the epoch, as ``2026-11-21``."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
