"""Letting people into the rooms of their sessions: each by a token of their own, and not after."""

from __future__ import annotations

from dataclasses import replace

from greenroom.errors import SessionEnded, StillQueued, UnsupportedTransport
from greenroom.ports.clock import Clock
from greenroom.ports.rooms import Guest, Party, Rooms
from greenroom.service.policies import Outside, outside
from greenroom.session.deadlines import longest_life_s
from greenroom.session.model import Limits, Presence, Session, Stage
from greenroom.wire.link import RoomKind, RoomSpec

# A token ends after the longest call that it can be for, and so never within one.
TOKEN_SLACK_S = 60.0
MAX_NAME_CHARS = 64


class Entrance:
    """Who gets into which room.

    Args:
        rooms: The rooms.
        clock: The time.
    """

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

    @property
    def kind(self) -> RoomKind:
        """How people get in."""
        return self._rooms.kind

    def refuse_offers(self) -> None:
        """Refuse an SDP offer where nobody would answer it.

        Raises:
            UnsupportedTransport: The rooms are not this machine's.
        """
        if self.kind is not RoomKind.LOCAL:
            raise UnsupportedTransport(
                "The rooms of this server are Daily's: join “room.url” with “room.token”, and "
                "send no offer.",
                transports=[self.kind.value],
            )

    async def user(self, session: Session) -> RoomSpec:
        """What the session's user needs to join, for the first time or again.

        Raises:
            StillQueued: Their turn has not come.
            SessionEnded: It is over, or they were put out: no token is given any more.
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        if session.stage is Stage.QUEUED:
            raise StillQueued("You are still waiting for a place.", session=session.id)
        if not session.stage.is_live:
            raise SessionEnded("This session is over. Start a new one.", session=session.id)
        guest = Guest(Party.USER, session.user_id, self.until(session.limits))
        return await self.let_in(session.room, guest)

    async def bot(self, session: Session) -> RoomSpec:
        """What the session's bot needs to join; one that is in the room already needs nothing.

        Raises:
            Unavailable: Nobody can be asked, say, whose domain it is.
        """
        if session.bot_presence is Presence.PRESENT:
            return self._rooms.describe(session.room)
        guest = Guest(Party.BOT, session.assistant, self.until(session.limits))
        return await self.let_in(session.room, guest)

    def until(self, limits: Limits) -> float:
        """When a token is over that is given now; seconds since the epoch."""
        return self._clock.now() + longest_life_s(limits) + TOKEN_SLACK_S

    async def let_in(self, room: str, guest: Guest) -> RoomSpec:
        """What this guest needs to join; how much of their name is shown is limited.

        Raises:
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        if self.kind is RoomKind.LOCAL:
            return self._rooms.describe(room)
        known = replace(guest, name=guest.name[:MAX_NAME_CHARS])
        return await outside(Outside.ADMIT, lambda: self._rooms.admit(room, known))
