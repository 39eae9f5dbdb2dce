"""Letting people into the rooms of their sessions: each by a token of their own, and not after."""

from __future__ import annotations

from greenroom.errors import SessionEnded, StillQueued, UnsupportedTransport
from greenroom.ports.clock import Clock
from greenroom.ports.rooms import Guest, Party, Rooms
from greenroom.service.policies import Outside, outside
from greenroom.session.deadlines import longest_life_s
from greenroom.session.model import Presence, Session, Stage
from greenroom.wire.link import RoomKind, RoomSpec
from greenroom.wire.vapi.calls import call_of
from greenroom.wire.vapi.messages import SPEAKER

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
        return await self._admit(session, Guest(Party.USER, _shown(session.user_id), 0.0))

    async def bot(self, session: Session) -> RoomSpec:
        """What the session's bot needs to join; one that is in the room already needs nothing.

        Raises:
            Unavailable: Nobody can be asked, say, whose domain it is.
        """
        if session.bot_presence is Presence.PRESENT:
            return self._rooms.describe(session.room)
        name = SPEAKER if call_of(session) else session.assistant
        return await self._admit(session, Guest(Party.BOT, _shown(name), 0.0))

    async def _admit(self, session: Session, guest: Guest) -> RoomSpec:
        if self.kind is RoomKind.LOCAL:
            return self._rooms.describe(session.room)
        until = self._clock.now() + longest_life_s(session.limits) + TOKEN_SLACK_S
        known = Guest(guest.party, guest.name, until)
        return await outside(Outside.ADMIT, lambda: self._rooms.admit(session.room, known))


def _shown(name: str) -> str:
    return name[:MAX_NAME_CHARS]
