"""What will go wrong, and when: drawn from one seed, so that a run can be played again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

F = TypeVar("F", bound=StrEnum)


class Fault(StrEnum):
    """The ways in which the world misbehaves."""

    KILL_SERVER = "kill server"
    TERM_SERVER = "SIGTERM to server"
    TERM_SERVER_TWICE = "SIGTERM twice"
    FREEZE_SERVER = "freeze server"
    KILL_BOT = "kill bot"
    STOP_BOT = "SIGSTOP bot"
    HANG_BOT = "hang bot in synchronous code"
    KILL_SUPERVISOR = "kill supervisor"
    KILL_ZYGOTE = "kill zygote"
    CUT_LINK = "cut link"
    DUPLICATE_REPORTS = "duplicate reports"
    DELAY_REPORTS = "delay reports"
    REORDER_REPORTS = "reorder reports"
    DATABASE_AWAY = "database away"
    CLOCK_FORWARD = "clock forward"
    CLOCK_BACK = "clock back"


# How often each comes, by weight; what takes the whole house down costs seconds each.
WEIGHTS = {
    Fault.KILL_SERVER: 6,
    Fault.TERM_SERVER: 2,
    Fault.TERM_SERVER_TWICE: 1,
    Fault.FREEZE_SERVER: 3,
    Fault.KILL_BOT: 12,
    Fault.STOP_BOT: 10,
    Fault.HANG_BOT: 10,
    Fault.KILL_SUPERVISOR: 2,
    Fault.KILL_ZYGOTE: 3,
    Fault.CUT_LINK: 14,
    Fault.DUPLICATE_REPORTS: 12,
    Fault.DELAY_REPORTS: 10,
    Fault.REORDER_REPORTS: 12,
    Fault.DATABASE_AWAY: 4,
    Fault.CLOCK_FORWARD: 2,
    Fault.CLOCK_BACK: 2,
}


@dataclass(frozen=True, slots=True)
class Misfortune(Generic[F]):
    """One fault: so long after the one before it, so hard, and to whom."""

    after_s: float
    fault: F
    strength: float  # 0 … 1; each fault makes its own unit of it
    victim: float  # 0 … 1; which of those who are there


def misfortunes(
    weights: Mapping[F, int], seed: int, count: int, mean_gap_s: float
) -> Iterator[Misfortune[F]]:
    """The faults of a run: each kind at least once if there is room, the rest by weight."""
    rng = random.Random(seed)
    kinds = list(weights)[:count]
    kinds += rng.choices(list(weights), list(weights.values()), k=count - len(kinds))
    rng.shuffle(kinds)
    for kind in kinds:
        gap_s = rng.uniform(0.2, 1.8) * mean_gap_s
        yield Misfortune(gap_s, kind, rng.random(), rng.random())
