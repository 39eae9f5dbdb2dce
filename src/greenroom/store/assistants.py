"""Assistants' records in SQL: versions that never change, and a row that says which one counts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from greenroom.ports.assistants import Outdated, Source, Standing, Version
from greenroom.ports.audit import Entry
from greenroom.store import tables as t
from greenroom.store.audit import add_entry
from greenroom.store.transactions import Transactions

_a = t.assistants.c
_v = t.assistant_versions.c
# The version's columns get names of their own: both tables have a `name` and a `created_at`.
_VERSION = [column.label(f"v_{column.name}") for column in _v]
_PUBLISHED = (
    select(t.assistants, *_VERSION)
    .join(t.assistant_versions, (_v.name == _a.name) & (_v.number == _a.published))
    .where(_a.deleted_at.is_(None))
)
_PUBLISHED_ONE = _PUBLISHED.where(_a.name == bindparam("wanted"))
_ONE = select(t.assistants).where(_a.name == bindparam("wanted"))


class _Taken(Exception):
    """The number of the new version was taken by somebody else since the row was read."""


class SqlAssistants:
    """Implements `greenroom.ports.assistants.AssistantStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def published(self, name: str) -> tuple[Standing, Version] | None:
        """See `AssistantStore.published`."""
        row = await self._db.read(
            lambda db: db.execute(_PUBLISHED_ONE, {"wanted": name}).mappings().first()
        )
        return _both(row) if row else None

    async def get(self, name: str) -> Standing | None:
        """See `AssistantStore.get`."""
        row = await self._db.read(lambda db: _standing_in(db, name))
        return _standing(row) if row else None

    async def listed(self) -> list[Standing]:
        """See `AssistantStore.listed`."""
        wanted = select(t.assistants).where(_a.deleted_at.is_(None)).order_by(_a.name)
        return await self._db.read(
            lambda db: [_standing(row) for row in db.execute(wanted).mappings()]
        )

    async def all_published(self) -> list[tuple[Standing, Version]]:
        """See `AssistantStore.all_published`."""
        wanted = _PUBLISHED.order_by(_a.name)
        return await self._db.read(lambda db: [_both(row) for row in db.execute(wanted).mappings()])

    async def versions(self, name: str) -> list[Version]:
        """See `AssistantStore.versions`."""
        wanted = select(t.assistant_versions).where(_v.name == name).order_by(_v.number.desc())
        return await self._db.read(
            lambda db: [Version(**row) for row in db.execute(wanted).mappings()]
        )

    async def version(self, name: str, number: int) -> Version | None:
        """See `AssistantStore.version`."""
        wanted = select(t.assistant_versions).where(_v.name == name, _v.number == number)
        row = await self._db.read(lambda db: db.execute(wanted).mappings().first())
        return Version(**row) if row else None

    async def save(
        self,
        name: str,
        record: dict[str, Any],
        *,
        based_on: int,
        source: Source,
        publish: bool,
        entry: Entry,
    ) -> Version:
        """See `AssistantStore.save`."""

        def work(db: Connection) -> Version:
            known = _standing_in(db, name)
            latest = known["latest"] if known else 0
            gone = known is None or known["deleted_at"] is not None
            if based_on != latest and not (gone and based_on == 0):
                raise Outdated(name, latest)
            version = Version(
                name=name,
                number=latest + 1,
                record=record,
                source=source.value,
                created_at=entry.at,
                created_by=entry.actor.name,
                published_at=entry.at if publish else None,
            )
            _count(db, version, known, gone=gone)
            row = {column.name: getattr(version, column.name) for column in _v}
            db.execute(insert(t.assistant_versions), row)
            add_entry(db, entry)
            return version

        try:
            return await self._db.write(work)
        except (IntegrityError, _Taken):
            known = await self.get(name)
            raise Outdated(name, known.latest if known else 0) from None

    async def publish(
        self, name: str, number: int, entry: Entry, *, instead_of: int | None = None
    ) -> bool:
        """See `AssistantStore.publish`."""
        wanted = (_v.name == name) & (_v.number == number)
        published = update(t.assistant_versions).where(wanted).values(published_at=entry.at)

        def work(db: Connection) -> bool:
            known = _standing_in(db, name)
            if known is None or known["deleted_at"] is not None:
                return False
            if db.execute(published).rowcount != 1:
                return False
            if instead_of is None:
                return _put(db, name, entry, published=number)
            # Not what was read above counts, but what is there when it is changed.
            if not _put(db, name, entry, _a.published == instead_of, published=number):
                raise Outdated(name, known["latest"])
            return True

        return await self._db.write(work)

    async def delete(self, name: str, entry: Entry) -> bool:
        """See `AssistantStore.delete`."""
        gone = {"published": None, "deleted_at": entry.at, "killed_at": None, "kill_reason": ""}
        return await self._db.write(lambda db: _put(db, name, entry, **gone))

    async def kill(self, name: str, reason: str, entry: Entry) -> bool:
        """See `AssistantStore.kill`."""
        killed = {"killed_at": entry.at, "kill_reason": reason}
        return await self._db.write(lambda db: _put(db, name, entry, **killed))

    async def revive(self, name: str, entry: Entry) -> bool:
        """See `AssistantStore.revive`."""
        killed = _a.killed_at.is_not(None)
        again = {"killed_at": None, "kill_reason": ""}
        return await self._db.write(lambda db: _put(db, name, entry, killed, **again))


def _standing_in(db: Connection, name: str) -> RowMapping | None:
    return db.execute(_ONE, {"wanted": name}).mappings().first()


def _put(db: Connection, name: str, entry: Entry, *which: Any, **values: Any) -> bool:
    """Change the row of an assistant that is not deleted, and say so on the log."""
    mine = update(t.assistants).where(_a.name == name, _a.deleted_at.is_(None), *which)
    if db.execute(mine.values(updated_at=entry.at, **values)).rowcount != 1:
        return False
    add_entry(db, entry)
    return True


def _count(db: Connection, version: Version, known: RowMapping | None, *, gone: bool) -> None:
    """Let the assistant's row know of its new version. Raises `_Taken`."""
    row: dict[str, Any] = {"latest": version.number, "updated_at": version.created_at}
    if version.published_at is not None:
        row["published"] = version.number
    if known is None:
        more = {"name": version.name, "created_at": version.created_at, "kill_reason": ""}
        db.execute(insert(t.assistants), {**row, **more})
        return
    if gone:
        row["deleted_at"] = None
    mine = update(t.assistants).where(_a.name == version.name, _a.latest == known["latest"])
    if db.execute(mine.values(row)).rowcount != 1:
        raise _Taken


def _standing(row: Any) -> Standing:
    return Standing(**{column.name: row[column.name] for column in _a})


def _both(row: Any) -> tuple[Standing, Version]:
    return _standing(row), Version(**{column.name: row[f"v_{column.name}"] for column in _v})
