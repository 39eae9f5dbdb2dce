"""The audit log in SQL. Only adds and reads; triggers in the database refuse everything else."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from greenroom.ports.audit import Act, Actor, ActorKind, Entry
from greenroom.store import tables as t
from greenroom.store.database import Connections

_a = t.audit.c
_E = TypeVar("_E", bound=StrEnum)


class SqlAudit:
    """Implements `greenroom.ports.audit.AuditStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        write: Gives a connection in a transaction that is committed in the end.
        read: Gives a connection for what only reads.
    """

    def __init__(self, write: Connections, read: Connections) -> None:
        self._write = write
        self._read = read

    async def add(self, entry: Entry) -> None:
        """See `AuditStore.add`."""
        async with self._write() as db:
            await add_entry(db, entry)

    async def listed(
        self,
        *,
        limit: int,
        act: str | None = None,
        actor: str | None = None,
        since: float | None = None,
        before: int | None = None,
    ) -> list[Entry]:
        """See `AuditStore.listed`."""
        wanted = select(t.audit).order_by(_a.id.desc()).limit(limit)
        if act is not None:
            wanted = wanted.where(_a.act == act)
        if actor is not None:
            wanted = wanted.where(_a.actor == actor)
        if since is not None:
            wanted = wanted.where(_a.at >= since)
        if before is not None:
            wanted = wanted.where(_a.id < before)
        async with self._read() as db:
            return [_entry(row) for row in (await db.execute(wanted)).mappings()]


async def add_entry(db: AsyncConnection, entry: Entry) -> None:
    """Add a line within somebody's transaction: what it tells of is on record with it, or not."""
    row = {
        "at": entry.at,
        "actor_kind": str(entry.actor.kind),
        "actor": entry.actor.name,
        "address": entry.actor.address,
        "act": str(entry.act),
        "target": entry.target,
        "outcome": entry.outcome,
        "detail": entry.detail,
    }
    await db.execute(insert(t.audit).values(row))


def _known(names: type[_E], name: str) -> _E | str:
    """As the name that this version knows; a newer version's is shown as it is."""
    return names(name) if name in set(names) else name


def _entry(row: Any) -> Entry:
    return Entry(
        at=row["at"],
        actor=Actor(_known(ActorKind, row["actor_kind"]), row["actor"], row["address"]),
        act=_known(Act, row["act"]),
        target=row["target"],
        outcome=row["outcome"],
        detail=row["detail"],
        id=row["id"],
    )
