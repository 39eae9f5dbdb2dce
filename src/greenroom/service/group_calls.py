"""Group calls: what may be asked of one, and letting people in: each by a token of their own."""

from __future__ import annotations

from collections.abc import Collection

from greenroom.errors import BadRequest, CallFull, NotFound, UnsupportedTransport
from greenroom.ports.rooms import Rooms
from greenroom.service.entrance import Entrance
from greenroom.service.sessions import Sessions
from greenroom.session.group import GroupCall
from greenroom.session.inputs import Admitted, Consented
from greenroom.session.model import Session
from greenroom.wire.link import RoomSpec

# The host, somebody to talk with, and the bot.
FEWEST_PLACES = 3
# So many times its places may be asked for in a call; who was let in once need not be again.
_MOST_TIMES_ITS_PLACES = 10


class GroupCalls:
    """Lets people into calls.

    Args:
        rooms: The rooms; they must tell who is in them.
        entrance: Gives tokens.
        sessions: The record.
        most_places: The most that may be asked for, the bot included.
    """

    def __init__(
        self, rooms: Rooms, entrance: Entrance, sessions: Sessions, most_places: int
    ) -> None:
        self._rooms = rooms
        self._entrance = entrance
        self._sessions = sessions
        self._most_places = most_places

    def wished(
        self, places: int | None, *, video: bool, invited: Collection[str] | None
    ) -> GroupCall:
        """What a group call will be like that somebody asks for.

        Args:
            places: For how many at once, the bot included; None: as many as there may be.
            video: Whether there are cameras.
            invited: Which users may come in beside the host; None: whoever knows its session's id.

        Raises:
            UnsupportedTransport: The rooms of this server are for two.
            BadRequest: It is for too many, or for too few to be a group.
        """
        if not self._rooms.tells:
            raise UnsupportedTransport(
                "Group calls need rooms on Daily; the rooms on this machine are for two.",
                transports=[self._rooms.kind.value],
            )
        most = self._most_places
        if places is not None and not FEWEST_PLACES <= places <= most:
            raise BadRequest(
                f"“group.maxParticipants” must be from {FEWEST_PLACES} to {most} here, the "
                "assistant included.",
                field="group.maxParticipants",
                most=most,
            )
        named = None if invited is None else frozenset(invited)
        return GroupCall(most if places is None else places, video, named)

    async def enter(
        self, session_id: str, user_id: str, tenant: str, *, consented: bool = False
    ) -> RoomSpec:
        """What a user needs to join a session's room: their own, or a group call.

        Whom a call's room calls how is on record before they can be in it, and so is that they
        agree to be recorded (``consented``), where that may be.

        Raises:
            NotFound: There is no such session, or it is not for them.
            CallFull: Every place is taken.
            StillQueued: Its turn has not come.
            SessionEnded: It is over.
            ConsentNeeded: What is said may be recorded, and they have not agreed.
            Unavailable: The room cannot be made ready now.
            RoomsRefused: It cannot be made ready at all.
        """
        session = await self._sessions.get(session_id)
        if not _may_enter(session, user_id, tenant):
            raise NotFound("There is no such session.")
        if consented and self._rooms.records and user_id not in session.consents:
            session = await self._sessions.apply(session_id, Consented(user_id))
        if session.group_call is None:
            return await self._entrance.user(session)
        person = self._entrance.id_in(session, user_id)
        _check_place(session, session.group_call, person)
        self._entrance.check_consent(session, user_id)
        session = await self._sessions.apply(session_id, Admitted(person, user_id))
        return await self._entrance.user(session, user_id)


def _may_enter(session: Session, user_id: str, tenant: str) -> bool:
    """Nobody but its user; into a call, whoever of the tenant is invited."""
    call = session.group_call
    if call is None or session.is_of(user_id, tenant):
        return session.is_of(user_id, tenant)
    return session.tenant == tenant and (call.invited is None or user_id in call.invited)


def _check_place(session: Session, call: GroupCall, person: str) -> None:
    """One place is the bot's. Who comes back takes their own."""
    others = [one for one in call.present if one.id != person]
    known = call.person(person) is not None
    many = len(call.people) >= call.places * _MOST_TIMES_ITS_PLACES and not known
    if len(others) >= call.places - 1 or many:
        raise CallFull(
            f"Every place of this call is taken: it has {call.places}, the assistant's included.",
            session=session.id,
            allowed=call.places,
        )
