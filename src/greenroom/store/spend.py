"""What was spent, in SQL: added in the transaction of the change that cost it, and summed up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select

from greenroom.ports.store import SpendBy, Total
from greenroom.session import cost
from greenroom.session.model import Session
from greenroom.store import tables as t

_INSERTS = t.inserts_or_updates(t.spend)
_ORDER = ("day", "assistant", "component")
_SPEND_COLUMNS = {
    SpendBy.USER: t.spend.c.user_id,
    SpendBy.ASSISTANT: t.spend.c.assistant,
    SpendBy.TENANT: t.spend.c.tenant,
    SpendBy.DAY: t.spend.c.day,
}


def add(db: Connection, before: Session, after: Session, now: float) -> None:
    """Within the transaction that stores a change: add what it has cost."""
    mine = {
        "tenant": after.tenant,
        "user_id": after.user_id,
        "assistant": after.assistant,
    }
    rows = [
        {**mine, "day": one.day, "component": one.component, "micro_usd": one.micro_usd}
        for one in cost.spent(before, after, now)
    ]
    _put(db, rows)


def rename(db: Connection, user_id: str, tenant: str, alias: str) -> None:
    """What a user's sessions cost stands under another name; what stood there is added to it."""
    mine = (t.spend.c.user_id == user_id) & (t.spend.c.tenant == tenant)
    rows = [dict(row) for row in db.execute(select(t.spend).where(mine)).mappings()]
    _put(db, [{**row, "user_id": alias} for row in rows])
    db.execute(delete(t.spend).where(mine))


def _put(db: Connection, rows: list[dict[str, Any]]) -> None:
    """Add these amounts to what is there."""
    if not rows:
        return
    put = _INSERTS[db.dialect.name]
    more = t.spend.c.micro_usd + put.excluded.micro_usd
    upsert = put.on_conflict_do_update(
        index_elements=list(t.spend.primary_key), set_={"micro_usd": more}
    )
    # Always in the same order: whoever waits for a row holds none that the other wants.
    db.execute(upsert, sorted(rows, key=lambda row: [row[name] for name in _ORDER]))


def spent(
    db: Connection, day: str, *, user_id: str | None = None, tenant: str | None = None
) -> int:
    """See `Store.spent`."""
    wanted = select(func.sum(t.spend.c.micro_usd)).where(t.spend.c.day == day)
    if user_id is not None:
        wanted = wanted.where(t.spend.c.user_id == user_id)
    if tenant is not None:
        wanted = wanted.where(t.spend.c.tenant == tenant)
    return int(db.scalar(wanted) or 0)


def totals(
    db: Connection,
    by: SpendBy,
    since: str,
    until: str,
    *,
    user_id: str | None = None,
    tenant: str | None = None,
) -> list[Total]:
    """See `Store.totals`."""
    name, component = _SPEND_COLUMNS[by], t.spend.c.component
    wanted = select(name, component, func.sum(t.spend.c.micro_usd))
    wanted = wanted.where(t.spend.c.day >= since, t.spend.c.day <= until)
    if user_id is not None:
        wanted = wanted.where(t.spend.c.user_id == user_id)
    if tenant is not None:
        wanted = wanted.where(t.spend.c.tenant == tenant)
    found = db.execute(wanted.group_by(name, component).order_by(name, component))
    return [Total(row[0], row[1], int(row[2])) for row in found]
