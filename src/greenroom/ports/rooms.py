"""Port: the rooms where page and bot meet."""

from __future__ import annotations

from typing import Protocol

from greenroom.wire.link import RoomSpec


class Rooms(Protocol):
    """Makes rooms, describes them to pages and bots, closes them. All idempotent by name."""

    async def ensure(self, name: str) -> None:
        """The room exists, private, ready to be joined."""
        ...

    def describe(self, name: str) -> RoomSpec:
        """What page and bot need to know to join."""
        ...

    async def close(self, name: str) -> None:
        """Nobody is in the room any more, and nobody gets in."""
        ...
