"""What is kept of people, in SQL: read in order, erased in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    select,
    update,
)

from greenroom.errors import Unavailable
from greenroom.ports.records import Erased, KeptContext, StillLive
from greenroom.ports.store import StoredEvent
from greenroom.session.model import Session, SessionKind
from greenroom.store import spend
from greenroom.store import tables as t
from greenroom.store.notes import erase_notes
from greenroom.store.rows import from_row
from greenroom.store.transactions import T, Transactions, Work
from greenroom.wire.events import EventType

log = structlog.get_logger("greenroom.store")

_s = t.sessions.c
# Everything that hangs on a session. Its deliveries go with its events.
_OF_A_SESSION = (t.tickets, t.delivery_lanes, t.events, t.contexts, t.effects, t.deadlines)
_TELL_WHO = (EventType.PARTICIPANT_JOINED.value, EventType.PARTICIPANT_LEFT.value)
# The fields of a group call's row, events and effects that say who somebody is.
_NAMES = frozenset({"user_id", "userId", "id", "participant", "came", "invited"})


class SqlRecords:
    """Implements `greenroom.ports.records.Records` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def transcript(self, session_id: str, limit: int) -> list[StoredEvent]:
        """See `Records.transcript`."""
        mine = t.events.c.session_id == session_id
        said = t.events.c.type == EventType.TRANSCRIPT.value
        wanted = select(t.events).where(mine, said).order_by(t.events.c.seq).limit(limit)
        return await self._db.read(
            lambda db: [StoredEvent(**row) for row in db.execute(wanted).mappings()]
        )

    async def contexts(self, session_id: str) -> list[KeptContext]:
        """See `Records.contexts`."""
        c = t.contexts.c
        wanted = select(c.at, c.text, c.by_page).where(c.session_id == session_id).order_by(c.id)
        return await self._db.read(lambda db: [KeptContext(*row) for row in db.execute(wanted)])

    async def of_user(
        self, user_id: str, tenant: str, *, after: str | None, limit: int
    ) -> list[Session]:
        """See `Records.of_user`."""
        wanted = select(t.sessions).where(_s.user_id == user_id, _s.tenant == tenant)
        if after is not None:
            wanted = wanted.where(_s.id > after)
        page = wanted.order_by(_s.id).limit(limit)
        return await self._db.read(
            lambda db: [from_row(row) for row in db.execute(page).mappings()]
        )

    async def agreed_elsewhere(self, user_id: str, tenant: str) -> list[tuple[str, float]]:
        """See `Records.agreed_elsewhere`."""
        return await self._db.read(
            lambda db: [(id_, consents[user_id]) for id_, consents in _agreed(db, user_id, tenant)]
        )

    async def erase_user(self, user_id: str, tenant: str, alias: str, now: float) -> Erased:
        """See `Records.erase_user`."""
        theirs = (_s.user_id == user_id) & (_s.tenant == tenant)

        def work(db: Connection) -> Erased:
            live = set(db.scalars(select(_s.id).where(theirs, t.UNENDED)))
            calls = _calls_with(db, user_id, tenant)
            live |= {call.session_id for call in calls if call.has_them_now}
            if live:
                raise StillLive(sorted(live))
            ids = select(_s.id).where(theirs)
            counted = select(func.count()).select_from(t.events)
            events = db.scalar(counted.where(t.events.c.session_id.in_(ids))) or 0
            sessions = db.scalar(select(func.count()).select_from(ids.subquery())) or 0
            _erase_events(db, ids, now)
            # A late report that has read the old row must not write the name back: the version.
            blank: dict[str, Any] = {
                "user_id": alias,
                "room": "",
                "participant": None,
                "consents": {},
                "version": _s.version + 1,
            }
            db.execute(update(t.sessions).where(theirs).values(blank))
            for call in calls:
                call.rename(db, alias)
            spend.rename(db, user_id, tenant, alias)
            decided = t.rollout_decisions.c
            mine = (decided.user_id == user_id) & (decided.tenant == tenant)
            db.execute(delete(t.rollout_decisions).where(mine))
            return Erased(sessions, events, erase_notes(db, user_id, tenant))

        return await self._gone(work)

    async def erase_words(self, before: float, now: float, limit: int) -> int:
        """See `Records.erase_words`."""
        ended = select(_s.id).where(t.KEEPS_WORDS, _s.ended_at < before)

        def work(db: Connection) -> int:
            ids = db.scalars(ended.order_by(_s.ended_at).limit(limit)).all()
            _erase_events(db, ids, now)
            return len(ids)

        return await self._gone(work)

    async def forget(self, before: float, limit: int) -> int:
        """See `Records.forget`."""
        ended = select(_s.id).where(t.HAS_ENDED, _s.ended_at < before)

        def work(db: Connection) -> int:
            ids = db.scalars(ended.order_by(_s.ended_at).limit(limit)).all()
            for table in _OF_A_SESSION:
                db.execute(delete(table).where(table.c.session_id.in_(ids)))
            db.execute(delete(t.sessions).where(_s.id.in_(ids)))
            return len(ids)

        return await self._gone(work)

    async def _gone(self, work: Work[T]) -> T:
        """Run work that deletes what is to be gone wherever it is kept."""
        done = await self._db.write(work)
        with suppress(Unavailable):
            if await self._db.scrub():
                return done
        # It is done all the same. The log is emptied by whoever erases something next.
        log.warning("store.not_scrubbed")
        return done


