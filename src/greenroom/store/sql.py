"""The store on SQL: one transaction a change, on SQLite and (same statements) PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from greenroom.errors import BadRequest, NotFound, Unavailable
from greenroom.ports.store import (
    AlreadyLive,
    DueDeadline,
    NewEffect,
    NewEvent,
    PendingEffect,
    StaleWrite,
    StoredEvent,
)
from greenroom.session.deadlines import deadlines as deadlines_of
from greenroom.session.facts import EffectKind
from greenroom.session.model import DeadlineKind, Session
from greenroom.store import tables as t
from greenroom.store.rows import from_row, to_row

# The class of errors about values (SQL:2016, 24.1): a text too long, a zero byte. SQLite has none.
_DATA_EXCEPTION = "22"


class SqlStore:
    """Implements `greenroom.ports.store.Store` on any engine that SQLAlchemy drives.

    Args:
        writer: Engine whose transactions take the write lock when they begin.
        reader: Engine for what only reads.
    """

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writer = writer
        self._reader = reader

    # ---- changes

    async def create(
        self, session: Session, events: Sequence[NewEvent], effects: Sequence[NewEffect]
    ) -> Session:
        """See `Store.create`."""
        stored = replace(session, last_seq=len(events), version=1)
        try:
            async with self._write() as db:
                await db.execute(insert(t.sessions).values(to_row(stored)))
                await self._add(db, stored, 0, events, effects, session.created_at)
                await self._put_deadlines(db, stored, {}, deadlines_of(stored))
        except IntegrityError as error:
            live = await self.live_of(session.user_id, session.assistant)
            if live is None:
                raise Unavailable("The session could not be stored. Try again.") from error
            raise AlreadyLive(live.id) from error
        return stored

    async def commit(
        self,
        before: Session,
        after: Session,
        events: Sequence[NewEvent],
        effects: Sequence[NewEffect],
        now: float,
    ) -> Session:
        """See `Store.commit`."""
        last_seq = before.last_seq + len(events)
        stored = replace(after, last_seq=last_seq, version=before.version + 1)
        row = to_row(stored)
        del row["id"]
        same = (t.sessions.c.id == before.id) & (t.sessions.c.version == before.version)
        async with self._write() as db:
            result = await db.execute(update(t.sessions).where(same).values(row))
            if result.rowcount != 1:
                raise StaleWrite(before.id)
            await self._add(db, stored, before.last_seq, events, effects, now)
            await self._put_deadlines(db, stored, deadlines_of(before), deadlines_of(stored))
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
        changed = [kind for kind in {*before, *after} if before.get(kind) != after.get(kind)]
        mine = t.deadlines.c.session_id == session.id
        gone = [kind.value for kind in changed if kind in before]
        if gone:
            await db.execute(delete(t.deadlines).where(mine, t.deadlines.c.kind.in_(gone)))
        new = [kind for kind in changed if kind in after]
        if new:
            rows = [
                {"session_id": session.id, "kind": kind.value, "due_at": after[kind]}
                for kind in new
            ]
            await db.execute(insert(t.deadlines), rows)

    # ---- sessions and events

    async def get(self, session_id: str) -> Session:
        """See `Store.get`."""
        return await self._one(t.sessions.c.id == session_id)

    async def by_launch(self, launch_id: str) -> Session:
        """See `Store.by_launch`."""
        return await self._one(t.sessions.c.launch_id == launch_id)

    async def _one(self, condition: Any) -> Session:
        async with self._read() as db:
            row = (await db.execute(select(t.sessions).where(condition))).mappings().first()
        if row is None:
            raise NotFound("There is no such session.")
        return from_row(row)

    async def live_of(self, user_id: str, assistant: str) -> Session | None:
        """See `Store.live_of`."""
        theirs = (t.sessions.c.user_id == user_id) & (t.sessions.c.assistant == assistant)
        live = t.sessions.c.stage.not_in(("ending", "ended"))
        async with self._read() as db:
            row = (await db.execute(select(t.sessions).where(theirs, live))).mappings().first()
        return from_row(row) if row else None

    async def unended(self) -> list[Session]:
        """See `Store.unended`."""
        async with self._read() as db:
            found = await db.execute(select(t.sessions).where(t.sessions.c.stage != "ended"))
            return [from_row(row) for row in found.mappings()]

    async def events_after(self, session_id: str, seq: int, limit: int) -> list[StoredEvent]:
        """See `Store.events_after`."""
        newer = (t.events.c.session_id == session_id) & (t.events.c.seq > seq)
        wanted = select(t.events).where(newer).order_by(t.events.c.seq).limit(limit)
        async with self._read() as db:
            return [StoredEvent(**row) for row in (await db.execute(wanted)).mappings()]

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

    # ---- tickets

    async def put_ticket(self, digest: str, session_id: str, user_id: str, until: float) -> None:
        """See `Store.put_ticket`."""
        row = {"digest": digest, "session_id": session_id, "user_id": user_id, "until": until}
        async with self._write() as db:
            await db.execute(insert(t.tickets).values(row))

    async def take_ticket(self, digest: str, now: float) -> tuple[str, str] | None:
        """See `Store.take_ticket`."""
        async with self._write() as db:
            await db.execute(delete(t.tickets).where(t.tickets.c.until <= now))
            taken = await db.execute(
                delete(t.tickets)
                .where(t.tickets.c.digest == digest)
                .returning(t.tickets.c.session_id, t.tickets.c.user_id)
            )
            row = taken.first()
        return (row.session_id, row.user_id) if row else None

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
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        async with reachable(), self._reader.connect() as db:
            yield db


@asynccontextmanager
async def reachable() -> AsyncIterator[None]:
    """The one place where a database's errors become Greenroom's."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
        if _sqlstate(error).startswith(_DATA_EXCEPTION):
            raise BadRequest("A value does not fit into the database.") from error
        raise Unavailable("The database does not answer. Try again in a moment.") from error


def _sqlstate(error: Exception) -> str:
    """The standard's code of an error, as PostgreSQL tells it; empty if there is none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


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
