"""The store on SQL: one transaction a change, on SQLite and (same statements) PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import TextClause, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from greenroom.errors import Halted, NotFound, Unavailable
from greenroom.ports.store import (
    AlreadyLive,
    DueDeadline,
    Halt,
    Listing,
    Move,
    New,
    NewEffect,
    NewEvent,
    PendingEffect,
    SpendBy,
    StaleWrite,
    StoredEvent,
    Total,
)
from greenroom.session.deadlines import deadlines as deadlines_of
from greenroom.session.facts import EffectKind
from greenroom.session.model import DEFAULT_TENANT, DeadlineKind, Session
from greenroom.session.policy import Occupancy, Place, Quotas
from greenroom.store import listing, spend
from greenroom.store import tables as t
from greenroom.store.audit import SqlAudit
from greenroom.store.deliveries import SqlDeliveries
from greenroom.store.keys import SqlKeys
from greenroom.store.occupancy import census, waiting_sessions
from greenroom.store.reaching import reachable
from greenroom.store.rows import from_row, to_row

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
# A start waits no longer for those before it. A page gives up after 35 s.
ADMISSION_WITHIN_S = 20.0


class SqlStore:
    """Implements `greenroom.ports.store.Store` on any engine that SQLAlchemy drives.

    Args:
        writer: Engine whose transactions take the write lock when they begin.
        reader: Engine for what only reads.
        admission_lock: Taken, until its end, by every transaction that lets a session in; None:
            the write lock is held anyway.
    """

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, admission_lock: TextClause | None = None
    ) -> None:
        self._writer = writer
        self._reader = reader
        self.deliveries = SqlDeliveries(self._write, self._read)
        self.keys = SqlKeys(self._write, self._read)
        self.audit = SqlAudit(self._write, self._read)
        self._admission_lock = admission_lock
        self._turn = asyncio.Lock()

    # ---- changes

    async def admit(
        self, asked: Place, quotas: Quotas, now: float, decide: Callable[[Occupancy], New]
    ) -> Session:
        """See `Store.admit`."""
        async with self._admission() as db:
            await _refuse_if_halted(db)
            found = await census(db, quotas, now, asked)
            if found.live_id is not None:
                raise AlreadyLive(found.live_id)
            new = decide(found.occupancy)
            stored = replace(new.session, last_seq=len(new.events), version=1)
            try:
                await db.execute(insert(t.sessions).values(to_row(stored)))
            except IntegrityError as error:
                raise Unavailable("The session could not be stored. Try again.") from error
            await self._add(db, stored, 0, new.events, new.effects, now)
            await self._put_deadlines(db, stored, {}, deadlines_of(stored))
        return stored

    async def let_in(
        self,
        quotas: Quotas,
        now: float,
        decide: Callable[[Occupancy, Sequence[Session]], Sequence[Move]],
    ) -> list[Session]:
        """See `Store.let_in`."""
        async with self._admission() as db:
            if await _halt_in(db, for_share=True) is not None:
                return []
            found = await census(db, quotas, now)
            moves = decide(found.occupancy, found.waiting)
            return [await self._replace(db, move, now) for move in moves]

    async def waiting(self) -> list[Session]:
        """See `Store.waiting`."""
        async with self._read() as db:
            return await waiting_sessions(db)

    async def commit(
        self,
        before: Session,
        after: Session,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
    ) -> Session:
        """See `Store.commit`."""
        async with self._write() as db:
            return await self._replace(db, Move(before, after, events, effects), now)

    async def _replace(self, db: AsyncConnection, move: Move, now: float) -> Session:
        before = move.before
        last_seq = before.last_seq + len(move.events)
        stored = replace(move.after, last_seq=last_seq, version=before.version + 1)
        row = to_row(stored)
        del row["id"], row["body"], row["tariff"]  # fixed at the start; the body may be long
        known = {"known_id": before.id, "known_version": before.version}
        result = await db.execute(_REPLACE, {**row, **known})
        if result.rowcount != 1:
            raise StaleWrite(before.id)
        await self._add(db, stored, before.last_seq, move.events, move.effects, now)
        await self._put_deadlines(db, stored, deadlines_of(before), deadlines_of(stored))
        await spend.add(db, before, stored, now)
        return stored

    async def _add(
        self,
        db: AsyncConnection,
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
            await db.execute(insert(t.events), rows)
            await self.deliveries.add(db, rows)
        if effects:
            common = {"session_id": session.id, "attempts": 0, "due_at": now, "state": "pending"}
            pending = [{**common, "kind": e.kind.value, "payload": e.payload} for e in effects]
            await db.execute(insert(t.effects), pending)

    async def _put_deadlines(
        self,
        db: AsyncConnection,
        session: Session,
        before: dict[DeadlineKind, float],
        after: dict[DeadlineKind, float],
    ) -> None:
        gone = [kind.value for kind in before.keys() - after.keys()]
        if gone:
            mine = t.deadlines.c.session_id == session.id
            await db.execute(delete(t.deadlines).where(mine, t.deadlines.c.kind.in_(gone)))
        moved = [kind for kind, at in after.items() if before.get(kind) != at]
        if moved:
            rows = [
                {"session_id": session.id, "kind": kind.value, "due_at": after[kind]}
                for kind in moved
            ]
            await db.execute(_PUT_DEADLINES[db.dialect.name], rows)

    # ---- sessions and events

    async def get(self, session_id: str) -> Session:
        """See `Store.get`."""
        return await self._one(_BY_ID, session_id)

    async def by_launch(self, launch_id: str) -> Session:
        """See `Store.by_launch`."""
        return await self._one(_BY_LAUNCH, launch_id)

    async def _one(self, wanted: Any, name: str) -> Session:
        async with self._read() as db:
            row = (await db.execute(wanted, {"name": name})).mappings().first()
        if row is None:
            raise NotFound("There is no such session.")
        return from_row(row)

    async def live_of(
        self, user_id: str, assistant: str, tenant: str = DEFAULT_TENANT
    ) -> Session | None:
        """See `Store.live_of`."""
        s = t.sessions.c
        theirs = (s.user_id == user_id) & (s.assistant == assistant) & (s.tenant == tenant)
        async with self._read() as db:
            row = (await db.execute(select(t.sessions).where(theirs, t.LIVE))).mappings().first()
        return from_row(row) if row else None

    async def unended(self) -> list[Session]:
        """See `Store.unended`."""
        async with self._read() as db:
            found = await db.execute(select(t.sessions).where(t.UNENDED))
            return [from_row(row) for row in found.mappings()]

    async def listed(self, wanted: Listing) -> tuple[int, list[Session]]:
        """See `Store.listed`."""
        async with self._read() as db:
            count = await db.scalar(listing.counted(wanted))
            found = await db.execute(listing.wanted(wanted))
            return count or 0, [from_row(row) for row in found.mappings()]

    async def events_after(self, session_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """See `Store.events_after`."""
        newer = (t.events.c.session_id == session_id) & (t.events.c.seq > seq)
        wanted = select(t.events).where(newer).order_by(t.events.c.seq).limit(limit)
        async with self._read() as db:
            return [StoredEvent(**row) for row in (await db.execute(wanted)).mappings()]

    async def last_seqs(self, session_ids: Collection[str]) -> dict[str, int]:
        """See `Store.last_seqs`."""
        wanted = select(t.sessions.c.id, t.sessions.c.last_seq)
        async with self._read() as db:
            found = await db.execute(wanted.where(t.sessions.c.id.in_(session_ids)))
            return {row.id: row.last_seq for row in found}

    # ---- effects

    async def due_kinds(self, now: float) -> set[tuple[str, EffectKind]]:
        """See `Store.due_kinds`."""
        due = (t.effects.c.state == "pending") & (t.effects.c.due_at <= now)
        wanted = select(t.effects.c.session_id, t.effects.c.kind).where(due).distinct()
        async with self._read() as db:
            return {(row.session_id, EffectKind(row.kind)) for row in await db.execute(wanted)}

    async def effects_of(self, session_id: str) -> list[PendingEffect]:
        """See `Store.effects_of`."""
        mine = (t.effects.c.session_id == session_id) & (t.effects.c.state == "pending")
        async with self._read() as db:
            found = await db.execute(select(t.effects).where(mine).order_by(t.effects.c.id))
            return _effects(found.mappings())

    async def next_effect(
        self, session_id: str, kinds: Collection[EffectKind]
    ) -> PendingEffect | None:
        """See `Store.next_effect`."""
        mine = (t.effects.c.session_id == session_id) & (t.effects.c.state == "pending")
        wanted = select(t.effects).where(mine, t.effects.c.kind.in_([kind.value for kind in kinds]))
        async with self._read() as db:
            found = await db.execute(wanted.order_by(t.effects.c.id).limit(1))
            return next(iter(_effects(found.mappings())), None)

    async def settle_effect(self, effect_id: int) -> None:
        """See `Store.settle_effect`."""
        async with self._write() as db:
            await db.execute(delete(t.effects).where(t.effects.c.id == effect_id))

    async def postpone_effect(self, effect_id: int, due_at: float, error: str) -> None:
        """See `Store.postpone_effect`."""
        await self._mark(effect_id, due_at=due_at, error=error)

    async def bury_effect(self, effect_id: int, error: str) -> None:
        """See `Store.bury_effect`."""
        await self._mark(effect_id, state="dead", error=error)

    async def _mark(self, effect_id: int, **values: Any) -> None:
        more = {"attempts": t.effects.c.attempts + 1, **values}
        async with self._write() as db:
            await db.execute(update(t.effects).where(t.effects.c.id == effect_id).values(more))

    # ---- time

    async def due(self, now: float, limit: int) -> list[DueDeadline]:
        """See `Store.due`."""
        wanted = select(t.deadlines).where(t.deadlines.c.due_at <= now)
        async with self._read() as db:
            found = await db.execute(wanted.order_by(t.deadlines.c.due_at).limit(limit))
            return [
                DueDeadline(row["session_id"], DeadlineKind(row["kind"]), row["due_at"])
                for row in found.mappings()
            ]

    async def next_due_at(self) -> float | None:
        """See `Store.next_due_at`."""
        async with self._read() as db:
            earliest: float | None = await db.scalar(select(func.min(t.deadlines.c.due_at)))
        return earliest

    # ---- money

    async def spent(
        self, day: str, *, user_id: str | None = None, tenant: str | None = None
    ) -> int:
        """See `Store.spent`."""
        async with self._read() as db:
            return await spend.spent(db, day, user_id=user_id, tenant=tenant)

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
        async with self._read() as db:
            return await spend.totals(db, by, since, until, user_id=user_id, tenant=tenant)

    # ---- tickets

    async def put_ticket(
        self, digest: str, session_id: str, user_id: str, until: float, now: float
    ) -> None:
        """See `Store.put_ticket`."""
        row = {"digest": digest, "session_id": session_id, "user_id": user_id, "until": until}
        async with self._write() as db:
            await db.execute(delete(t.tickets).where(t.tickets.c.until <= now))
            await db.execute(insert(t.tickets).values(row))

    async def take_ticket(self, digest: str, now: float) -> tuple[str, str] | None:
        """See `Store.take_ticket`."""
        good = (t.tickets.c.digest == digest) & (t.tickets.c.until > now)
        taken = delete(t.tickets).where(good)
        async with self._write() as db:
            done = await db.execute(taken.returning(t.tickets.c.session_id, t.tickets.c.user_id))
            row = done.first()
        return (row.session_id, row.user_id) if row else None

    # ---- everything

    async def halt(self, reason: str, now: float) -> Halt:
        """See `Store.halt`."""
        since = func.coalesce(t.house.c.halted_at, now)
        halted = update(t.house).values(halted_at=since, halt_reason=reason)
        async with self._write() as db:
            row = (await db.execute(halted.returning(t.house.c.halted_at))).one()
        return Halt(row.halted_at, reason)

    async def resume(self) -> bool:
        """See `Store.resume`."""
        lifted = update(t.house).values(halted_at=None, halt_reason=None)
        async with self._write() as db:
            done = await db.execute(lifted.where(t.house.c.halted_at.is_not(None)))
        return bool(done.rowcount)

    async def halted(self) -> Halt | None:
        """See `Store.halted`."""
        async with self._read() as db:
            return await _halt_in(db)

    # ---- itself

    async def ping(self) -> None:
        """See `Store.ping`."""
        async with self._read() as db:
            await db.execute(select(1))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with reachable(), self._writer.begin() as db:
            yield db

    @asynccontextmanager
    async def _admission(self) -> AsyncIterator[AsyncConnection]:
        """One at a time decides who comes in. Whoever goes meanwhile only leaves more room.

        A crowd waits here, where it costs nothing, and not in front of the pool: there it would
        keep the calls that go on from being written down.
        """
        async with _patience(), self._turn, self._write() as db:
            if self._admission_lock is not None:
                await db.execute(self._admission_lock)
            yield db

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        async with reachable(), self._reader.connect() as db:
            yield db


async def _refuse_if_halted(db: AsyncConnection) -> None:
    # The row stays share-locked until this transaction ends: a `halt` waits for it, and whoever
    # halts finds this session (SQLite has one writer at a time anyway).
    halt = await _halt_in(db, for_share=True)
    if halt is not None:
        raise Halted.because(halt.reason)


async def _halt_in(db: AsyncConnection, *, for_share: bool = False) -> Halt | None:
    wanted = select(t.house.c.halted_at, t.house.c.halt_reason)
    row = (await db.execute(wanted.with_for_update(read=True) if for_share else wanted)).one()
    return None if row.halted_at is None else Halt(row.halted_at, row.halt_reason or "")


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ADMISSION_WITHIN_S):
            yield
    except TimeoutError as error:
        raise Unavailable("Too many start at this moment. Try again in a moment.") from error


def _effects(rows: Iterable[Any]) -> list[PendingEffect]:
    return [
        PendingEffect(
            id=row["id"],
            session_id=row["session_id"],
            kind=EffectKind(row["kind"]),
            payload=row["payload"],
            attempts=row["attempts"],
            due_at=row["due_at"],
        )
        for row in rows
    ]