@dataclass(frozen=True, slots=True)
class _Call:
    """A group call, anybody's, in which a user was, or may have been."""

    session_id: str
    host: str
    data: dict[str, Any]
    consents: dict[str, float]
    user_id: str

    @property
    def has_them_now(self) -> bool:
        """Whether they are in its room."""
        people = self.data["people"]
        return any(one["user_id"] == self.user_id and one["connection"] for one in people)

    @property
    def is_about_them(self) -> bool:
        """Whether it says anything of them."""
        people = {one["user_id"] for one in self.data["people"]}
        return self.user_id in people.union(self.data["invited"] or (), self.consents)

    def rename(self, db: Connection, alias: str) -> None:
        """Call them by another name: on the row, and in what was told of their coming and going.

        What the room calls them follows from their name, and goes with it.
        """
        ids = [one["id"] for one in self.data["people"] if one["user_id"] == self.user_id]
        names = dict.fromkeys([self.user_id, *ids], alias)
        renamed: dict[str, Any] = {
            "group_call": _renamed(self.data, names),
            "version": _s.version + 1,
        }
        if self.host != self.user_id:  # a host's own events and consents are gone already
            renamed["consents"] = {u: at for u, at in self.consents.items() if u != self.user_id}
            of_it = t.events.c.session_id == self.session_id
            _rename_in(db, t.events, "data", of_it & t.events.c.type.in_(_TELL_WHO), names)
            _rename_in(db, t.effects, "payload", t.effects.c.session_id == self.session_id, names)
            theirs = t.tickets.c.user_id == self.user_id
            db.execute(delete(t.tickets).where(t.tickets.c.session_id == self.session_id, theirs))
        db.execute(update(t.sessions).where(_s.id == self.session_id).values(renamed))


def _calls_with(db: Connection, user_id: str, tenant: str) -> list[_Call]:
    """The group calls that say anything of a user, their own among them."""
    wanted = select(_s.id, _s.user_id, _s.group_call, _s.consents).where(
        _s.tenant == tenant, _s.kind == SessionKind.GROUP.value
    )
    rows = db.execute(wanted.order_by(_s.id))
    calls = [_Call(id_, host, call, agreed, user_id) for id_, host, call, agreed in rows if call]
    return [call for call in calls if call.is_about_them]


def _rename_in(
    db: Connection, table: Table, column: str, which: ColumnElement[bool], names: Mapping[str, str]
) -> None:
    key = list(table.primary_key.columns)
    for *values, data in db.execute(select(*key, table.c[column]).where(which)).all():
        renamed = _renamed(data, names)
        if renamed != data:
            is_it = and_(*(c == value for c, value in zip(key, values, strict=True)))
            db.execute(update(table).where(is_it).values({column: renamed}))


def _renamed(data: Any, names: Mapping[str, str], field: str = "") -> Any:
    """JSON with other names in the fields that hold one."""
    if isinstance(data, dict):
        return {name: _renamed(value, names, name) for name, value in data.items()}
    if isinstance(data, list):
        return [_renamed(value, names, field) for value in data]
    return names.get(data, data) if field in _NAMES and isinstance(data, str) else data


def _agreed(db: Connection, user_id: str, tenant: str) -> list[tuple[str, dict[str, float]]]:
    """Group calls of others in which this user has agreed to be recorded, by id."""
    calls = select(_s.id, _s.consents).where(
        _s.tenant == tenant, _s.kind == SessionKind.GROUP.value, _s.user_id != user_id
    )
    return [(id_, found) for id_, found in db.execute(calls.order_by(_s.id)) if user_id in found]


def _erase_events(db: Connection, ids: Sequence[str] | Select[tuple[str]], now: float) -> None:
    """Of ended sessions: whatever was said or told, by whomever. The version is left as it is."""
    for table in _OF_A_SESSION:
        db.execute(delete(table).where(table.c.session_id.in_(ids)))
    # The record may have what the start has overridden, a user's name say; its version stays.
    blank: dict[str, Any] = {"body": {}, "record": {}, "end_note": None, "erased_at": now}
    db.execute(update(t.sessions).where(_s.id.in_(ids)).values(blank))
