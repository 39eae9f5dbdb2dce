"""The session record and its vocabulary: stages, presences, causes, reasons, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from greenroom.session.group import GroupCall
from greenroom.session.prices import NO_TARIFF, Tariff
from greenroom.session.usage import Meter

DEFAULT_TENANT = "default"


class Stage(StrEnum):
    """Where a session is in its life.

    It only moves forward, but for active ⇄ lingering, and back to queued where the place that it
    was let in for was not there after all.
    """

    QUEUED = "queued"
    CONNECTING = "connecting"
    ACTIVE = "active"
    LINGERING = "lingering"
    ENDING = "ending"
    ENDED = "ended"

    @property
    def is_live(self) -> bool:
        """Whether a session in this stage counts as its user's running session."""
        return self not in (Stage.ENDING, Stage.ENDED)


class SessionKind(StrEnum):
    """How many people a session is for. A user may have one of each kind at once."""

    VOICE = "voice"  # one
    GROUP = "group"  # several, with cameras


class Presence(StrEnum):
    """Whether a participant is in the room."""

    AWAITED = "awaited"
    PRESENT = "present"
    GONE = "gone"


class PauseCause(StrEnum):
    """Why a session is paused. Lifting one cause never lifts another."""

    USER = "user"
    GROUP_CALL = "group_call"


class EndReason(StrEnum):
    """Why a session ended. Part of the interface; `greenroom.wire.messages` has the sentences."""

    USER = "user"
    GOODBYE = "goodbye"
    IDLE = "idle"
    MAX_DURATION = "max_duration"
    PAUSED_TOO_LONG = "paused_too_long"
    BUDGET = "budget"
    QUEUE_TIMEOUT = "queue_timeout"
    LEFT = "left"
    NO_SHOW = "no_show"
    KICKED = "kicked"
    EMERGENCY = "emergency"
    SERVER_DRAIN = "server_drain"
    BUSY = "busy"
    LAUNCH_FAILED = "launch_failed"
    BOT_NEVER_JOINED = "bot_never_joined"
    BOT_LEFT = "bot_left"
    BOT_CRASHED = "bot_crashed"
    LOST = "lost"


class DeadlineKind(StrEnum):
    """The clocks that may run for a session; `greenroom.session.deadlines` says when."""

    QUEUE = "queue"
    JOIN = "join"
    WARNING = "warning"
    HARD = "hard"
    IDLE = "idle"
    PAUSE = "pause"
    LINGER = "linger"
    ENDING = "ending"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may do what. All in seconds; fixed when the session starts.

    The defaults are the product's own (hard, idle and warning from the field's usual advice
    against forgotten sessions: ten minutes, two minutes, eighty per cent). A bot that is asked to
    go takes 0.1 s; `polite_s` and `term_s` together keep the promise that two seconds after a stop
    its process is gone, with time to spare for a busy machine. ``queue_s`` is 0 for a session that
    does not wait for a place.
    """

    join_s: float = 30.0
    max_duration_s: float = 600.0
    warning_share: float = 0.8
    idle_s: float = 120.0
    pause_s: float = 600.0
    persistence_s: float = 300.0
    ending_s: float = 5.0
    polite_s: float = 0.6
    term_s: float = 0.5
    queue_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Session:
    """One session, from the click to the end. Only `lifecycle.transition` makes a changed one.

    Times (``…_at``) are seconds since the epoch; ``None`` until it happened.

    Attributes:
        id: ``ses_…``; never reused.
        user_id: Who talks. The server's own knowledge, never the browser's word.
        tenant: Whose application it is, as the user's token says; limits and totals are kept
            for each.
        trace_id: 32 hex digits that the click, the logs and the spans of this session share.
        assistant: The assistant's name.
        bot: Module or file of the bot that is launched for it.
        room: The room's name.
        stage: See `Stage`.
        limits: What was promised at the start.
        tariff: What it pays; fixed at the start.
        meter: What it has used.
        body: What whoever started it wants the bot to know; JSON, fixed at the start.
        assistant_version: The version of the assistant's record that it keeps to its end; None: the
            assistant has no record.
        record: What the bot is told of that record, with what this start has overridden.
        launch_id: The launch whose reports are believed.
        report_seq: The last report of that launch on record.
        bot_presence: Whether the bot is in the room.
        user_presence: Whether the user is.
        participant: The page whose media counts: the last that joined, before that the first
            that offered; ``None``: nobody has offered yet.
        muted: The user's microphone is off.
        muted_at_ms: The page's clock at the last accepted mute or unmute.
        pause_causes: Why it is paused; empty: it is not.
        consents: Which users have agreed to be recorded, and when.
        group_call: Its people, if it is for several; then the user is its host, and present
            means that somebody is in the room.
        queued_at: When it began to wait for a place; ``None``: it never had to.
        queue_position: Its place in the queue as it was last told, from 1; ``None``: it has none.
        admitted_at: When it was let in; ``None``: it still waits, or went before its turn.
        last_activity_at: When somebody last spoke, typed or acted.
        reason: Why it ends or ended.
        end_note: What whoever ended it wants people to read; ``None``: nothing more.
        last_seq: The number of its newest event.
        version: Counts commits; two writers cannot both follow the same one.
    """

    id: str
    user_id: str
    assistant: str
    bot: str
    room: str
    stage: Stage
    launch_id: str
    created_at: float
    limits: Limits = field(default_factory=Limits)
    body: dict[str, Any] = field(default_factory=dict, hash=False)
    assistant_version: int | None = None
    record: dict[str, Any] = field(default_factory=dict, hash=False)
    tenant: str = DEFAULT_TENANT
    trace_id: str = ""
    tariff: Tariff = NO_TARIFF
    meter: Meter = field(default_factory=Meter)
    report_seq: int = 0
    bot_presence: Presence = Presence.AWAITED
    user_presence: Presence = Presence.AWAITED
    participant: str | None = None
    muted: bool = False
    muted_at_ms: int = 0
    pause_causes: frozenset[PauseCause] = frozenset()
    consents: dict[str, float] = field(default_factory=dict, hash=False)
    group_call: GroupCall | None = None
    queued_at: float | None = None
    queue_position: int | None = None
    admitted_at: float | None = None
    active_at: float | None = None
    last_activity_at: float | None = None
    paused_at: float | None = None
    left_at: float | None = None
    warned_at: float | None = None
    ending_at: float | None = None
    ended_at: float | None = None
    reason: EndReason | None = None
    end_note: str | None = None
    last_seq: int = 0
    version: int = 0

    def is_of(self, user_id: str, tenant: str) -> bool:
        """Whether it is this user's: two tenants may each have an “ada”."""
        return self.user_id == user_id and self.tenant == tenant

    @property
    def kind(self) -> SessionKind:
        """How many people it is for."""
        return SessionKind.VOICE if self.group_call is None else SessionKind.GROUP

    def may_be_seen_by(self, user_id: str, tenant: str) -> bool:
        """Whether it is this user's, or a call that they were let into."""
        call = self.group_call
        among = call is not None and self.tenant == tenant and call.is_of(user_id)
        return among or self.is_of(user_id, tenant)

    @property
    def is_paused(self) -> bool:
        """Whether any cause pauses the session."""
        return bool(self.pause_causes)

    def duration_s(self, now: float) -> float:
        """Seconds of conversation so far (0 before the bot joined)."""
        if self.active_at is None:
            return 0.0
        return max(0.0, (self.ended_at or now) - self.active_at)
