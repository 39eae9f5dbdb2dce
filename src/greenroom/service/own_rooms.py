"""A user's own rooms: opened before anybody talks in them, known by their address, closed again.

Each user has one with each assistant, always the same. A session goes on in it; this is for whoever
makes the room first, joins, and then has the bot called (the migration plan's order).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from greenroom.errors import ForeignRoom, Halted
from greenroom.ports.clock import Clock
from greenroom.ports.rooms import Guest, Party, Rooms
from greenroom.ports.store import Store
from greenroom.service.entrance import Entrance
from greenroom.service.names import Keyring
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Assistant, Sessions
from greenroom.service.starting import consent_needed
from greenroom.session.inputs import Consented
from greenroom.session.model import Session, SessionKind
from greenroom.wire.link import RoomKind, RoomSpec

# What a user is called who needs no other spelling in a room's name; its hash is the proof.
_NAMED = re.compile(r"voice-(?P<user>.+)-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose room it is: a user, who is an id within a tenant."""

    user_id: str
    tenant: str


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A room that its user may join now.

    Attributes:
        spec: Where, and by what.
        reused: It was there already.
        until: When the room empties itself unless a session begins in it, or when the token ends,
            whichever is first; None: never.
    """

    spec: RoomSpec
    reused: bool
    until: float | None


class OwnRooms:
    """Opens and closes the rooms of users.

    Args:
        store: The record.
        clock: The time.
        rooms: The rooms.
        entrance: Lets people in.
        sessions: Who may be talked with, and how a talk is ended.
        keyring: Names rooms.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rooms: Rooms,
        entrance: Entrance,
        sessions: Sessions,
        keyring: Keyring,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rooms = rooms
        self._entrance = entrance
        self._sessions = sessions
        self._keyring = keyring

    def name_of(self, owner: Owner, assistant: Assistant) -> str:
        """What the room of this user and assistant is called."""
        return self._keyring.room_for(owner.user_id, assistant.name, owner.tenant)

    async def session_in(self, name: str) -> Session | None:
        """Who talks in a room now, or waits to."""
        return next((one for one in await self._store.in_room(name) if one.stage.is_live), None)

    async def open(
        self, owner: Owner, assistant: Assistant, *, consented: bool = False
    ) -> OpenRoom:
        """Get or make the room, and let its user in.

        Where what is said may be recorded, only if they agree (``consented``) or have agreed. It
        is on record with a session; without one there is nothing yet to have it with, and its
        start asks again.

        An older page of theirs is put out of it. Without a session the room empties itself when
        its time is over; the token outlives the longest session that may yet begin in it.

        Raises:
            Halted: Everything is stopped.
            ConsentNeeded: What is said may be recorded, and they have not agreed.
            StillQueued: They wait for their turn to talk in it.
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        name = self.name_of(owner, assistant)
        session = await self.session_in(name)
        if session is not None:
            agrees = consented and self._rooms.records
            if agrees and session.user_id not in session.consents:
                session = await self._sessions.apply(session.id, Consented(session.user_id))
            spec, until = await self._entrance.user(session), self._entrance.until(session.limits)
            return OpenRoom(spec, reused=True, until=until if spec.token else None)
        halt = await self._store.halted()
        if halt is not None:
            raise Halted.because(halt.reason)
        if self._rooms.records and not consented:
            raise consent_needed()
        ready = await outside(Outside.OPEN_ROOM, lambda: self._rooms.ensure(name))
        if self._rooms.kind is RoomKind.LOCAL:
            return OpenRoom(self._rooms.describe(name), ready.reused, None)
        lasts_s = max(0.0, (ready.until or 0.0) - self._clock.now())
        guest = Guest(Party.USER, owner.user_id, self._entrance.until(assistant.most) + lasts_s)
        spec = await self._entrance.let_in(name, guest)
        return OpenRoom(spec, ready.reused, ready.until)

    async def leave(self, owner: Owner, assistant: Assistant, *, at_once: bool) -> None:
        """End what goes on in the room, and close it; said again, nothing more happens.

        A room is never taken away: it is emptied and let expire, by the end of its session if
        there is one.

        Args:
            owner: Whose room.
            assistant: With whom.
            at_once: If not, a session waits for its user as it has promised, and a room without
                one empties itself when its time is over.

        Raises:
            Unavailable: The room cannot be closed now.
        """
        if not at_once:
            return
        name = self.name_of(owner, assistant)
        in_it = await self._store.in_room(name)
        for session in in_it:
            if session.stage.is_live:
                await self._sessions.stop(session.id, owner.user_id, tenant=owner.tenant)
        if not in_it:
            await outside(Outside.CLOSE_ROOM, lambda: self._rooms.close(name))

    async def assistant_at(
        self, owner: Owner, url: str | None, assistant_name: str | None
    ) -> Assistant:
        """With whom the user talks in the room at this address.

        Args:
            owner: Whose room it must be.
            url: The room's address, or its name; None: whichever room of theirs.
            assistant_name: With whom it must be; None: whoever.

        Raises:
            ForeignRoom: It is elsewhere, or somebody else's.
            NotFound: There is no such assistant.
            Unavailable: Nobody can be asked, say, whose domain it is.
        """
        if not url:
            return await self._sessions.assistant(assistant_name)
        name = await self._name_at(url)
        named = await self._sessions.assistant(assistant_name) if assistant_name else None
        for assistant in [named] if named else await self._sessions.assistants():
            if name == self.name_of(owner, assistant):
                return assistant
        raise ForeignRoom(
            "This is not a room of this user. Get theirs by POST /api/voice/room, and leave out "
            "“room_url” if there is no other.",
        )

    async def call_at(self, owner: Owner, url: str | None) -> Session | None:
        """The group call in the room at this address, if this user is its host."""
        name = await self._name_at(url) if url else None
        session = await self.session_in(name) if name else None
        if session is None or session.kind is not SessionKind.GROUP:
            return None
        return session if session.is_of(owner.user_id, owner.tenant) else None

    async def owner_at(self, url: str | None, tenant: str) -> Owner:
        """Whose room it is, by who talks in it or as its name proves; for whoever acts for others.

        Raises:
            ForeignRoom: It is elsewhere, or nobody knows.
        """
        name = await self._name_at(url) if url else None
        session = await self.session_in(name) if name else None
        if session is not None:
            return Owner(session.user_id, session.tenant)
        if found := _NAMED.fullmatch(name or ""):
            owner = Owner(found["user"], tenant)
            if any(
                found[0] == self.name_of(owner, one) for one in await self._sessions.assistants()
            ):
                return owner
        raise ForeignRoom(
            "Whose room this is does not follow from its name. Say it by “sessionUserId” (--user)."
        )

    async def _name_at(self, url: str) -> str | None:
        if "/" not in url:
            return url
        return await outside(Outside.NAME_ROOM, lambda: self._rooms.name_at(url))
