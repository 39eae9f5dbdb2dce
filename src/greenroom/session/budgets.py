"""Budgets: how much may be spent, by whom, and what follows when it is. Pure policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from greenroom.session.inputs import BudgetNear, BudgetSpent


class BudgetKind(StrEnum):
    """Whose money; days are UTC."""

    SESSION = "session"
    USER_DAY = "user_day"
    TENANT_DAY = "tenant_day"
    INSTALLATION_DAY = "installation_day"


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much may be spent.

    Attributes:
        limits: Millionths of a dollar; a kind that is missing has no limit.
        warning_share: From this share on a session is warned, once for each kind.
    """

    limits: Mapping[BudgetKind, int] = field(default_factory=dict, hash=False)
    warning_share: float = 0.8

    def for_session(self, micro_usd: int | None) -> Budgets:
        """The same, where the session itself may cost at most so much; None: as it is."""
        if micro_usd is None:
            return self
        own = min(micro_usd, self.limits.get(BudgetKind.SESSION, micro_usd))
        return replace(self, limits={**self.limits, BudgetKind.SESSION: own})

    def judge(
        self, spent: Mapping[BudgetKind, int], warned: frozenset[str]
    ) -> BudgetNear | BudgetSpent | None:
        """What a running session must be told.

        Args:
            spent: Millionths of a dollar, for each kind that has a limit.
            warned: Kinds whose warning was given.

        Returns:
            That a budget is spent, or else that one is nearly so, or nothing.
        """
        for kind, limit in self.limits.items():
            if spent[kind] >= limit:
                return BudgetSpent(kind.value, spent[kind], limit)
        for kind, limit in self.limits.items():
            if kind.value not in warned and spent[kind] >= limit * self.warning_share:
                return BudgetNear(kind.value, spent[kind], limit)
        return None
