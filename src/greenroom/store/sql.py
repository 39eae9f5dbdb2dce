"""The store on SQL: one transaction a change, on SQLite and (same statements) PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    TextClause,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from greenroom.errors import Halted, NotFound, Unavailable
from greenroom.ports.effects import NewEffect, PendingEffect
from greenroom.ports.store import (
    AlreadyLive,
    DueDeadline,
    Halt,
    Listing,
    Move,
    New,
    NewEvent,
    SpendBy,
    StaleWrite,
    StoredEvent,
    Total,
)
from greenroom.session.deadlines import deadlines as deadlines_of
from greenroom.session.model import DEFAULT_TENANT, DeadlineKind, Session, SessionKind
from greenroom.session.policy import Occupancy, Place, Quotas
from greenroom.store import listing, spend
from greenroom.store import tables as t
from greenroom.store.assistants import SqlAssistants
from greenroom.store.audit import SqlAudit
from greenroom.store.deliveries import SqlDeliveries
from greenroom.store.effects import SqlEffects, add_effects, strike_off
from greenroom.store.keys import SqlKeys
from greenroom.store.notes import SqlNotes
from greenroom.store.occupancy import census, waiting_sessions
from greenroom.store.records import SqlRecords
from greenroom.store.rollout import SqlRollout
from greenroom.store.rows import from_row, to_row
from greenroom.store.transactions import T, Transactions, Work

# Made once: a statement of so many columns takes half as long to make as to carry out.
_BY_ID = select(t.sessions).where(t.sessions.c.id == bindparam("name"))
_BY_LAUNCH = select(t.sessions).where(t.sessions.c.launch_id == bindparam("name"))
_REPLACE = update(t.sessions).where(
    t.sessions.c.id == bindparam("known_id"), t.sessions.c.version == bindparam("known_version")
)
_PUT_DEADLINES = {
    dialect: put.on_conflict_do_update(
        index_elements=list(t.deadlines.primary_key), set_={"due_at": put.excluded.due_at}
    )
    for dialect, put in t.inserts_or_updates(t.deadlines).items()
}
_LIVE_OF = select(t.sessions).where(
    t.sessions.c.user_id == bindparam("user_id"),
    t.sessions.c.assistant == bindparam("assistant"),
    t.sessions.c.tenant == bindparam("tenant"),
    t.sessions.c.kind == bindparam("kind"),
    t.LIVE,
)
_LIVE_OF_USER = select(t.sessions).where(
    t.sessions.c.user_id == bindparam("user_id"), t.sessions.c.tenant == bindparam("tenant"), t.LIVE
)
_GROUP_CALLS = select(t.sessions).where(t.sessions.c.tenant == bindparam("tenant"), t.GROUP_CALLS)
_IN_ROOM = (
    select(t.sessions)
    .where(t.sessions.c.room == bindparam("room"), t.UNENDED)
    .order_by(t.sessions.c.created_at.desc())
)
_EARLIEST = select(func.min(t.deadlines.c.due_at))
_HALT = select(t.house.c.halted_at, t.house.c.halt_reason)
_HALT_FOR_SHARE = _HALT.with_for_update(read=True)
# A start waits no longer for those before it. A page gives up after 35 s.
ADMISSION_WITHIN_S = 20.0


class SqlStore:
    """Implements `greenroom.ports.store.Store` on any database that SQLAlchemy knows.

    Args:
        db: Runs the transactions.
        admission_lock: Taken, until its end, by every transaction that lets a session in; None:
            the write lock is held anyway.
    """

    def __init__(self, db: Transactions, admission_lock: TextClause | None = None) -> None:
        self._db = db
        self.deliveries = SqlDeliveries(db)
        self.effects = SqlEffects(db)
        self.keys = SqlKeys(db)
        self.audit = SqlAudit(db)
        self.assistants = SqlAssistants(db)
        self.records = SqlRecords(db)
        self.rollout = SqlRollout(db)
        self.notes = SqlNotes(db)
        self._admission_lock = admission_lock
        self._turn = asyncio.Lock()

    # ---- changes

    async def admit(
        self, asked: Place, quotas: Quotas, now: float, decide: Callable[[Occupancy], New]
    ) -> Session:
        """See `Store.admit`."""

        def work(db: Connection) -> Session:
            _refuse_if_halted(db)
            found = census(db, quotas, now, asked)
            if found.live_id is not None:
                raise AlreadyLive(found.live_id)
            new = decide(found.occupancy)
            stored = replace(new.session, last_seq=len(new.events), version=1)
            try:
                db.execute(insert(t.sessions), to_row(stored))
            except IntegrityError as error:
                raise Unavailable("The session could not be stored. Try again.") from error
            self._add(db, stored, 0, new.events, new.effects, now)
            self._put_deadlines(db, stored, {}, deadlines_of(stored))
            return stored

        return await self._admit(work)

    async def let_in(
        self,
        quotas: Quotas,
        now: float,
        decide: Callable[[Occupancy, Sequence[Session]], Sequence[Move]],
    ) -> list[Session]:
        """See `Store.let_in`."""

        def work(db: Connection) -> list[Session]:
            if _halt_in(db, for_share=True) is not None:
                return []
            found = census(db, quotas, now)
            return [self._replace(db, move, now) for move in decide(found.occupancy, found.waiting)]

        return await self._admit(work)

    async def waiting(self) -> list[Session]:
        """See `Store.waiting`."""
        return await self._db.read(waiting_sessions)

    async def commit(
        self,
        before: Session,
        after: Session,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
        settles: PendingEffect | None = None,
    ) -> Session:
        """See `Store.commit`."""
        move = Move(before, after, events, effects)

        def work(db: Connection) -> Session:
            if settles is not None:
                strike_off(db, settles)
            return self._replace(db, move, now)

        return await self._db.write(work)

    def _replace(self, db: Connection, move: Move, now: float) -> Session:
        before = move.before
        last_seq = before.last_seq + len(move.events)
        stored = replace(move.after, last_seq=last_seq, version=before.version + 1)
        row = to_row(stored)
        # Fixed at the start; the body may be long.
        del row["id"], row["body"], row["assistant_version"], row["tariff"]
        if stored.record is before.record or stored.record == before.record:
            del row["record"]  # long, too, and hardly ever adjusted
        known = {"known_id": before.id, "known_version": before.version}
        result = db.execute(_REPLACE, {**row, **known})
        if result.rowcount != 1:
            raise StaleWrite(before.id)
        self._add(db, stored, before.last_seq, move.events, move.effects, now)
        self._put_deadlines(db, stored, deadlines_of(before), deadlines_of(stored))
        spend.add(db, before, stored, now)
        return stored

    def _add(
        self,
        db: Connection,
        session: Session,
        seq: int,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
    ) -> None:
        if events:
            rows = [
                {"session_id": session.id, "seq": n, "at": now, "type": e.type, "data": e.data}
                for n, e in enumerate(events, start=seq + 1)
            ]
            db.execute(insert(t.events), rows)
            self.deliveries.add(db, rows, session.body)
        add_effects(db, session.id, effects, now)

    def _put_deadlines(
        self,
        db: Connection,
        session: Session,
        before: dict[DeadlineKind, float],
        after: dict[DeadlineKind, float],
    ) -> None:
        gone = [kind.value for kind in before.keys() - after.keys()]
        if gone:
            mine = t.deadlines.c.session_id == session.id
            db.execute(delete(t.deadlines).where(mine, t.deadlines.c.kind.in_(gone)))
        moved = [kind for kind, at in after.items() if before.get(kind) != at]
        if moved:
            rows = [
                {"session_id": session.id, "kind": kind.value, "due_at": after[kind]}
                for kind in moved
            ]
            db.execute(_PUT_DEADLINES[db.dialect.name], rows)

    # ---- sessions and events

    async def get(self, session_id: str) -> Session:
        """See `Store.get`."""
        return await self._one(_BY_ID, session_id)

    async def by_launch(self, launch_id: str) -> Session:
        """See `Store.by_launch`."""
        return await self._one(_BY_LAUNCH, launch_id)

    async def _one(self, wanted: Any, name: str) -> Session:
        row = await self._db.read(lambda db: db.execute(wanted, {"name": name}).mappings().first())
        if row is None:
            raise NotFound("There is no such session.")
        return from_row(row)

    async def live_of(
        self,
        user_id: str,
        assistant: str,
        tenant: str = DEFAULT_TENANT,
        kind: SessionKind = SessionKind.VOICE,
    ) -> Session | None:
        """See `Store.live_of`."""
        whose = {"user_id": user_id, "assistant": assistant, "tenant": tenant, "kind": kind.value}
        row = await self._db.read(lambda db: db.execute(_LIVE_OF, whose).mappings().first())
        return from_row(row) if row else None

    async def unended(self) -> list[Session]:
        """See `Store.unended`."""
        wanted = select(t.sessions).where(t.UNENDED)
        return await self._db.read(
            lambda db: [from_row(row) for row in db.execute(wanted).mappings()]
        )

    async def live_of_user(self, user_id: str, tenant: str) -> list[Session]:
        """See `Store.live_of_user`."""
        return await self._found(_LIVE_OF_USER, user_id=user_id, tenant=tenant)

    async def group_calls(self, tenant: str) -> list[Session]:
        """See `Store.group_calls`."""
        return await self._found(_GROUP_CALLS, tenant=tenant)

    async def in_room(self, room: str) -> list[Session]:
        """See `Store.in_room`."""
        return await self._found(_IN_ROOM, room=room)

    async def _found(self, wanted: Select[Any], **asked: str) -> list[Session]:
        return await self._db.read(
            lambda db: [from_row(row) for row in db.execute(wanted, asked).mappings()]
        )

    async def listed(self, wanted: Listing) -> tuple[int, list[Session]]:
        """See `Store.listed`."""

        def work(db: Connection) -> tuple[int, list[Session]]:
            found = db.execute(listing.wanted(wanted)).mappings()
            return db.scalar(listing.counted(wanted)) or 0, [from_row(row) for row in found]

        return await self._db.read(work)

    async def events_after(self, session_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """See `Store.events_after`."""
        newer = (t.events.c.session_id == session_id) & (t.events.c.seq > seq)
        wanted = select(t.events).where(newer).order_by(t.events.c.seq).limit(limit)
        return await self._db.read(
            lambda db: [StoredEvent(**row) for row in db.execute(wanted).mappings()]
        )

    async def last_seqs(self, session_ids: Collection[str]) -> dict[str, int]:
        """See `Store.last_seqs`."""
        these = t.sessions.c.id.in_(session_ids)
        wanted = select(t.sessions.c.id, t.sessions.c.last_seq).where(these)
        return await self._db.read(lambda db: {row.id: row.last_seq for row in db.execute(wanted)})

    # ---- time

    async def due(self, now: float, limit: int) -> list[DueDeadline]:
        """See `Store.due`."""
        due = select(t.deadlines).where(t.deadlines.c.due_at <= now)
        wanted = due.order_by(t.deadlines.c.due_at).limit(limit)
        return await self._db.read(
            lambda db: [
                DueDeadline(row.session_id, DeadlineKind(row.kind), row.due_at)
                for row in db.execute(wanted)
            ]
        )

    async def next_due_at(self) -> float | None:
        """See `Store.next_due_at`."""
        earliest: float | None = await self._db.read(lambda db: db.scalar(_EARLIEST))
        return earliest

    # ---- money

    async def spent(
        self, day: str, *, user_id: str | None = None, tenant: str | None = None
    ) -> int:
        """See `Store.spent`."""
        return await self._db.read(lambda db: spend.spent(db, day, user_id=user_id, tenant=tenant))

    async def totals(
        self,
        by: SpendBy,
        since: str,
        until: str,
        *,
        user_id: str | None = None,
        tenant: str | None = None,
    ) -> list[Total]:
        """See `Store.totals`."""
        return await self._db.read(
            lambda db: spend.totals(db, by, since, until, user_id=user_id, tenant=tenant)
        )

    # ---- tickets

    async def put_ticket(
        self, digest: str, session_id: str, user_id: str, until: float, now: float
    ) -> None:
        """See `Store.put_ticket`."""
        row = {"digest": digest, "session_id": session_id, "user_id": user_id, "until": until}

        def work(db: Connection) -> None:
            db.execute(delete(t.tickets).where(t.tickets.c.until <= now))
            db.execute(insert(t.tickets), row)

        await self._db.write(work)

    async def take_ticket(self, digest: str, now: float) -> tuple[str, str] | None:
        """See `Store.take_ticket`."""
        good = (t.tickets.c.digest == digest) & (t.tickets.c.until > now)
        taken = delete(t.tickets).where(good)
        wanted = taken.returning(t.tickets.c.session_id, t.tickets.c.user_id)
        row = await self._db.write(lambda db: db.execute(wanted).first())
        return (row.session_id, row.user_id) if row else None

    # ---- everything

    async def halt(self, reason: str, now: float) -> Halt:
        """See `Store.halt`."""
        since = func.coalesce(t.house.c.halted_at, now)
        halted = update(t.house).values(halted_at=since, halt_reason=reason)
        wanted = halted.returning(t.house.c.halted_at)
        row = await self._db.write(lambda db: db.execute(wanted).one())
        return Halt(row.halted_at, reason)

    async def resume(self) -> bool:
        """See `Store.resume`."""
        halted = t.house.c.halted_at.is_not(None)
        lifted = update(t.house).where(halted).values(halted_at=None, halt_reason=None)
        return await self._db.write(lambda db: bool(db.execute(lifted).rowcount))

    async def halted(self) -> Halt | None:
        """See `Store.halted`."""
        return await self._db.read(_halt_in)

    # ---- itself

    async def ping(self) -> None:
        """See `Store.ping`."""
        await self._db.read(lambda db: db.execute(select(1)))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._db.close()

    async def _admit(self, work: Work[T]) -> T:
        """One at a time decides who comes in. Whoever goes meanwhile only leaves more room.

        A crowd waits here, where it costs nothing, and not in front of the database: there it
        would keep the calls that go on from being written down.
        """

        def locked(db: Connection) -> T:
            if self._admission_lock is not None:
                db.execute(self._admission_lock)
            return work(db)

        async with _patience(), self._turn:
            return await self._db.write(locked)


def _refuse_if_halted(db: Connection) -> None:
    # The row stays share-locked until this transaction ends: a `halt` waits for it, and whoever
    # halts finds this session (SQLite has one writer at a time anyway).
    halt = _halt_in(db, for_share=True)
    if halt is not None:
        raise Halted.because(halt.reason)


def _halt_in(db: Connection, *, for_share: bool = False) -> Halt | None:
    row = db.execute(_HALT_FOR_SHARE if for_share else _HALT).one()
    return None if row.halted_at is None else Halt(row.halted_at, row.halt_reason or "")


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ADMISSION_WITHIN_S):
            yield
    except TimeoutError as error:
        raise Unavailable("Too many start at this moment. Try again in a moment.") from error
