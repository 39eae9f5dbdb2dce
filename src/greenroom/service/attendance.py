"""What rooms themselves tell: who comes and goes, by their events at once, and at a slow look.

Rooms whose bots tell of it (`Rooms.tells` is false) have no use for this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import structlog

from greenroom.errors import GreenroomError
from greenroom.ports.clock import Clock
from greenroom.ports.rooms import Occupant, Party, Rooms
from greenroom.ports.store import Store
from greenroom.service.entrance import shape_of
from greenroom.service.metrics import Metrics
from greenroom.service.policies import Outside, outside
from greenroom.service.reports import Reports
from greenroom.service.tracing import ids_of
from greenroom.session import inputs as i
from greenroom.session.group import Person
from greenroom.session.model import Presence, Session, Stage

log = structlog.get_logger("greenroom.attendance")

# Daily's presence is up to 15 s late, and is to be asked no faster
# (https://docs.daily.co/reference/rest-api/presence).
LOOK_EVERY_S = 15.0
LATE_S = 15.0
REMEMBERED = 10_000
V = TypeVar("V")

_IN_USE = (Stage.CONNECTING, Stage.ACTIVE, Stage.LINGERING, Stage.ENDING)


class Heard(StrEnum):
    """What became of an event of a room's; for the metrics."""

    TAKEN = "taken"
    NOTHING_NEW = "nothing_new"  # repeated, or overtaken by a later one
    STRANGER = "stranger"  # somebody without a token of ours
    UNKNOWN_ROOM = "unknown_room"  # no session of ours is in it
    OTHER = "other"  # of a kind that changes nothing
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class _Seat:
    """Somebody's place in a session: its one user's, or one person's of a group call."""

    session: Session
    person: Person | None = None

    @property
    def key(self) -> str:
        return f"{self.session.id}/{self.person.id}" if self.person else self.session.id

    @property
    def connection(self) -> str | None:
        """The connection that counts, as far as is known; there or not."""
        return self.person.connection if self.person else self.session.participant

    @property
    def is_there(self) -> bool:
        if self.person is not None:
            return self.person.connection is not None
        return self.session.user_presence is Presence.PRESENT

    def is_of(self, occupant: Occupant) -> bool:
        """Whether somebody in the room is whose seat this is."""
        theirs = self.person is None or self.person.id == occupant.user_id
        return theirs and occupant.party is Party.USER

    def joined(self, connection: str) -> i.Seen:
        """That they came by this connection."""
        return i.Seen(i.UserJoined(connection, self.person.id if self.person else None))

    def left(self, connection: str) -> i.Seen:
        """That this connection of theirs is gone."""
        return i.Seen(i.UserLeft(connection, person=self.person.id if self.person else None))


def _seats(session: Session) -> list[_Seat]:
    if session.group_call is None:
        return [_Seat(session)]
    return [_Seat(session, person) for person in session.group_call.people]


def _seat_of(session: Session, user_id: str) -> _Seat | None:
    """The place of whoever the room calls so; None: of nobody who was let in."""
    if session.group_call is None:
        return _Seat(session)
    person = session.group_call.person(user_id)
    return _Seat(session, person) if person else None


