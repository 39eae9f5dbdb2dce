"""Rooms that are open: the one exception from what `greenroom.ports.rooms.Rooms` guarantees.

An open room is known by its name, so that nobody need remember which is.
"""

from __future__ import annotations

from enum import StrEnum

_OPEN_PREFIX = "open-"


class Door(StrEnum):
    """Who gets into a room."""

    PRIVATE = "private"  # whoever has a token for it
    OPEN = "open"  # whoever knows its name, and is then its user: for clients that show no token


def open_name(secret: str) -> str:
    """The name of an open room; ``secret``: nobody can guess it."""
    return f"{_OPEN_PREFIX}{secret}"


def door_of(name: str) -> Door:
    """Who gets into the room of this name."""
    return Door.OPEN if name.startswith(_OPEN_PREFIX) else Door.PRIVATE
