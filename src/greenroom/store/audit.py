"""The audit log in SQL. Only adds and reads; triggers in the database refuse everything else."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select

from greenroom.ports.audit import Act, Actor, ActorKind, Entry
from greenroom.store import tables as t
from greenroom.store.transactions import Transactions

_a = t.audit.c
_E = TypeVar("_E", bound=StrEnum)


class SqlAudit:
    """Implements `greenroom.ports.audit.AuditStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def add(self, entry: Entry) -> None:
        """See `AuditStore.add`."""
        await self._db.write(lambda db: add_entry(db, entry))

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
        return await self._db.read(
            lambda db: [_entry(row) for row in db.execute(wanted).mappings()]
        )


def add_entry(db: Connection, entry: Entry) -> None:
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
    db.execute(insert(t.audit), row)


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
