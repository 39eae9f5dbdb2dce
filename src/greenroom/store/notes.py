"""Users' notes in SQL, with what searching compares kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from greenroom.ports.notes import Note, TooManyNotes
from greenroom.store import tables as t
from greenroom.store.transactions import Transactions

_n = t.notes.c
_SHOWN = [_n[name] for name in Note.__dataclass_fields__]
_MINE = (_n.user_id == bindparam("whose")) & (_n.tenant == bindparam("whose_tenant"))
_ONE = select(*_SHOWN).where(_MINE, _n.id == bindparam("which"))
# Whoever changes a note waits for who does so already (SQLite has one writer at a time anyway).
_ONE_TO_CHANGE = _ONE.with_for_update()
_BY_CALL = select(*_SHOWN).where(_n.made_by_call == bindparam("call"))
_COUNT = select(func.count()).select_from(t.notes).where(_MINE)
_ADD = {
    dialect: put.on_conflict_do_nothing(index_elements=[_n.made_by_call])
    for dialect, put in t.inserts_or_updates(t.notes).items()
}


class SqlNotes:
    """Implements `greenroom.ports.notes.NoteStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def create(self, note: Note, call: str, most: int) -> Note:
        """See `NoteStore.create`."""
        row = {**asdict(note), "folded": _folded(note), "made_by_call": call}

        def work(db: Connection) -> Note:
            if (known := _first(db, _BY_CALL, {"call": call})) is not None:
                return known
            if (db.scalar(_COUNT, _whose(note.user_id, note.tenant)) or 0) >= most:
                raise TooManyNotes(most)
            db.execute(_ADD[db.dialect.name], row)
            # The same call may have been faster elsewhere: then this is what it has made.
            return _first(db, _BY_CALL, {"call": call}) or note

        return await self._db.write(work)

    async def get(self, user_id: str, tenant: str, note_id: str) -> Note | None:
        """See `NoteStore.get`."""
        one = {**_whose(user_id, tenant), "which": note_id}
        return await self._db.read(lambda db: _first(db, _ONE, one))

    async def edit(
        self,
        user_id: str,
        tenant: str,
        note_id: str,
        *,
        title: str | None,
        text: str | None,
        now: float,
    ) -> Note | None:
        """See `NoteStore.edit`."""
        one = {**_whose(user_id, tenant), "which": note_id}

        def work(db: Connection) -> Note | None:
            before = _first(db, _ONE_TO_CHANGE, one)
            if before is None:
                return None
            after = replace(
                before,
                title=before.title if title is None else title,
                text=before.text if text is None else text,
                updated_at=max(now, before.updated_at),
            )
            values = {
                "title": after.title,
                "text": after.text,
                "updated_at": after.updated_at,
                "folded": _folded(after),
            }
            db.execute(update(t.notes).where(_n.id == note_id).values(values))
            return after

        return await self._db.write(work)

    async def delete(self, user_id: str, tenant: str, note_id: str) -> Note | None:
        """See `NoteStore.delete`."""
        one = {**_whose(user_id, tenant), "which": note_id}

        def work(db: Connection) -> Note | None:
            before = _first(db, _ONE_TO_CHANGE, one)
            db.execute(delete(t.notes).where(_MINE, _n.id == bindparam("which")), one)
            return before

        return await self._db.write(work)

    async def search(
        self, user_id: str, tenant: str, words: Sequence[str], limit: int
    ) -> list[Note]:
        """See `NoteStore.search`."""
        wanted = select(*_SHOWN).where(_n.user_id == user_id, _n.tenant == tenant)
        for word in words:
            wanted = wanted.where(_n.folded.contains(word.casefold(), autoescape=True))
        newest = wanted.order_by(_n.updated_at.desc(), _n.id).limit(limit)
        return await self._db.read(
            lambda db: [Note(**row) for row in db.execute(newest).mappings()]
        )


def erase_notes(db: Connection, user_id: str, tenant: str) -> int:
    """Erase all notes of a user; how many there were."""
    return db.execute(delete(t.notes).where(_MINE), _whose(user_id, tenant)).rowcount


def _first(db: Connection, wanted: Any, asked: dict[str, str]) -> Note | None:
    row = db.execute(wanted, asked).mappings().first()
    return Note(**row) if row else None


def _whose(user_id: str, tenant: str) -> dict[str, str]:
    return {"whose": user_id, "whose_tenant": tenant}


def _folded(note: Note) -> str:
    """What searching compares: SQLite knows the case of ASCII only, and PostgreSQL's depends."""
    return f"{note.title}\n{note.text}".casefold()
