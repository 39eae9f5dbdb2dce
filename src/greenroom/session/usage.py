"""What a session has used so far: its meter, and how it advances. Exact, however often it is read.

A quantity is an integer of millionths of its unit, and time is the difference of two such
integers: many small steps add up to exactly the one large step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from greenroom.session.prices import MICRO, item

# A bot that names things as it likes must not fill the record; what is more goes under one name.
MOST_ITEMS = 32
OTHER = item("other", "units")


@dataclass(frozen=True, slots=True)
class Meter:
    """What was used so far.

    Attributes:
        at: Until when time has been counted, in seconds since the epoch; ``None``: nothing runs
            yet that costs by time.
        quantities: Millionths of units, by the names that `greenroom.session.prices.item` gives.
        told_micro_usd: The bill that was last told; ``None``: none was.
        warned: Budgets whose warning was given.
    """

    at: float | None = None
    quantities: Mapping[str, int] = field(default_factory=dict, hash=False)
    told_micro_usd: int | None = None
    warned: frozenset[str] = frozenset()


def timed(meter: Meter, items: Sequence[str], now: float, most_s: float) -> Meter:
    """Count the time until now under these items.

    A clock that was set back counts nothing, and what it counts again counts once.

    Args:
        meter: As it stands.
        items: What was running since ``meter.at``.
        now: Seconds since the epoch.
        most_s: No item's component is counted for longer than this, all in all.
    """
    if meter.at is None:
        return replace(meter, at=now)
    if now <= meter.at:
        return meter
    elapsed = round(now * MICRO) - round(meter.at * MICRO)
    quantities = dict(meter.quantities)
    for name in items:
        left = round(most_s * MICRO) - _of_component(quantities, name)
        counted = min(elapsed, max(0, left))
        quantities[name] = quantities.get(name, 0) + counted
    return replace(meter, at=now, quantities=quantities)


def _of_component(quantities: Mapping[str, int], name: str) -> int:
    """Time counted for the same component, at whatever price."""
    prefix = name.partition(".")[0] + "."
    return sum(amount for other, amount in quantities.items() if other.startswith(prefix))


def used(meter: Meter, component: str, unit: str, quantity: float) -> Meter:
    """Add what a bot reports. ``quantity`` is finite and not negative."""
    name = item(component, unit)
    if name not in meter.quantities and len(meter.quantities) >= MOST_ITEMS:
        name = OTHER
    before = meter.quantities.get(name, 0)
    return replace(meter, quantities={**meter.quantities, name: before + round(quantity * MICRO)})
