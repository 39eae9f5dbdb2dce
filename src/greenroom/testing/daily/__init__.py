"""Daily's stand-in: its REST API, rooms, presence and webhooks, played in this process."""

from greenroom.testing.daily.faults import Fault, Faults
from greenroom.testing.daily.limits import NO_LIMITS, Limits
from greenroom.testing.daily.people import JoinRefused, Participant
from greenroom.testing.daily.stand_in import DailyStandIn

__all__ = [
    "NO_LIMITS",
    "DailyStandIn",
    "Fault",
    "Faults",
    "JoinRefused",
    "Limits",
    "Participant",
]
