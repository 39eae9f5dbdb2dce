"""Port: the rooms where page and bot meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from greenroom.wire.link import RoomKind, RoomSpec


class Party(StrEnum):
    """Who a room is for: one bot, and one user or (in a group call) several. Nobody else."""

    USER = "user"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a room is like.

    Attributes:
        places: How many may be in it at once, the bot included.
        video: Whether there are cameras.
    """

    places: int = 2
    video: bool = False


FOR_TWO = Shape()
"""A room for one user and one bot, who only talk."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who is to be let into a room.

    Attributes:
        party: Which of the two.
        name: What the others are shown; it decides nothing.
        until: When they have to be gone at the latest, seconds since the epoch.
        person: Which of several users; None: the only one.
        video: Whether they may have a camera on. Everybody has a microphone.
    """

    party: Party
    name: str
    until: float
    person: str | None = None
    video: bool = False


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody in a room, as the room tells it.

    Attributes:
        connection: Which connection it is; the same person who comes back has another.
        party: Who it is, by the token that let them in; None: nobody of ours, whatever they
            call themselves.
        user_id: What that token calls them.
    """

    connection: str
    party: Party | None
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """A room that may be joined.

    Attributes:
        reused: It was there already.
        until: When it empties itself unless it is kept, seconds since the epoch; None: never.
    """

    reused: bool
    until: float | None = None


class Rooms(Protocol):
    """Makes rooms, lets people in, says who is there, closes them.

    Guarantees: every call may be repeated, and may meet itself: two that make the same room make
    one. A room is private before anybody is let in, also if somebody made it public meanwhile. It
    holds as many as its shape says; who is let in again is not kept out by their own older
    connection. Nobody stays in a room that nobody keeps. A room is never taken away from under
    people.
    Every call is bounded in time. It raises `RoomsUnavailable` (with ``retry_after_s``, if that is
    known) when it may succeed later, and `RoomsRefused` when it will not.
    """

    @property
    def kind(self) -> RoomKind:
        """How people get in."""
        ...

    @property
    def tells(self) -> bool:
        """Whether the rooms themselves say who is in them; if not, the bots do."""
        ...

    @property
    def records(self) -> bool:
        """Whether what is said in them may be recorded, which people have to agree to."""
        ...

    async def ensure(self, name: str, shape: Shape = FOR_TWO) -> Ready:
        """The room exists, private, ready to be joined.

        Raises:
            RoomNotPrivate: It is public, and stays so.
        """
        ...

    def describe(self, name: str) -> RoomSpec:
        """What may be known of a room by whoever may know of its session; no token. At once."""
        ...

    async def name_at(self, url: str) -> str | None:
        """What the room at this address is called; None: no room of ours can be there.

        Whether there is such a room, and whose it is, it does not say.
        """
        ...

    async def admit(self, name: str, guest: Guest, shape: Shape = FOR_TWO) -> RoomSpec:
        """What this guest needs to join, now and for the first time or again.

        For a user the room is made ready first, as by `ensure`, and their older connection is
        put out. For the bot it has been made ready already, and nobody is disturbed.
        """
        ...

    async def keep(self, shapes: Mapping[str, Shape]) -> None:
        """These rooms are in use; they stay usable until well behind the next call."""
        ...

    async def occupants(self) -> Mapping[str, Sequence[Occupant]]:
        """Who is in which room, possibly some seconds ago; only if the rooms `tells`."""
        ...

    def id_of(self, name: str, guest: Guest) -> str:
        """What this guest's token calls them in this room: always the same, and nobody else."""
        ...

    def party_of(self, name: str, user_id: str) -> Party | None:
        """Whom a participant's id, as a token set it, stands for in this room."""
        ...

    async def close(self, name: str) -> None:
        """Nobody is in the room any more, and nobody gets in, until it is made ready again."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; no room changes."""
        ...
