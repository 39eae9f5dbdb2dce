"""Pending effects in SQL: added and struck off with a change, read lane by lane."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from greenroom.ports.effects import AlreadySettled, NewEffect, PendingEffect
from greenroom.session.facts import EffectKind
from greenroom.session.model import Session
from greenroom.store import tables as t
from greenroom.store.rows import from_row
from greenroom.store.transactions import Transactions

_e = t.effects.c
_PENDING = _e.state == "pending"
_OF = select(t.effects).where(_e.session_id == bindparam("session"), _PENDING).order_by(_e.id)
_NEXT = _OF.where(_e.kind.in_(bindparam("kinds", expanding=True))).limit(1)
_DUE = _PENDING & (_e.due_at <= bindparam("now"))
_DUE_KINDS = select(_e.session_id, _e.kind).where(_DUE).distinct()
_DUE_OF_KIND = select(t.effects).where(_DUE, _e.kind == bindparam("kind")).order_by(_e.id)
_SETTLE = delete(t.effects).where(_e.id == bindparam("settled"))
_SESSION = select(t.sessions).where(t.sessions.c.id == bindparam("session"))


class SqlEffects:
    """Implements `greenroom.ports.effects.EffectStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def due_kinds(self, now: float) -> set[tuple[str, EffectKind]]:
        """See `EffectStore.due_kinds`."""
        return await self._db.read(
            lambda db: {
                (row.session_id, EffectKind(row.kind))
                for row in db.execute(_DUE_KINDS, {"now": now})
            }
        )

    async def of(self, session_id: str) -> list[PendingEffect]:
        """See `EffectStore.of`."""
        return await self._db.read(lambda db: _all(db, _OF, {"session": session_id}))

    async def next(
        self, session_id: str, kinds: Collection[EffectKind], *, settled: int | None = None
    ) -> tuple[PendingEffect, Session] | None:
        """See `EffectStore.next`."""
        asked = {"session": session_id, "kinds": [kind.value for kind in kinds]}

        def work(db: Connection) -> tuple[PendingEffect, Session] | None:
            if settled is not None:
                db.execute(_SETTLE, {"settled": settled})
            found = db.execute(_NEXT, asked).mappings().first()
            if found is None:
                return None
            session = db.execute(_SESSION, {"session": session_id}).mappings().one()
            return _effect(found), from_row(session)

        run = self._db.read if settled is None else self._db.write
        return await run(work)

    async def due(self, kind: EffectKind, now: float) -> list[PendingEffect]:
        """See `EffectStore.due`."""
        asked = {"kind": kind.value, "now": now}
        return await self._db.read(lambda db: _all(db, _DUE_OF_KIND, asked))

    async def settle(self, effect_id: int) -> None:
        """See `EffectStore.settle`."""
        await self._db.write(lambda db: db.execute(_SETTLE, {"settled": effect_id}))

    async def postpone(self, effect_id: int, due_at: float, error: str) -> None:
        """See `EffectStore.postpone`."""
        await self._mark(effect_id, due_at=due_at, error=error)

    async def bury(self, effect_id: int, error: str) -> None:
        """See `EffectStore.bury`."""
        await self._mark(effect_id, state="dead", error=error)

    async def _mark(self, effect_id: int, **values: Any) -> None:
        more = {"attempts": _e.attempts + 1, **values}
        marked = update(t.effects).where(_e.id == effect_id).values(more)
        await self._db.write(lambda db: db.execute(marked))


def add_effects(db: Connection, session_id: str, effects: Sequence[NewEffect], now: float) -> None:
    """Store effects with the change that they are of, and what is kept of them beside them."""
    if not effects:
        return
    common = {"session_id": session_id, "attempts": 0, "due_at": now, "state": "pending"}
    pending = [{**common, "kind": e.kind.value, "payload": e.payload} for e in effects]
    db.execute(insert(t.effects), pending)
    given = [e.context for e in effects if e.context is not None]
    if given:
        kept = [{"session_id": session_id, "at": now, **asdict(context)} for context in given]
        db.execute(insert(t.contexts), kept)


def strike_off(db: Connection, settled: PendingEffect) -> None:
    """Strike an effect off with the change that came of it.

    Raises:
        AlreadySettled: It was, before.
    """
    if db.execute(_SETTLE, {"settled": settled.id}).rowcount != 1:
        raise AlreadySettled(settled.id)


def _all(db: Connection, wanted: Any, asked: dict[str, Any]) -> list[PendingEffect]:
    return [_effect(row) for row in db.execute(wanted, asked).mappings()]


def _effect(row: RowMapping) -> PendingEffect:
    return PendingEffect(
        id=row["id"],
        session_id=row["session_id"],
        kind=EffectKind(row["kind"]),
        payload=row["payload"],
        attempts=row["attempts"],
        due_at=row["due_at"],
    )
