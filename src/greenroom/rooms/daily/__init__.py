"""Rooms on Daily: private, for two, with tokens of our own making."""

from __future__ import annotations

from greenroom.ports.clock import Clock
from greenroom.rooms.daily.client import DailyClient
from greenroom.rooms.daily.rooms import DailyRooms
from greenroom.rooms.daily.shape import Recording


def daily_rooms(
    api_url: str, api_key: str, clock: Clock, *, domain: str | None, recording: str | None
) -> DailyRooms:
    """The rooms of a domain.

    Args:
        api_url: The API's address.
        api_key: The domain's key.
        clock: The time.
        domain: The domain's name; None: whichever the key belongs to.
        recording: What Daily may record, in its own words; None: nothing.
    """
    asked = Recording(recording) if recording else None
    client = DailyClient(api_url, api_key)
    return DailyRooms(client, api_key, clock, domain=domain, recording=asked)
