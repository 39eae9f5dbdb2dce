"""Rooms on this machine: plain WebRTC between the page and the bot's process.

There is nothing to make: the room is wherever the bot listens, private because the only way in
is an offer relayed by Greenroom, and closed once the bot is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.wire.link import IceServer, RoomSpec


class LocalRooms:
    """Implements `greenroom.ports.rooms.Rooms`.

    Args:
        ice_servers: STUN and TURN servers for page and bot; none are needed on one network.
        allow_loopback: Offer 127.0.0.1 as an address too (a machine without any other).
    """

    def __init__(self, ice_servers: Sequence[IceServer], *, allow_loopback: bool) -> None:
        self._ice_servers = list(ice_servers)
        self._allow_loopback = allow_loopback

    async def ensure(self, name: str) -> None:
        """See `Rooms.ensure`."""

    def describe(self, name: str) -> RoomSpec:
        """See `Rooms.describe`."""
        return RoomSpec(
            name=name, ice_servers=self._ice_servers, allow_loopback=self._allow_loopback
        )

    async def close(self, name: str) -> None:
        """See `Rooms.close`."""
