"""The rooms of a domain: made, found, changed; and who is in each."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from greenroom.testing.daily.people import Participant, iso
from greenroom.testing.daily.refusals import invalid, not_found
from greenroom.testing.daily.shapes import CreateRoom, UpdateRoom

MOST_LISTED = 100


@dataclass(eq=False, slots=True)
class Room:
    """One room. ``people``: everybody who ever was in it, the latest last."""

    name: str
    url: str
    privacy: Literal["public", "private"]
    properties: dict[str, Any]
    created_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    people: list[Participant] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    meeting_id: str | None = None
    met_at: float = 0.0

    def present(self) -> list[Participant]:
        """Who is in it."""
        return [one for one in self.people if one.present]

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "api_created": True,
            "privacy": self.privacy,
            "url": self.url,
            "created_at": iso(self.created_at),
            "config": dict(self.properties),
        }


class RoomBook:
    """All rooms of a domain.

    Args:
        base_url: Where rooms are.
        now: The time.
    """

    def __init__(self, base_url: str, now: Callable[[], float]) -> None:
        self.rooms: dict[str, Room] = {}
        self._base_url = base_url
        self._now = now

    def create(self, wish: CreateRoom) -> Room:
        """A new room. One whose ``exp`` is past makes way for it no more than any other."""
        name = wish.name or secrets.token_urlsafe(15).replace("-", "A").replace("_", "B")
        if name in self.rooms:
            raise invalid(f"a room named {name} already exists")
        properties = self._checked(wish.properties.model_dump(exclude_none=True))
        room = Room(name, f"{self._base_url}/{name}", wish.privacy, properties, self._now())
        if "sip" in properties:
            properties["sip_uri"] = {"endpoint": f"{room.id}@sip.{name}.invalid"}
        self.rooms[name] = room
        return room

    def get(self, name: str) -> Room:
        """The room of this name."""
        room = self.rooms.get(name)
        if room is None:
            raise not_found(f"room {name} not found")
        return room

    def update(self, name: str, wish: UpdateRoom) -> Room:
        """Change what is named; ``null`` takes a property away."""
        room = self.get(name)
        given = wish.properties.model_dump(exclude_unset=True)
        self._checked({key: value for key, value in given.items() if value is not None})
        if wish.privacy is not None:
            room.privacy = wish.privacy
        for key, value in given.items():
            if value is None:
                room.properties.pop(key, None)
            else:
                room.properties[key] = value
        return room

    def list(
        self, limit: int, starting_after: str | None, ending_before: str | None
    ) -> dict[str, Any]:
        """Rooms, newest first, from behind one id or up to another."""
        newest = list(reversed(self.rooms.values()))
        ids = [room.id for room in newest]
        begin = ids.index(starting_after) + 1 if starting_after in ids else 0
        end = ids.index(ending_before) if ending_before in ids else len(ids)
        shown = [room.shown() for room in newest[begin:end][: min(limit, MOST_LISTED)]]
        return {"total_count": len(self.rooms), "data": shown}

    def _checked(self, properties: dict[str, Any]) -> dict[str, Any]:
        times = (properties.get("nbf", 0), properties.get("exp"))
        if times[1] is not None and times[0] > times[1]:
            raise invalid("'nbf' must not be after 'exp'")
        return properties
