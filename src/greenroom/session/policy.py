"""Who may start now, who waits, who is refused, and why: pure. Numbers in, a verdict out.

The same rules let the next one in from the waiting room, so a newcomer is simply the last of the
queue: admitted at once if there is still room after everybody who waits has had their turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from greenroom.session.model import SessionKind

# A place becomes free whenever somebody hangs up; nobody knows when that will be.
TRY_AGAIN_S = 5.0
# Until midnight may be long, and limits are changed by people who are awake.
LONGEST_RETRY_S = 3_600.0
# So long after it was begun, a session's load is in what the machine measures.
SETTLES_WITHIN_S = 10.0
_DAY_S = 86_400.0


class Limit(StrEnum):
    """What there is not enough of. Part of the interface, as is the error code of each."""

    USER_LIVE = "user_live"
    USER_DAY = "user_day"
    USER_COOLDOWN = "user_cooldown"
    LIVE = "live"
    DAY = "day"
    TENANT_LIVE = "tenant_live"
    TENANT_DAY = "tenant_day"
    ASSISTANT_LIVE = "assistant_live"
    MACHINE = "machine"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class MachineQuotas:
    """How full this machine may be before it takes no further call.

    Attributes:
        most_cpu_share: Share of its cores that may be busy, the new call included. None: any.
        call_cores: What one call takes: 0.11 to 0.19 of a core was measured for a silent one.
        keep_free_bytes: Memory that stays free.
        call_bytes: What one call takes: a live bot was measured at 37 MB of private memory.
    """

    most_cpu_share: float | None = 0.85
    call_cores: float = 0.2
    keep_free_bytes: int = 256 * 1024 * 1024
    call_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many sessions there may be. ``None``: as many as anybody likes.

    The defaults are the field's usual advice against runaway bills. A day is a day of UTC.

    Attributes:
        user_live: Sessions of one user at once, whoever they talk to. Waiting counts.
        user_day: Starts of one user a day.
        user_cooldown_s: Seconds between the end of a user's session and their next start.
        live: Bots at once, from the launch until each is gone.
        day: Starts a day in all.
        tenant_live: Bots at once for one tenant.
        tenant_day: Starts a day for one tenant.
        assistant_live: Bots at once of one assistant.
        assistants: The same for single assistants, by name.
        queue: Places in the waiting room.
        machine: How full this machine may be.
    """

    user_live: int | None = 1
    user_day: int | None = 10
    user_cooldown_s: float | None = 30.0
    live: int | None = 5
    day: int | None = 100
    tenant_live: int | None = None
    tenant_day: int | None = None
    assistant_live: int | None = None
    assistants: Mapping[str, int] = field(default_factory=dict)
    queue: int = 20
    machine: MachineQuotas = MachineQuotas()

    def for_guests(self) -> Quotas:
        """What holds for a nameless visitor of one's own machine: what it can carry at once."""
        return replace(self, user_day=None, user_cooldown_s=None, day=None, tenant_day=None)

    def live_of_assistant(self, name: str) -> int | None:
        """How many bots of this assistant there may be at once."""
        return self.assistants.get(name, self.assistant_live)


UNLIMITED = Quotas(user_live=None, user_day=None, user_cooldown_s=None, live=None, day=None)


@dataclass(frozen=True, slots=True)
class Place:
    """Who talks with whom, alone or among others."""

    user_id: str
    tenant: str
    assistant: str
    kind: SessionKind = SessionKind.VOICE


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured of this machine over the last seconds.

    Attributes:
        cores: How many there are to use; 0: none is to be had, also by who would be alone.
        busy_cores: How many of them were busy, whoever kept them so.
        free_bytes: Memory that can be had without taking it from anybody.
    """

    cores: float
    busy_cores: float
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What is on record at one moment. What no quota asks about need not be counted.

    A bot lives from its launch until it is gone: stages connecting to ending. A start of the day
    is one that was admitted and did not fail before both were in the room.

    Attributes:
        live: Bots that live.
        live_of_tenant: The same for each tenant.
        live_of_assistant: The same for each assistant.
        settling: Those begun within the last `SETTLES_WITHIN_S` or still connecting: their load
            does not show yet.
        ending: Those that only end: nobody talks there who could be disturbed.
        waiting: Who is in the waiting room, in order.
        last_position: The last place in the queue that was given away. It may be higher than
            there are people waiting: who waits moves up a moment after somebody has left.
        user_live: Other sessions of the user, waiting ones included, ending ones not; of the same
            kind: who is called to a group call may keep a session, which pauses.
        user_today: Starts of the user today.
        tenant_today: Starts of the tenant today.
        today: Starts today.
        user_ended_s: Seconds since the user's last session ended, if there was one.
        day_left_s: Seconds until the next day begins.
    """

    live: int = 0
    live_of_tenant: Mapping[str, int] = field(default_factory=dict)
    live_of_assistant: Mapping[str, int] = field(default_factory=dict)
    settling: int = 0
    ending: int = 0
    waiting: tuple[Place, ...] = ()
    last_position: int = 0
    user_live: int = 0
    user_today: int = 0
    tenant_today: int = 0
    today: int = 0
    user_ended_s: float | None = None
    day_left_s: float = _DAY_S


