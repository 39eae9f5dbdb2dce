"""Letting people into the rooms of their sessions: each by a token of their own, and not after."""

from __future__ import annotations

from dataclasses import replace

from greenroom.errors import SessionEnded, StillQueued, UnsupportedTransport
from greenroom.ports.clock import Clock
from greenroom.ports.rooms import FOR_TWO, Guest, Party, Rooms, Shape
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Sessions
from greenroom.service.starting import consent_needed
from greenroom.session.deadlines import longest_life_s
from greenroom.session.inputs import RoomReady
from greenroom.session.model import Limits, Presence, Session, Stage
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
        sessions: Whose rooms they are.
    """

    def __init__(self, rooms: Rooms, clock: Clock, sessions: Sessions) -> None:
        self._rooms = rooms
        self._clock = clock
        self._sessions = sessions

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

    def id_in(self, session: Session, user_id: str) -> str:
        """What the room of a group call calls this user: always the same."""
        return self._rooms.id_of(session.room, self._guest(session, user_id))

    def check_consent(self, session: Session, user_id: str) -> None:
        """Keep out whoever has not agreed to be recorded, where that may be.

        Raises:
            ConsentNeeded: Nothing of it is on record.
        """
        if self._rooms.records and user_id not in session.consents:
            raise consent_needed()

    async def user(self, session: Session, user_id: str | None = None) -> RoomSpec:
        """What a user needs to join, for the first time or again.

        Args:
            session: Of which session.
            user_id: Who, of a group call's people; None: whose session it is.

        Raises:
            StillQueued: Their turn has not come.
            SessionEnded: It is over, or they were put out: no token is given any more.
            ConsentNeeded: What is said may be recorded, and they have not agreed.
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        if session.stage is Stage.QUEUED:
            raise StillQueued("You are still waiting for a place.", session=session.id)
        _check_live(session)
        self.check_consent(session, user_id or session.user_id)
        guest = self._guest(session, user_id or session.user_id)
        if self.kind is RoomKind.LOCAL:
            return await self.let_in(session.room, guest)
        try:
            room = await self.let_in(session.room, guest, shape_of(session))
        finally:  # it takes a while, and a session that ended meanwhile has had its room closed
            session = await self._sessions.apply(session.id, RoomReady())
        _check_live(session)
        return room

    async def bot(self, session: Session) -> RoomSpec:
        """What the session's bot needs to join; one that is in the room already needs nothing.

        Raises:
            Unavailable: Nobody can be asked, say, whose domain it is.
        """
        until, video = self.until(session.limits), bot_has_camera(session)
        if session.bot_presence is Presence.PRESENT:
            return self._rooms.describe(session.room).model_copy(update={"video": video})
        name = SPEAKER if call_of(session) else session.assistant
        guest = Guest(Party.BOT, name, until, video=video)
        return await self.let_in(session.room, guest, shape_of(session))

    def _guest(self, session: Session, user_id: str) -> Guest:
        call, until = session.group_call, self.until(session.limits)
        if call is None:
            return Guest(Party.USER, user_id, until)
        return Guest(Party.USER, user_id, until, person=user_id, video=call.video)

    def until(self, limits: Limits) -> float:
        """When a token is over that is given now; seconds since the epoch."""
        return self._clock.now() + longest_life_s(limits) + TOKEN_SLACK_S

    async def let_in(self, room: str, guest: Guest, shape: Shape = FOR_TWO) -> RoomSpec:
        """What this guest needs to join; how much of their name is shown is limited.

        Raises:
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        if self.kind is RoomKind.LOCAL:
            return self._rooms.describe(room)
        known = replace(guest, name=guest.name[:MAX_NAME_CHARS])
        return await outside(Outside.ADMIT, lambda: self._rooms.admit(room, known, shape))


def shape_of(session: Session) -> Shape:
    """What the room of a session is like."""
    call = session.group_call
    return FOR_TWO if call is None else Shape(call.places, call.video)


def bot_has_camera(session: Session) -> bool:
    """Whether its bot may show something: where there are cameras, unless it is for voice only."""
    call = session.group_call
    return call is not None and call.video and session.body.get("voiceOnly") is not True


def _check_live(session: Session) -> None:
    if not session.stage.is_live:
        raise SessionEnded("This session is over. Start a new one.", session=session.id)
