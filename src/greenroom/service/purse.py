"""What sessions cost and may cost: prices at the start, budgets meanwhile, totals afterwards."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

import structlog

from greenroom.errors import BudgetUsedUp, Unavailable
from greenroom.ports.clock import Clock
from greenroom.ports.store import SpendBy, Store, Total
from greenroom.service.metrics import Metrics
from greenroom.session.budgets import BudgetKind, Budgets
from greenroom.session.cost import cost_of, spent, utc_day
from greenroom.session.inputs import BudgetNear, BudgetSpent
from greenroom.session.model import Session
from greenroom.session.policy import day_of
from greenroom.session.prices import METERING_S, MICRO, PriceList, Prices, Tariff, usd

log = structlog.get_logger("greenroom.purse")

# Whoever is sent away until midnight comes back within this time after it, not all at once.
RETRY_SPREAD_S = 60.0
_WHOSE = {
    BudgetKind.USER_DAY: "Your budget for today is spent.",
    BudgetKind.TENANT_DAY: "Your organisation's budget for today is spent.",
    BudgetKind.INSTALLATION_DAY: "The budget of this server for today is spent.",
}


@dataclass(frozen=True, slots=True)
class Money:
    """What was decided about money before the house is built.

    Attributes:
        prices: The price list.
        budgets: How much may be spent.
        metering_s: How often running sessions are billed.
    """

    prices: PriceList = field(default_factory=lambda: PriceList(date.min))
    budgets: Budgets = field(default_factory=Budgets)
    metering_s: float = METERING_S


class Purse:
    """Knows the prices, and asks the store what was spent. Keeps nothing."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics, money: Money) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._money = money

    # ---- before a start

    @property
    def prices_as_of(self) -> date:
        """The day of the price list."""
        return self._money.prices.as_of

    def prices(self, assistant: str) -> Prices:
        """What an assistant costs."""
        return self._money.prices.of(assistant)

    def tariff(self, assistant: str) -> Tariff:
        """What a new session with this assistant will pay to its end."""
        return Tariff(self.prices(assistant).rates, self._money.metering_s)

    async def admit(self, user_id: str, tenant: str) -> None:
        """Refuse a start that nobody has the money for.

        Raises:
            BudgetUsedUp: A budget of the day is spent.
        """
        now = self._clock.now()
        for kind, limit in self._money.budgets.limits.items():
            if kind is BudgetKind.SESSION:
                continue
            amount = await self._spent(kind, utc_day(now), user_id, tenant)
            if amount >= limit:
                raise BudgetUsedUp(
                    f"{_WHOSE[kind]} It begins anew at midnight (UTC).",
                    retry_after_s=day_of(now)[1] + random.uniform(0, RETRY_SPREAD_S),  # noqa: S311 - spreads, guards nothing
                    budget=kind.value,
                    spentUsd=usd(amount),
                    limitUsd=usd(limit),
                )

    # ---- while it runs

    def note(self, before: Session, after: Session) -> None:
        """Count what a change has cost, and tell once of what has no price."""
        for one in spent(before, after, self._clock.now()):
            self._metrics.cost_usd.labels(component=one.component).inc(one.micro_usd / MICRO)
        new = after.meter.quantities.keys() - before.meter.quantities.keys()
        unpriced = sorted(new - after.tariff.rates.keys())
        if unpriced and before.tariff.rates:
            log.warning("cost.unpriced", session=after.id, items=unpriced)

    async def verdict(self, before: Session, after: Session) -> BudgetNear | BudgetSpent | None:
        """What a running session must be told after this change, which is on record."""
        if after.meter == before.meter or not after.stage.is_live:
            return None
        day = utc_day(self._clock.now())
        budgets = self._money.budgets.for_session(after.tariff.budget_micro_usd)
        try:
            amounts = {kind: await self._spent_by(kind, day, after) for kind in budgets.limits}
        except Unavailable as error:  # the next look at this session asks again
            log.warning("store.unavailable", session=after.id, error=error.message)
            return None
        return budgets.judge(amounts, after.meter.warned)

    async def _spent_by(self, kind: BudgetKind, day: str, session: Session) -> int:
        if kind is BudgetKind.SESSION:
            return cost_of(session).micro_usd
        return await self._spent(kind, day, session.user_id, session.tenant)

    async def _spent(self, kind: BudgetKind, day: str, user_id: str, tenant: str) -> int:
        match kind:
            case BudgetKind.USER_DAY:
                return await self._store.spent(day, user_id=user_id, tenant=tenant)
            case BudgetKind.TENANT_DAY:
                return await self._store.spent(day, tenant=tenant)
            case _:
                return await self._store.spent(day)

    # ---- afterwards

    async def of_user(self, user_id: str, tenant: str, days: int) -> list[Total]:
        """What a user has spent by day: today and the days before, at most ``days``."""
        span = self._span(days)
        return await self._store.totals(SpendBy.DAY, *span, user_id=user_id, tenant=tenant)

    async def of_everybody(self, by: SpendBy, days: int) -> list[Total]:
        """What all have spent: today and the days before, at most ``days``."""
        return await self._store.totals(by, *self._span(days))

    def _span(self, days: int) -> tuple[str, str]:
        until = date.fromisoformat(utc_day(self._clock.now()))
        return (until - timedelta(days=days - 1)).isoformat(), until.isoformat()

    @property
    def user_day_micro_usd(self) -> int | None:
        """What one user may spend in a day; None: as much as they like."""
        return self._money.budgets.limits.get(BudgetKind.USER_DAY)
