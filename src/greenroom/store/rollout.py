"""Decisions and outcomes of a roll-out in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from greenroom.ports.rollout import Decided, Outcome
from greenroom.session.cost import utc_day
from greenroom.session.model import Session
from greenroom.store import tables as t
from greenroom.store.rows import from_row
from greenroom.store.transactions import Transactions
from greenroom.wire.events import EventType

_d = t.rollout_decisions.c
_o = t.rollout_outcomes.c
_s = t.sessions.c
_NOTE = {
    dialect: put.on_conflict_do_update(
        index_elements=list(t.rollout_decisions.primary_key),
        set_={"times": _d.times + 1, "last_at": put.excluded.last_at},
    )
    for dialect, put in t.inserts_or_updates(t.rollout_decisions).items()
}
_ADD = {
    dialect: put.on_conflict_do_update(
        index_elements=list(t.rollout_outcomes.primary_key),
        set_={column.name: put.excluded[column.name] for column in _o if not column.primary_key},
    )
    for dialect, put in t.inserts_or_updates(t.rollout_outcomes).items()
}
# The first of its kind says that the assistant has begun to speak.
_FIRST_WORDS = (
    select(t.events.c.session_id, func.min(t.events.c.at).label("at"))
    .where(t.events.c.type == EventType.BOT_SPEAKING.value)
    .group_by(t.events.c.session_id)
)
# A list of ids that a statement takes, whatever the database.
_AT_ONCE = 500


class SqlRollout:
    """Implements `greenroom.ports.rollout.RolloutStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def note(
        self,
        assistant: str,
        tenant: str,
        user_id: str,
        provider: str,
        reason: str,
        now: float,
    ) -> None:
        """See `RolloutStore.note`."""
        row = {
            "day": utc_day(now),
            "assistant": assistant,
            "tenant": tenant,
            "user_id": user_id,
            "provider": provider,
            "reason": reason,
            "times": 1,
            "last_at": now,
        }
        await self._db.write(lambda db: db.execute(_NOTE[db.dialect.name], row))

    async def decided(self, since: float, assistant: str | None = None) -> list[Decided]:
        """See `RolloutStore.decided`."""
        kind = (_d.assistant, _d.provider, _d.reason)
        # A user is an id within a tenant, and one on each of the days that they asked.
        users = select(*kind, _d.tenant, _d.user_id, func.sum(_d.times).label("times"))
        users = users.where(_d.day >= utc_day(since)).group_by(*kind, _d.tenant, _d.user_id)
        if assistant is not None:
            users = users.where(_d.assistant == assistant)
        each = users.subquery()
        kinds = (each.c.assistant, each.c.provider, each.c.reason)
        wanted = select(*kinds, func.count(), func.sum(each.c.times)).group_by(*kinds)
        return await self._db.read(
            lambda db: [
                Decided(row[0], row[1], row[2], int(row[3]), int(row[4]))
                for row in db.execute(wanted.order_by(*kinds))
            ]
        )

    async def add(self, outcome: Outcome) -> bool:
        """See `RolloutStore.add`."""
        row = {column.name: getattr(outcome, column.name) for column in _o}
        known = select(_o.id).where(_o.tenant == outcome.tenant, _o.id == outcome.id)

        def work(db: Connection) -> bool:
            is_new = db.scalar(known) is None
            db.execute(_ADD[db.dialect.name], row)
            return is_new

        return await self._db.write(work)

    async def outcomes(
        self, since: float, assistant: str | None = None, *, limit: int
    ) -> list[Outcome]:
        """See `RolloutStore.outcomes`."""
        wanted = select(t.rollout_outcomes).where(_o.at >= since).order_by(_o.at.desc())
        if assistant is not None:
            wanted = wanted.where(_o.assistant == assistant)
        return await self._db.read(
            lambda db: [Outcome(**row) for row in db.execute(wanted.limit(limit)).mappings()]
        )

    async def sessions(
        self, since: float, assistant: str | None = None, *, limit: int
    ) -> list[tuple[Session, float | None]]:
        """See `RolloutStore.sessions`."""
        wanted = select(t.sessions).where(_s.admitted_at >= since).order_by(_s.admitted_at.desc())
        if assistant is not None:
            wanted = wanted.where(_s.assistant == assistant)

        def work(db: Connection) -> list[tuple[Session, float | None]]:
            found = [from_row(row) for row in db.execute(wanted.limit(limit)).mappings()]
            first: dict[str, Any] = {}
            for start in range(0, len(found), _AT_ONCE):
                ids = [session.id for session in found[start : start + _AT_ONCE]]
                these = _FIRST_WORDS.where(t.events.c.session_id.in_(ids))
                first.update({row.session_id: row.at for row in db.execute(these)})
            return [(session, first.get(session.id)) for session in found]

        return await self._db.read(work)