class Attendance:
    """Compares rooms with the record. Connections are never reused: who left has left.

    Args:
        store: The record.
        clock: The time.
        rooms: The rooms; they must tell.
        reports: Take what was seen.
        metrics: Counters.
    """

    def __init__(
        self, store: Store, clock: Clock, rooms: Rooms, reports: Reports, metrics: Metrics
    ) -> None:
        self._store = store
        self._clock = clock
        self._rooms = rooms
        self._reports = reports
        self._metrics = metrics
        # By connection; what was forgotten by a restart is found again by looking.
        self._joined_at: dict[str, float] = {}
        self._left: dict[str, None] = {}
        self._missing: dict[str, str] = {}
        # By room, who was there before any session: when they came, by connection.
        self._early: dict[str, dict[str, float]] = {}

    async def heard(
        self, room: str, connection: str, user_id: str, *, here: bool, joined_at: float
    ) -> Heard:
        """Take an event of a room's: somebody came or left. Late, repeated, in any order.

        Args:
            room: Which room.
            connection: Which connection of theirs.
            user_id: Who they are, by the token that let them in.
            here: They came; else they left.
            joined_at: When they came, by the room's clock.

        Raises:
            Unavailable: The store is away; the event may be sent again.
        """
        party = self._rooms.party_of(room, user_id)
        if party is None:
            log.warning("room.stranger", room=room)
            return Heard.STRANGER
        session = await self._session_in(room)
        if session is None:
            if party is Party.USER:
                self._note_early(room, connection, here=here, joined_at=joined_at)
            return Heard.UNKNOWN_ROOM
        if party is Party.BOT:
            return await self._bot_is(session, here=here)
        seat = _seat_of(session, user_id)
        if seat is None:
            log.warning("room.stranger", room=room)
            return Heard.STRANGER
        if here:
            return await self._user_came(seat, connection, joined_at)
        return await self._user_left(seat, connection)

    def _note_early(self, room: str, connection: str, *, here: bool, joined_at: float) -> None:
        _remember(self._early, room, {})
        if here and connection not in self._left:
            self._early[room][connection] = joined_at
        else:
            self._early[room].pop(connection, None)
            _remember(self._left, connection, None)

    async def greet(self, session: Session) -> None:
        """Whoever was in the room before its session began is in it from its beginning.

        Raises:
            Unavailable: The store is away.
        """
        for connection, joined_at in self._early.pop(session.room, {}).items():
            seat = _Seat(await self._store.get(session.id))
            await self._user_came(seat, connection, joined_at)

    async def run(self) -> None:
        """Look every quarter of a minute. Until cancelled.

        Not at once: what would be seen then may be older than this server.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except GreenroomError as error:
                log.warning("rooms.not_looked_at", error=error.message, code=error.code)
            except Exception:
                self._metrics.uncaught.labels(place="attendance").inc()
                log.exception("attendance.uncaught")

    async def look(self) -> None:
        """One comparison of the rooms in use with the record; they are kept on the way.

        Raises:
            Unavailable: Store or rooms do not answer.
            RoomsRefused: The rooms will not.
        """
        sessions = [one for one in await self._store.unended() if one.stage in _IN_USE]
        if not sessions:
            self._missing.clear()
            return
        await self._keep(sessions)
        there = await outside(Outside.OCCUPANTS, self._rooms.occupants)
        before, self._missing = self._missing, {}
        for session in sessions:
            await self._compare(session, there.get(session.room, ()), before)

    async def _keep(self, sessions: Sequence[Session]) -> None:
        shapes = {one.room: shape_of(one) for one in sessions}
        try:
            await outside(Outside.KEEP_ROOMS, lambda: self._rooms.keep(shapes))
        except GreenroomError as error:  # who is there can be told all the same
            log.warning("rooms.not_kept", error=error.message, code=error.code)
        # What has ended and was closed while we kept it may be open again.
        unended = {one.id for one in await self._store.unended()}
        for session in sessions:
            if session.id not in unended:
                await self._reports.kept(session.id)

    async def _compare(
        self, session: Session, there: Sequence[Occupant], missing_before: dict[str, str]
    ) -> None:
        if any(_is_stranger(session, one) for one in there):
            log.warning("room.stranger", room=session.room, **ids_of(session))
        if any(one.party is Party.BOT for one in there):
            await self._bot_is(session, here=True)
        for seat in _seats(session):
            here = [one.connection for one in there if seat.is_of(one)]
            await self._compare_seat(seat, here, missing_before)

    async def _compare_seat(
        self, seat: _Seat, there: Sequence[str], missing_before: dict[str, str]
    ) -> None:
        here = [connection for connection in there if connection not in self._left]
        known = seat.connection
        if self._came_just_now(seat):
            return  # what is seen is older than what we know
        if here:
            connection = known if known in here and known else here[-1]
            await self._user_came(seat, connection, self._clock.now() - LATE_S)
        elif seat.is_there and known is not None:
            # Missed once, they may have come since; missed twice, they are gone.
            if missing_before.get(seat.key) == known:
                await self._user_left(seat, known)
            else:
                self._missing[seat.key] = known

    def _came_just_now(self, seat: _Seat) -> bool:
        at = self._joined_at.get(seat.connection or "")
        return at is not None and seat.is_there and 0 <= self._clock.now() - at < LATE_S

    async def _user_came(self, seat: _Seat, connection: str, joined_at: float) -> Heard:
        current = seat.connection
        is_older = seat.is_there and joined_at < self._joined_at.get(current or "", 0.0)
        same = seat.is_there and connection == current
        _remember(self._joined_at, connection, joined_at)
        if same or connection in self._left or (is_older and connection != current):
            return Heard.NOTHING_NEW
        await self._reports.saw(seat.session.id, seat.joined(connection))
        return Heard.TAKEN

    async def _user_left(self, seat: _Seat, connection: str) -> Heard:
        known = connection in self._left
        _remember(self._left, connection, None)
        if known or connection != seat.connection:
            return Heard.NOTHING_NEW  # an older page; the newer one is what counts
        await self._reports.saw(seat.session.id, seat.left(connection))
        return Heard.TAKEN

    async def _bot_is(self, session: Session, *, here: bool) -> Heard:
        """That a bot went is its process's to tell; that it came may be the room's."""
        if not here or session.bot_presence is not Presence.AWAITED:
            return Heard.NOTHING_NEW
        await self._reports.saw(session.id, i.Seen(i.BotJoined()))
        return Heard.TAKEN

    async def _session_in(self, room: str) -> Session | None:
        in_use = [one for one in await self._store.in_room(room) if one.stage in _IN_USE]
        # The one before it may only be ending.
        return next((one for one in in_use if one.stage.is_live), next(iter(in_use), None))

    def count(self, outcome: Heard) -> None:
        """Note what became of an event."""
        self._metrics.room_events.labels(outcome=outcome.value).inc()


def _is_stranger(session: Session, occupant: Occupant) -> bool:
    if occupant.party is Party.USER:
        return _seat_of(session, occupant.user_id) is None
    return occupant.party is None


def _remember(known: dict[str, V], key: str, value: V) -> None:
    known.setdefault(key, value)
    while len(known) > REMEMBERED:
        del known[next(iter(known))]
