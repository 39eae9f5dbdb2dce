"""Counting what is on record for `greenroom.session.policy`, inside the transaction that decides.

What lives is counted over a partial index, and grows with what lives; what ended is counted for
one day, and only where a quota asks for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
)

from greenroom.session.model import EndReason, Session, Stage
from greenroom.session.policy import SETTLES_WITHIN_S, Occupancy, Place, Quotas, day_of
from greenroom.store import tables as t
from greenroom.store.rows import from_row

_s = t.sessions.c

# A session that ended so before both were in the room was never had by anybody. One that its user
# gave up counts, and so does one whose page never came: a bot was launched for it, and paid.
_NOT_THE_USERS_DOING = (
    EndReason.BUSY,
    EndReason.LAUNCH_FAILED,
    EndReason.BOT_NEVER_JOINED,
    EndReason.LOST,
    EndReason.SERVER_DRAIN,
    EndReason.EMERGENCY,
)
_COUNTS: ColumnElement[bool] = or_(
    _s.active_at.is_not(None),
    _s.reason.is_(None),
    _s.reason.not_in([reason.value for reason in _NOT_THE_USERS_DOING]),
)


@dataclass(frozen=True, slots=True)
class Census:
    """What was counted, the sessions that wait, and the asker's own live session, if any."""

    occupancy: Occupancy
    waiting: list[Session]
    live_id: str | None = None


def census(db: Connection, quotas: Quotas, now: float, asked: Place | None = None) -> Census:
    """Count what the quotas ask about; without ``asked`` nobody's history."""
    living = _living(db, now)
    waiting = waiting_sessions(db) if living.waits else []
    history, live_id = _past(db, quotas, now, asked) if asked else ({}, None)
    occupancy = Occupancy(
        live=living.live,
        live_of_tenant=living.of_tenant,
        live_of_assistant=living.of_assistant,
        settling=living.settling,
        ending=living.ending,
        waiting=tuple(Place(w.user_id, w.tenant, w.assistant, w.kind) for w in waiting),
        last_position=max((w.queue_position or 0 for w in waiting), default=0),
        day_left_s=day_of(now)[1],
        **history,
    )
    return Census(occupancy, waiting, live_id)


def waiting_sessions(db: Connection) -> list[Session]:
    """Who waits, in order. Not by time: clocks are set back, and two may come at one moment."""
    return [from_row(row) for row in (db.execute(_WAITING)).mappings()]


_WAITING = select(t.sessions).where(t.QUEUED).order_by(_s.queue_position, _s.created_at)


# ---- what lives


@dataclass(slots=True)
class _Living:
    live: int = 0
    settling: int = 0
    ending: int = 0
    waits: bool = False
    of_tenant: Counter[str] = field(default_factory=Counter)
    of_assistant: Counter[str] = field(default_factory=Counter)


_IS_QUEUED = _s.stage == literal_column(f"'{Stage.QUEUED.value}'")
_IS_ENDING = _s.stage == literal_column(f"'{Stage.ENDING.value}'")
_IS_FRESH = or_(
    _s.stage == literal_column(f"'{Stage.CONNECTING.value}'"),
    _s.admitted_at > bindparam("since"),
)
_LIVING = (
    select(
        _s.tenant,
        _s.assistant,
        func.count(),
        func.sum(case((_IS_QUEUED, 1), else_=0)),
        func.sum(case((_IS_QUEUED, 0), (_IS_FRESH, 1), else_=0)),
        func.sum(case((_IS_ENDING, 1), else_=0)),
    )
    .where(t.UNENDED)
    .group_by(_s.tenant, _s.assistant)
)


def _living(db: Connection, now: float) -> _Living:
    found = _Living()
    rows = db.execute(_LIVING, {"since": now - SETTLES_WITHIN_S})
    for tenant, assistant, unended, queued, fresh, ending in rows:
        found.live += unended - queued
        found.settling += fresh
        found.ending += ending
        found.waits = found.waits or queued > 0
        found.of_tenant[tenant] += unended - queued
        found.of_assistant[assistant] += unended - queued
    return found


# ---- what was

_THEIRS = (_s.user_id == bindparam("user_id")) & (_s.tenant == bindparam("tenant"))
_OF_THE_KIND = _s.kind == bindparam("kind")
_TODAY = _s.admitted_at >= bindparam("day_began_at")


def _past(
    db: Connection, quotas: Quotas, now: float, asked: Place
) -> tuple[dict[str, Any], str | None]:
    """What the asker's past and the day's say, in one round trip."""
    wanted = _past_statement(
        user_live=quotas.user_live is not None,
        user_day=quotas.user_day is not None,
        tenant_day=quotas.tenant_day is not None,
        day=quotas.day is not None,
        cooldown=quotas.user_cooldown_s is not None,
    )
    values = {**asdict(asked), "kind": asked.kind.value, "day_began_at": day_of(now)[0]}
    found = dict((db.execute(wanted, values)).mappings().one())
    live_id, ended_at = found.pop("live_id"), found.pop("ended_at", None)
    # An end that is still to come was recorded before the clock was set back: nobody's fault.
    if ended_at is not None and ended_at <= now:
        found["user_ended_s"] = now - ended_at
    return found, live_id


@cache
def _past_statement(
    *, user_live: bool, user_day: bool, tenant_day: bool, day: bool, cooldown: bool
) -> Select[Any]:
    """Made once for each kind of quotas: composing it takes longer than running it."""
    same = (_s.assistant == bindparam("assistant")) & _OF_THE_KIND
    live = select(_s.id).where(_THEIRS, same, t.LIVE).limit(1)
    columns: dict[str, ScalarSelect[Any]] = {"live_id": live.scalar_subquery()}
    if user_live:
        columns["user_live"] = _count(_THEIRS, _OF_THE_KIND, t.LIVE)
    if user_day:
        columns["user_today"] = _count(_THEIRS, _TODAY, _COUNTS)
    if tenant_day:
        columns["tenant_today"] = _count(_s.tenant == bindparam("tenant"), _TODAY, _COUNTS)
    if day:
        columns["today"] = _count(_TODAY, _COUNTS)
    if cooldown:
        # Of the last to be admitted; null while that one goes on beside a further one.
        counted = select(_s.ending_at).where(_THEIRS, _s.admitted_at.is_not(None), _COUNTS)
        last = counted.order_by(_s.admitted_at.desc()).limit(1)
        columns["ended_at"] = last.scalar_subquery()
    return select(*(column.label(name) for name, column in columns.items()))


def _count(*conditions: Any) -> ScalarSelect[Any]:
    return select(func.count()).select_from(t.sessions).where(*conditions).scalar_subquery()
