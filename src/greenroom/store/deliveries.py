"""Deliveries in SQL: rows in the event's transaction, and one lane per endpoint and session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from greenroom.ports.deliveries import Delivery, DeliveryState, Route, Standing
from greenroom.ports.store import StoredEvent
from greenroom.store import tables as t
from greenroom.store.transactions import Transactions

_d, _lanes = t.deliveries.c, t.delivery_lanes.c
_IS_WAITING = _d.state == DeliveryState.WAITING.value


class SqlDeliveries:
    """Implements `greenroom.ports.deliveries.DeliveryStore` beside `greenroom.store.sql.SqlStore`.

    Args:
        db: Runs the transactions.
    """

    def __init__(self, db: Transactions) -> None:
        self._db = db
        self._routes: Sequence[Route] = ()

    def route(self, routes: Sequence[Route]) -> None:
        """See `DeliveryStore.route`."""
        self._routes = tuple(routes)

    def add(
        self, db: Connection, events: Sequence[dict[str, Any]], body: Mapping[str, Any]
    ) -> None:
        """Within the transaction that stores these events (rows): what is to be delivered.

        ``body``: their session's.
        """
        rows = [
            _new(route.name, event)
            for route in self._routes
            for event in events
            if route.wants(event["type"], body)
        ]
        if not rows:
            return
        db.execute(t.deliveries.insert(), rows)
        _open_lanes(db, rows, rows[0]["queued_at"], hurry=False)

    # ---- lanes

    async def due_lanes(self, endpoint: str, now: float, limit: int) -> list[str]:
        """See `DeliveryStore.due_lanes`."""
        due = (_lanes.endpoint == endpoint) & (_lanes.due_at <= now)
        wanted = select(_lanes.session_id).where(due).order_by(_lanes.due_at).limit(limit)
        return await self._db.read(lambda db: list(db.execute(wanted).scalars()))

    async def waiting(self, endpoint: str, session_id: str, limit: int) -> list[Delivery]:
        """See `DeliveryStore.waiting`."""
        mine = (_d.endpoint == endpoint) & (_d.session_id == session_id) & _IS_WAITING
        return await self._fetch(_DELIVERIES.where(mine).order_by(_d.seq).limit(limit))

    async def finish_lane(self, endpoint: str, session_id: str) -> None:
        """See `DeliveryStore.finish_lane`."""
        lane = (_lanes.endpoint == endpoint) & (_lanes.session_id == session_id)
        left = exists().where(_d.endpoint == endpoint, _d.session_id == session_id, _IS_WAITING)
        taken = update(t.delivery_lanes).where(lane).values(due_at=_lanes.due_at)

        def work(db: Connection) -> None:
            # Take the lane's row first: whoever adds to the lane has either committed, and is
            # seen by the next statement, or waits until we are done and then opens it anew.
            db.execute(taken)
            db.execute(delete(t.delivery_lanes).where(lane, ~left))

        await self._db.write(work)

    # ---- one delivery

    async def settle(self, delivery_id: int) -> None:
        """See `DeliveryStore.settle`."""
        settled = delete(t.deliveries).where(_d.id == delivery_id)
        await self._db.write(lambda db: db.execute(settled))

    async def postpone(self, delivery: Delivery, due_at: float, error: str) -> None:
        """See `DeliveryStore.postpone`."""
        lane = (_lanes.endpoint == delivery.endpoint) & (
            _lanes.session_id == delivery.event.session_id
        )

        def work(db: Connection) -> None:
            db.execute(_failed(delivery.id, error))
            db.execute(update(t.delivery_lanes).where(lane).values(due_at=due_at))

        await self._db.write(work)

    async def bury(self, delivery_id: int, error: str) -> None:
        """See `DeliveryStore.bury`."""
        buried = _failed(delivery_id, error, state=DeliveryState.DEAD.value)
        await self._db.write(lambda db: db.execute(buried))

    # ---- for operators

    async def listed(
        self, *, state: DeliveryState | None, endpoint: str | None, limit: int
    ) -> list[Delivery]:
        """See `DeliveryStore.listed`."""
        wanted = _DELIVERIES.order_by(_d.id).limit(limit)
        if state is not None:
            wanted = wanted.where(_d.state == state.value)
        if endpoint is not None:
            wanted = wanted.where(_d.endpoint == endpoint)
        return await self._fetch(wanted)

    async def standings(self) -> list[Standing]:
        """See `DeliveryStore.standings`."""
        waits = case((_IS_WAITING, 1), else_=0)
        wanted = select(
            _d.endpoint,
            func.sum(waits).label("waiting"),
            func.sum(1 - waits).label("dead"),
            func.min(case((_IS_WAITING, _d.queued_at))).label("oldest_at"),
        ).group_by(_d.endpoint)
        ordered = wanted.order_by(_d.endpoint)
        return await self._db.read(
            lambda db: [Standing(**row) for row in db.execute(ordered).mappings()]
        )

    async def replay(self, ids: Sequence[int] | None, endpoint: str | None, now: float) -> int:
        """See `DeliveryStore.replay`."""
        again: dict[str, Any] = {"state": DeliveryState.WAITING.value, "attempts": 0}
        wanted = update(t.deliveries).values({**again, "queued_at": now})
        if ids is not None:
            wanted = wanted.where(_d.id.in_(ids))
        if endpoint is not None:
            wanted = wanted.where(_d.endpoint == endpoint)
        returning = wanted.returning(_d.endpoint, _d.session_id)

        def work(db: Connection) -> int:
            rows = db.execute(returning).mappings().all()
            if rows:
                _open_lanes(db, rows, now, hurry=True)
            return len(rows)

        return await self._db.write(work)

    async def _fetch(self, wanted: Select[Any]) -> list[Delivery]:
        return await self._db.read(
            lambda db: [_delivery(row) for row in db.execute(wanted).mappings()]
        )


_DELIVERIES = (
    select(
        t.deliveries,
        _lanes.due_at,
        t.events.c.at,
        t.events.c.type,
        t.events.c.data,
        t.sessions.c.user_id,
    )
    .join(
        t.events,
        and_(t.events.c.session_id == _d.session_id, t.events.c.seq == _d.seq),
    )
    .join(t.sessions, t.sessions.c.id == _d.session_id)
    .outerjoin(
        t.delivery_lanes,
        and_(_lanes.endpoint == _d.endpoint, _lanes.session_id == _d.session_id),
    )
)


def _new(endpoint: str, event: dict[str, Any]) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "session_id": event["session_id"],
        "seq": event["seq"],
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "queued_at": event["at"],
    }


def _open_lanes(db: Connection, rows: Iterable[Any], due_at: float, *, hurry: bool) -> None:
    """Open the lanes of these rows. A lane that is open keeps its time, unless in a hurry."""
    lanes = sorted({(row["endpoint"], row["session_id"]) for row in rows})
    values = [{"endpoint": e, "session_id": s, "due_at": due_at} for e, s in lanes]
    db.execute(_lane_upsert(db.dialect.name, hurry=hurry), values)


def _lane_upsert(dialect: str, *, hurry: bool) -> Insert:
    # One and the same clause of both databases, which SQLAlchemy offers in two places.
    # Even where nothing changes the row is written, that is locked: see `finish_lane`.
    key = [_lanes.endpoint, _lanes.session_id]
    if dialect == "postgresql":
        new = postgresql.insert(t.delivery_lanes)
        due_at = new.excluded.due_at if hurry else _lanes.due_at
        return new.on_conflict_do_update(index_elements=key, set_={"due_at": due_at})
    new_ = sqlite.insert(t.delivery_lanes)
    due_at = new_.excluded.due_at if hurry else _lanes.due_at
    return new_.on_conflict_do_update(index_elements=key, set_={"due_at": due_at})


def _failed(delivery_id: int, error: str, **more: Any) -> Any:
    values = {"attempts": _d.attempts + 1, "error": error, **more}
    return update(t.deliveries).where(_d.id == delivery_id).values(values)


def _delivery(row: Any) -> Delivery:
    state = DeliveryState(row["state"])
    return Delivery(
        id=row["id"],
        endpoint=row["endpoint"],
        event=StoredEvent(row["session_id"], row["seq"], row["at"], row["type"], row["data"]),
        user_id=row["user_id"],
        state=state,
        attempts=row["attempts"],
        queued_at=row["queued_at"],
        due_at=row["due_at"] if state is DeliveryState.WAITING else None,
        error=row["error"],
    )
