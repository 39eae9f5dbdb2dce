"""Who comes in: the policy asked with the machine's load, and its refusals in words."""

from __future__ import annotations

import random
from collections.abc import Callable

from greenroom import errors as e
from greenroom.ports.capacity import Capacity
from greenroom.session.policy import (
    Limit,
    Load,
    Occupancy,
    Place,
    Quotas,
    Refuse,
    Wait,
    decide,
    next_in,
)

Jitter = Callable[[], float]

# Everybody who is refused at the same moment shall not come back at the same moment.
_SPREAD_SHARE = 0.5
_LEAST_SPREAD_S = 2.0

_TOMORROW = "The next day begins at midnight, UTC."
_KINDS: dict[Limit, tuple[type[e.LimitReached], str]] = {
    Limit.USER_LIVE: (
        e.UserLiveLimit,
        "You have a conversation elsewhere already. End that one first.",
    ),
    Limit.USER_DAY: (
        e.UserDayLimit,
        f"You have had as many conversations today as you may have in a day. {_TOMORROW}",
    ),
    Limit.USER_COOLDOWN: (
        e.UserCooldown,
        "Your last conversation has only just ended. Wait a moment before the next.",
    ),
    Limit.LIVE: (e.LiveLimit, "All places are taken right now. Try again in a moment."),
    Limit.DAY: (e.DayLimit, f"There have been enough conversations here for one day. {_TOMORROW}"),
    Limit.TENANT_LIVE: (
        e.TenantLiveLimit,
        "All places of your organisation are taken right now. Try again in a moment.",
    ),
    Limit.TENANT_DAY: (
        e.TenantDayLimit,
        f"Your organisation has had its conversations for today. {_TOMORROW}",
    ),
    Limit.ASSISTANT_LIVE: (
        e.AssistantLiveLimit,
        "This assistant is talking with as many people as it can. Try again in a moment.",
    ),
    Limit.MACHINE: (
        e.MachineFull,
        "One more conversation would disturb those that are going on. Try again in a moment.",
    ),
    Limit.QUEUE: (
        e.QueueLimit,
        "All places are taken, and so is the waiting room. Try again in a moment.",
    ),
}


class Admission:
    """The policy, with everything it has to know that is not on record.

    Args:
        quotas: How much there may be.
        capacity: What measures the machine; None: it is not looked at.
        jitter: A number from 0 to 1, another one each time.
    """

    def __init__(
        self, quotas: Quotas, capacity: Capacity | None = None, jitter: Jitter = random.random
    ) -> None:
        self.quotas = quotas
        self._capacity = capacity
        self._jitter = jitter

    def quotas_for(self, *, guest: bool) -> Quotas:
        """What holds for this kind of user."""
        return self.quotas.for_guests() if guest else self.quotas

    def place_for(
        self, asked: Place, occupancy: Occupancy, *, guest: bool, may_wait: bool
    ) -> int | None:
        """None: come in. A number: wait in this place of the queue.

        Raises:
            LimitReached: Neither; which limit, and how things stand, is in it.
        """
        quotas = self.quotas_for(guest=guest)
        verdict = decide(asked, occupancy, quotas, self._load(), may_wait=may_wait)
        match verdict:
            case Refuse():
                raise self._refusal(verdict)
            case Wait(position):
                return position
            case _:
                return None

    def next_in(self, occupancy: Occupancy) -> list[int]:
        """Whose turn it is of those who wait; see `greenroom.session.policy.next_in`."""
        return next_in(occupancy, self.quotas, self._load())

    def _load(self) -> Load | None:
        return self._capacity.load() if self._capacity else None

    def _refusal(self, refusal: Refuse) -> e.LimitReached:
        kind, sentence = _KINDS[refusal.limit]
        spread_s = max(_LEAST_SPREAD_S, refusal.retry_after_s * _SPREAD_SHARE)
        facts = {"resource": refusal.resource} if refusal.resource else {}
        return kind(
            sentence,
            retry_after_s=refusal.retry_after_s + self._jitter() * spread_s,
            limit=refusal.limit.value,
            value=round(refusal.value, 3),
            allowed=refusal.allowed,
            **facts,
        )
