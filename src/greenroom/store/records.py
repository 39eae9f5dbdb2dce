"""What is kept of people, in SQL: read in order, erased in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Connection, Select, delete, func, select, update

from greenroom.errors import Unavailable
from greenroom.ports.records import Erased, StillLive
from greenroom.ports.store import StoredEvent
from greenroom.session.model import Session, SessionKind
from greenroom.store import spend
from greenroom.store import tables as t
from greenroom.store.notes import erase_notes
from greenroom.store.rows import from_row
from greenroom.store.transactions import T, Transactions, Work
from greenroom.wire.events import EventType

log = structlog.get_logger("greenroom.store")

_s = t.sessions.c
# Everything that hangs on a session. Its deliveries go with its events.
_OF_A_SESSION = (t.tickets, t.delivery_lanes, t.events, t.effects, t.deadlines)


class SqlRecords:
    """Implements `greenroom.ports.records.Records` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db

    async def transcript(self, session_id: str, limit: int) -> list[StoredEvent]:
        """See `Records.transcript`."""
        mine = t.events.c.session_id == session_id
        said = t.events.c.type == EventType.TRANSCRIPT.value
        wanted = select(t.events).where(mine, said).order_by(t.events.c.seq).limit(limit)
        return await self._db.read(
            lambda db: [StoredEvent(**row) for row in db.execute(wanted).mappings()]
        )

    async def of_user(
        self, user_id: str, tenant: str, *, after: str | None, limit: int
    ) -> list[Session]:
        """See `Records.of_user`."""
        wanted = select(t.sessions).where(_s.user_id == user_id, _s.tenant == tenant)
        if after is not None:
            wanted = wanted.where(_s.id > after)
        page = wanted.order_by(_s.id).limit(limit)
        return await self._db.read(
            lambda db: [from_row(row) for row in db.execute(page).mappings()]
        )

    async def agreed_elsewhere(self, user_id: str, tenant: str) -> list[tuple[str, float]]:
        """See `Records.agreed_elsewhere`."""
        return await self._db.read(
            lambda db: [(id_, consents[user_id]) for id_, consents in _agreed(db, user_id, tenant)]
        )

    async def erase_user(self, user_id: str, tenant: str, alias: str, now: float) -> Erased:
        """See `Records.erase_user`."""
        theirs = (_s.user_id == user_id) & (_s.tenant == tenant)

        def work(db: Connection) -> Erased:
            live = db.scalars(select(_s.id).where(theirs, t.UNENDED).order_by(_s.id)).all()
            if live:
                raise StillLive(live)
            ids = select(_s.id).where(theirs)
            counted = select(func.count()).select_from(t.events)
            events = db.scalar(counted.where(t.events.c.session_id.in_(ids))) or 0
            sessions = db.scalar(select(func.count()).select_from(ids.subquery())) or 0
            _erase_events(db, ids, now)
            # A late report that has read the old row must not write the name back: the version.
            blank: dict[str, Any] = {
                "user_id": alias,
                "room": "",
                "participant": None,
                "consents": {},
                "version": _s.version + 1,
            }
            db.execute(update(t.sessions).where(theirs).values(blank))
            for id_, consents in _agreed(db, user_id, tenant):
                others = {who: at for who, at in consents.items() if who != user_id}
                blank = {"consents": others, "version": _s.version + 1}
                db.execute(update(t.sessions).where(_s.id == id_).values(blank))
            spend.rename(db, user_id, tenant, alias)
            decided = t.rollout_decisions.c
            mine = (decided.user_id == user_id) & (decided.tenant == tenant)
            db.execute(delete(t.rollout_decisions).where(mine))
            return Erased(sessions, events, erase_notes(db, user_id, tenant))

        return await self._gone(work)

    async def erase_words(self, before: float, now: float, limit: int) -> int:
        """See `Records.erase_words`."""
        ended = select(_s.id).where(t.KEEPS_WORDS, _s.ended_at < before)

        def work(db: Connection) -> int:
            ids = db.scalars(ended.order_by(_s.ended_at).limit(limit)).all()
            _erase_events(db, ids, now)
            return len(ids)

        return await self._gone(work)

    async def forget(self, before: float, limit: int) -> int:
        """See `Records.forget`."""
        ended = select(_s.id).where(t.HAS_ENDED, _s.ended_at < before)

        def work(db: Connection) -> int:
            ids = db.scalars(ended.order_by(_s.ended_at).limit(limit)).all()
            for table in _OF_A_SESSION:
                db.execute(delete(table).where(table.c.session_id.in_(ids)))
            db.execute(delete(t.sessions).where(_s.id.in_(ids)))
            return len(ids)

        return await self._gone(work)

    async def _gone(self, work: Work[T]) -> T:
        """Run work that deletes what is to be gone wherever it is kept."""
        done = await self._db.write(work)
        with suppress(Unavailable):
            if await self._db.scrub():
                return done
        # It is done all the same. The log is emptied by whoever erases something next.
        log.warning("store.not_scrubbed")
        return done


def _agreed(db: Connection, user_id: str, tenant: str) -> list[tuple[str, dict[str, float]]]:
    """Group calls of others in which this user has agreed to be recorded, by id."""
    calls = select(_s.id, _s.consents).where(
        _s.tenant == tenant, _s.kind == SessionKind.GROUP.value, _s.user_id != user_id
    )
    return [(id_, found) for id_, found in db.execute(calls.order_by(_s.id)) if user_id in found]


def _erase_events(db: Connection, ids: Sequence[str] | Select[tuple[str]], now: float) -> None:
    """Of ended sessions: whatever was said or told, by whomever. The version is left as it is."""
    for table in _OF_A_SESSION:
        db.execute(delete(table).where(table.c.session_id.in_(ids)))
    # The record may have what the start has overridden, a user's name say; its version stays.
    blank: dict[str, Any] = {"body": {}, "record": {}, "end_note": None, "erased_at": now}
    db.execute(update(t.sessions).where(_s.id.in_(ids)).values(blank))
