"""What things cost: rates for what is used, and the arithmetic of money. Exact, in integers.

Quantities are integers of millionths of their unit, money is integers of millionths of a dollar,
and a sum is rounded once, from the whole quantity: so it never matters in how many pieces
something was counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

MICRO = 1_000_000
# How often the time of a running session is put on its bill, unless said otherwise.
METERING_S = 10.0
# Greenroom meters these itself, by time; everything else is what bots report.
TIMED_COMPONENTS = ("container", "room")
HOUR_S = 3600


def item(component: str, unit: str) -> str:
    """The name of one line of a meter: ``stt.audio_seconds``, ``container.seconds``."""
    return f"{component}.{unit}"


def component_of(name: str) -> str:
    """The component of a meter's line."""
    return name.partition(".")[0]


def micro_usd(usd: Decimal) -> int:
    """Dollars in millionths, rounded half to even."""
    return round(Fraction(usd) * MICRO)


def usd(micro_usd: int) -> float:
    """Millionths of a dollar as the number that JSON shows; exact below nine billion dollars."""
    return micro_usd / MICRO


@dataclass(frozen=True, slots=True)
class Rate:
    """A price: so many dollars for so many units."""

    usd: Decimal
    per: int

    def micro_usd(self, micro_quantity: int) -> int:
        """What this quantity (in millionths of a unit) costs, rounded half to even."""
        return round(Fraction(self.usd) * micro_quantity / self.per)

    def __str__(self) -> str:
        return f"{self.usd}/{self.per}"

    @classmethod
    def parse(cls, text: str) -> Rate:
        """The rate that ``str`` wrote."""
        amount, _, per = text.partition("/")
        return cls(Decimal(amount), int(per))


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one session pays, fixed when it starts.

    Attributes:
        rates: By the names that `item` gives.
        metering_s: How often its time is put on the bill.
        budget_micro_usd: What it may cost, by its assistant's record; None: nothing is said there.
    """

    rates: Mapping[str, Rate] = field(default_factory=dict, hash=False)
    metering_s: float = METERING_S
    budget_micro_usd: int | None = None


# Nothing has a price: what was never sold.
NO_TARIFF = Tariff()


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill.

    Attributes:
        components: Millionths of a dollar by component; used and free is 0.
        unpriced: What was used and has no price, by the names that `item` gives.
    """

    components: Mapping[str, int] = field(default_factory=dict, hash=False)
    unpriced: tuple[str, ...] = ()

    @property
    def micro_usd(self) -> int:
        """All of it."""
        return sum(self.components.values())

    def by_component_usd(self) -> dict[str, float]:
        """Dollars by component, as JSON shows them."""
        return {name: usd(amount) for name, amount in self.components.items()}


def price(quantities: Mapping[str, int], rates: Mapping[str, Rate]) -> Cost:
    """The bill for these quantities (in millionths of their units)."""
    components: dict[str, int] = {}
    for name, quantity in sorted(quantities.items()):
        rate = rates.get(name)
        amount = rate.micro_usd(quantity) if rate else 0
        component = component_of(name)
        components[component] = components.get(component, 0) + amount
    return Cost(components, tuple(sorted(quantities.keys() - rates.keys())))


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one assistant.

    Attributes:
        rates: By the names that `item` gives.
        typical: What an hour of conversation uses of each, in millionths of its unit; container
            and room beside it go by the clock.
    """

    rates: Mapping[str, Rate] = field(default_factory=dict, hash=False)
    typical: Mapping[str, int] = field(default_factory=dict, hash=False)

    def estimate(self, seconds: float) -> Cost:
        """What so long a conversation will cost, if it is a typical one."""
        micro_s = round(seconds * MICRO)
        used = {
            name: round(Fraction(per_hour) * micro_s / (HOUR_S * MICRO))
            for name, per_hour in self.typical.items()
            if per_hour
        }
        timed = {item(component, "seconds"): micro_s for component in TIMED_COMPONENTS}
        return price({**used, **timed}, self.rates)


@dataclass(frozen=True, slots=True)
class PriceList:
    """All prices, of one day. `greenroom.pricelist` reads it from a file.

    Attributes:
        as_of: The day on which the prices were true.
        prices: What an assistant pays unless it has prices of its own.
        assistants: Prices of their own, by assistant.
    """

    as_of: date
    prices: Prices = Prices()
    assistants: Mapping[str, Prices] = field(default_factory=dict, hash=False)

    def of(self, assistant: str) -> Prices:
        """The prices that hold for an assistant."""
        return self.assistants.get(assistant, self.prices)
