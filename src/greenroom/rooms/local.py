"""Rooms on this machine: plain WebRTC between the page and the bot's process.

There is nothing to make: the room is wherever the bot listens, private because the only way in
is an offer relayed by Greenroom, and closed once the bot is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from greenroom.ports.rooms import FOR_TWO, Guest, Occupant, Party, Ready, Shape
from greenroom.wire.link import IceServer, RoomKind, RoomSpec


class LocalRooms:
    """Implements `greenroom.ports.rooms.Rooms`.

    Args:
        ice_servers: STUN and TURN servers for page and bot; none are needed on one network.
        allow_loopback: Offer 127.0.0.1 as an address too (a machine without any other).
    """

    kind = RoomKind.LOCAL
    # The bot sees its page come and go before anybody else could.
    tells = False
    # The sound goes between page and bot, and nobody else has it.
    records = False

    def __init__(self, ice_servers: Sequence[IceServer], *, allow_loopback: bool) -> None:
        self._ice_servers = list(ice_servers)
        self._allow_loopback = allow_loopback

    async def ensure(self, name: str, shape: Shape = FOR_TWO) -> Ready:
        """See `Rooms.ensure`."""
        return Ready(reused=True)

    async def name_at(self, url: str) -> str | None:
        """See `Rooms.name_at`: rooms on this machine have no address."""
        return None

    def describe(self, name: str) -> RoomSpec:
        """See `Rooms.describe`."""
        return RoomSpec(
            name=name, ice_servers=self._ice_servers, allow_loopback=self._allow_loopback
        )

    async def admit(self, name: str, guest: Guest, shape: Shape = FOR_TWO) -> RoomSpec:
        """See `Rooms.admit`. The offer is what lets in; there is no token."""
        return self.describe(name)

    async def keep(self, shapes: Mapping[str, Shape]) -> None:
        """See `Rooms.keep`."""

    async def occupants(self) -> Mapping[str, Sequence[Occupant]]:
        """See `Rooms.occupants`."""
        return {}

    def id_of(self, name: str, guest: Guest) -> str:
        """See `Rooms.id_of`; nobody is called anything where there are no tokens."""
        return guest.party.value

    def party_of(self, name: str, user_id: str) -> Party | None:
        """See `Rooms.party_of`."""
        return None

    async def close(self, name: str) -> None:
        """See `Rooms.close`."""

    async def aclose(self) -> None:
        """See `Rooms.aclose`."""