@dataclass(frozen=True, slots=True)
class Admit:
    """Come in."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Take this place in the queue, counted from 1."""

    position: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not now.

    Attributes:
        limit: What is used up.
        value: How much of it is used now.
        allowed: How much of it there is.
        retry_after_s: No earlier than this does it make sense to ask again.
        resource: Of the machine: ``cpu`` (a share) or ``memory`` (free bytes).
    """

    limit: Limit
    value: float
    allowed: float
    retry_after_s: float
    resource: str | None = None


Verdict = Admit | Wait | Refuse


def decide(
    asked: Place, occupancy: Occupancy, quotas: Quotas, load: Load | None, *, may_wait: bool
) -> Verdict:
    """Whether somebody may start a session now.

    Args:
        asked: Who wants to talk with whom.
        occupancy: What is on record now.
        quotas: How much there may be of it.
        load: What the machine measures; None: nobody has measured.
        may_wait: Whether a place in the waiting room would do.
    """
    spent = _spent(asked, occupancy, quotas)
    if spent is not None:
        return spent
    room = _Room(occupancy, quotas, load)
    for earlier in occupancy.waiting:
        room.offer(earlier)
    full = room.refusal(asked)
    if full is None:
        return Admit()
    if not may_wait:
        return full
    if len(occupancy.waiting) >= quotas.queue:
        return Refuse(Limit.QUEUE, len(occupancy.waiting), quotas.queue, TRY_AGAIN_S)
    return Wait(occupancy.last_position + 1)


def next_in(occupancy: Occupancy, quotas: Quotas, load: Load | None) -> list[int]:
    """Who of those who wait may come in now: their indices in `Occupancy.waiting`, in order.

    Nobody is overtaken for a place that they could have had.
    """
    room = _Room(occupancy, quotas, load)
    return [index for index, place in enumerate(occupancy.waiting) if room.offer(place)]


def day_of(now: float) -> tuple[float, float]:
    """The day of UTC that this moment is in: when it began, and how long it still lasts."""
    began_at = now - now % _DAY_S
    return began_at, began_at + _DAY_S - now


def _spent(asked: Place, occupancy: Occupancy, quotas: Quotas) -> Refuse | None:
    """What waiting in a queue does not mend. Who waits has their start of the day already."""
    for limit, value, allowed, retry_after_s in _tallies(asked, occupancy, quotas):
        if allowed is not None and value >= allowed:
            return Refuse(limit, value, allowed, retry_after_s)
    cooldown_s, ended_s = quotas.user_cooldown_s, occupancy.user_ended_s
    if cooldown_s is not None and ended_s is not None and ended_s < cooldown_s:
        return Refuse(Limit.USER_COOLDOWN, ended_s, cooldown_s, cooldown_s - ended_s)
    return None


def _tallies(
    asked: Place, occupancy: Occupancy, quotas: Quotas
) -> Iterator[tuple[Limit, int, int | None, float]]:
    waiting = occupancy.waiting
    of_user = sum(p.user_id == asked.user_id and p.tenant == asked.tenant for p in waiting)
    of_tenant = sum(place.tenant == asked.tenant for place in waiting)
    tomorrow_s = min(occupancy.day_left_s, LONGEST_RETRY_S)
    yield Limit.DAY, occupancy.today + len(waiting), quotas.day, tomorrow_s
    yield Limit.TENANT_DAY, occupancy.tenant_today + of_tenant, quotas.tenant_day, tomorrow_s
    yield Limit.USER_DAY, occupancy.user_today + of_user, quotas.user_day, tomorrow_s
    yield Limit.USER_LIVE, occupancy.user_live, quotas.user_live, TRY_AGAIN_S


class _Room:
    """What is still free, while places are given away one after the other."""

    def __init__(self, occupancy: Occupancy, quotas: Quotas, load: Load | None) -> None:
        self._quotas = quotas
        self._load = load
        self._live = occupancy.live
        self._of_tenant = Counter(occupancy.live_of_tenant)
        self._of_assistant = Counter(occupancy.live_of_assistant)
        self._unseen = occupancy.settling
        self._talking = occupancy.live - occupancy.ending

    def offer(self, place: Place) -> bool:
        """Give them a place if there is one."""
        if self.refusal(place) is not None:
            return False
        self._live += 1
        self._of_tenant[place.tenant] += 1
        self._of_assistant[place.assistant] += 1
        self._unseen += 1
        self._talking += 1
        return True

    def refusal(self, place: Place) -> Refuse | None:
        """Why there is no place for them, if there is none."""
        quotas = self._quotas
        of_tenant = self._of_tenant[place.tenant]
        of_assistant = self._of_assistant[place.assistant]
        for limit, value, allowed in (
            (Limit.LIVE, self._live, quotas.live),
            (Limit.TENANT_LIVE, of_tenant, quotas.tenant_live),
            (Limit.ASSISTANT_LIVE, of_assistant, quotas.live_of_assistant(place.assistant)),
        ):
            if allowed is not None and value >= allowed:
                return Refuse(limit, value, allowed, TRY_AGAIN_S)
        return self._machine_full()

    def _machine_full(self) -> Refuse | None:
        """Whether one more call would be heard by those who talk. Alone, nobody is disturbed."""
        load, machine = self._load, self._quotas.machine
        if load is not None and load.cores <= 0:
            return Refuse(Limit.MACHINE, 1.0, 0.0, TRY_AGAIN_S, "cpu")
        if load is None or self._talking == 0:
            return None
        most, busy = machine.most_cpu_share, load.busy_cores + self._unseen * machine.call_cores
        if most is not None and busy + machine.call_cores > load.cores * most:
            share = round(busy / load.cores, 3)
            return Refuse(Limit.MACHINE, share, most, TRY_AGAIN_S, "cpu")
        free = load.free_bytes - self._unseen * machine.call_bytes
        if free - machine.call_bytes < machine.keep_free_bytes:
            needed = machine.keep_free_bytes + machine.call_bytes
            return Refuse(Limit.MACHINE, max(0, free), needed, TRY_AGAIN_S, "memory")
        return None
