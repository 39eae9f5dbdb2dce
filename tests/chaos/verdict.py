"""What must be true after a run, read from the record and from the process table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from greenroom.session.cost import cost_of
from greenroom.session.deadlines import deadlines
from greenroom.session.model import DeadlineKind, Session, Stage
from tests.chaos.watch import Entry, Outages, ServerTime

LATE_S = 2.0
_END_NOTHING = (DeadlineKind.WARNING, DeadlineKind.METER)
_COUNTED = frozenset({Stage.CONNECTING, Stage.ACTIVE, Stage.LINGERING})


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left behind."""

    sessions: Sequence[Session]
    diary: Sequence[Entry]
    event_numbers: Mapping[str, Sequence[int]]
    spent_micro_usd: int
    outages: Outages
    server_time: ServerTime


@dataclass(frozen=True, slots=True)
class Promises:
    """What this run's settings promise.

    Attributes:
        most_at_once: Live sessions.
        session_usd: A session's budget.
        report_usd: What one round of a bot's reports can cost at most.
        usd_per_s: How fast a bot can spend at most.
        metering_s: How often running sessions are billed.
    """

    most_at_once: int
    session_usd: float
    report_usd: float
    usd_per_s: float
    metering_s: float


def complaints(found: Found, promises: Promises) -> list[str]:
    """Every promise that was broken; empty: none."""
    return [
        *_not_ended(found.sessions),
        *_gaps(found),
        *_too_many(found.diary, promises.most_at_once),
        *_two_of_one_user(found.diary),
        *_backwards(found.diary),
        *_late(found),
        *_too_dear(found, promises),
        *_miscounted(found),
    ]


def _not_ended(sessions: Iterable[Session]) -> list[str]:
    return [f"{s.id} never ended: {s.stage}" for s in sessions if s.stage is not Stage.ENDED]


def _gaps(found: Found) -> list[str]:
    wrong = []
    for session in found.sessions:
        numbers = list(found.event_numbers.get(session.id, ()))
        if numbers != list(range(1, session.last_seq + 1)):
            wrong.append(f"{session.id}: events {numbers} do not run from 1 to {session.last_seq}")
    return wrong


def _too_many(diary: Iterable[Entry], most: int) -> list[str]:
    live: set[str] = set()
    for entry in diary:
        (live.add if entry.stage in _COUNTED else live.discard)(entry.session_id)
        if len(live) > most:
            return [f"{len(live)} sessions lived at once when {entry.session_id} came: {live}"]
    return []


def _two_of_one_user(diary: Iterable[Entry]) -> list[str]:
    live: defaultdict[str, set[str]] = defaultdict(set)
    for entry in diary:
        counted = entry.stage in _COUNTED or entry.stage == Stage.QUEUED
        (live[entry.user_id].add if counted else live[entry.user_id].discard)(entry.session_id)
        if len(live[entry.user_id]) > 1:
            return [f"{entry.user_id} had two sessions at once: {live[entry.user_id]}"]
    return []


def _backwards(diary: Iterable[Entry]) -> list[str]:
    over: dict[str, str] = {}
    wrong = []
    for entry in diary:
        before = over.get(entry.session_id)
        moved = before != entry.stage
        if moved and before in (Stage.ENDED, Stage.ENDING) and entry.stage != Stage.ENDED:
            wrong.append(f"{entry.session_id} went from {before} to {entry.stage}")
        over[entry.session_id] = entry.stage
    return wrong


def _late(found: Found) -> list[str]:
    """Whatever came due was carried out within `LATE_S`, outages of our making not counted."""
    stages: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in found.diary:
        stages[entry.session_id].append(entry)
    wrong = []
    for session in found.sessions:
        entries = stages[session.id]
        for before, after in pairwise(entries):
            if before.stage != after.stage and after.stage in (Stage.ENDING, Stage.ENDED):
                wrong += _late_end(found, session, before, after)
    return wrong


def _late_end(found: Found, session: Session, before: Entry, after: Entry) -> list[str]:
    as_it_was = replace(session, stage=Stage(before.stage))
    wrong = []
    for kind, due_at in deadlines(as_it_was).items():
        if kind in _END_NOTHING:
            continue
        due = found.server_time.reached_at(due_at, before.at)
        late_s = after.at - due - found.outages.overlap_s(due, after.at)
        if late_s > LATE_S:
            wrong.append(
                f"{session.id}: {kind} came due in stage {before.stage}, and {after.stage} "
                f"({session.reason}) followed {late_s:.1f} s later"
            )
    return wrong


def _too_dear(found: Found, promises: Promises) -> list[str]:
    """No session cost more than its budget, one metering interval, and what nobody could record.

    While the server or the database was away a bot went on spending; what it used then is
    reported afterwards, and ends the session at once.
    """
    wrong = []
    for session in found.sessions:
        mine = [entry.at for entry in found.diary if entry.session_id == session.id]
        blind_s = promises.metering_s + found.outages.overlap_s(min(mine), max(mine)) + LATE_S
        most = promises.session_usd + promises.report_usd + promises.usd_per_s * blind_s
        if (usd := cost_of(session).micro_usd / 1e6) > most:
            wrong.append(f"{session.id} cost ${usd:.3f}; ${most:.3f} was the most")
    return wrong


def _miscounted(found: Found) -> list[str]:
    """The totals are exactly the sum over the sessions: nothing was lost, nothing counted twice."""
    total = sum(cost_of(session).micro_usd for session in found.sessions)
    if total == found.spent_micro_usd:
        return []
    return [f"sessions cost {total} µ$ together, and the totals say {found.spent_micro_usd} µ$"]
