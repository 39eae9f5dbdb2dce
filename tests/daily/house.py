"""Rooms on Daily's stand-in, for tests: the adapter with a clock that is set, and people."""

from __future__ import annotations

import httpx

from greenroom.rooms.daily.client import DailyClient
from greenroom.rooms.daily.rooms import DailyRooms
from greenroom.rooms.daily.shape import Recording
from greenroom.testing.clock import FakeClock
from greenroom.testing.daily import NO_LIMITS, DailyStandIn, JoinRefused, Limits, Participant
from greenroom.wire.link import RoomSpec


def a_domain(clock: FakeClock, limits: Limits = NO_LIMITS) -> DailyStandIn:
    """A domain of Daily's; how often it may be asked is a test of its own."""
    return DailyStandIn(now=clock.now, limits=limits)


def rooms_on(
    daily: DailyStandIn,
    clock: FakeClock,
    *,
    api_key: str | None = None,
    domain: str | None = None,
    recording: Recording | None = None,
) -> DailyRooms:
    """The adapter, in the same process as what it speaks to."""
    key = api_key or daily.api_key
    # Its own pace is real time; what is asked here costs nobody anything.
    client = DailyClient(
        "http://daily/v1", key, transport=httpx.ASGITransport(daily.app), now=_Hurry()
    )
    return DailyRooms(client, key, clock, domain=domain, recording=recording)


class _Hurry:
    """A clock by which every request is a second after the one before it."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 1.0
        return self._now


class DailyPeople:
    """Implements `greenroom.testing.rooms_contract.People` on the stand-in."""

    def __init__(self, daily: DailyStandIn, clock: FakeClock) -> None:
        self._daily = daily
        self._clock = clock
        self._here: dict[str, Participant] = {}

    def join(self, spec: RoomSpec, *, calling_themselves: str | None = None) -> str | None:
        try:
            one = self._daily.join(spec.name, spec.token, user_name=calling_themselves)
        except JoinRefused:
            return None
        self._here[one.id] = one
        return one.id

    def leave(self, connection: str) -> None:
        self._daily.leave(self._here[connection])

    def inside(self, name: str) -> set[str]:
        self._daily.settle()
        return {one.id for one in self._daily.book.get(name).present()}

    def wait(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self._daily.settle()

    def open_to_all(self, name: str) -> None:
        self._daily.book.get(name).privacy = "public"
