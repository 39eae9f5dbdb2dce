"""What a change tells the world and asks of it: facts (they become events) and effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from greenroom.session.model import EndReason, PauseCause, Presence, Session, Stage
from greenroom.session.prices import Cost


@dataclass(frozen=True, slots=True)
class Started:
    """A session began."""

    assistant: str
    room: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The session waits, in this place (from 1), and gives up in so many seconds."""

    position: int
    ends_in_s: float


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """What people are shown changed; derived by comparing before and after."""

    stage: Stage
    paused: bool
    user: Presence
    bot: Presence


@dataclass(frozen=True, slots=True)
class CameIn:
    """Somebody is in a group call's room, for the first time or again; so many ``people`` are."""

    person: str
    user_id: str
    first: bool
    people: int


@dataclass(frozen=True, slots=True)
class WentOut:
    """Somebody is in a group call's room no more; ``people``: so many still are."""

    person: str
    user_id: str
    people: int


@dataclass(frozen=True, slots=True)
class Muted:
    """The user's microphone was switched."""

    muted: bool
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """The causes of pause changed; empty: running again."""

    causes: tuple[PauseCause, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """The hard limit is near."""

    ends_in_s: float


@dataclass(frozen=True, slots=True)
class BotStarting:
    """The bot's machine may have to be made first; it is waited for so many seconds at most."""

    within_s: float


@dataclass(frozen=True, slots=True)
class UserSpoke:
    """The user began or stopped speaking."""

    speaking: bool


@dataclass(frozen=True, slots=True)
class BotSpoke:
    """The assistant began or stopped speaking."""

    speaking: bool
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Said:
    """Words of one side. ``typed``: by the user, which is no turn of the conversation's."""

    role: Literal["user", "assistant"]
    text: str
    final: bool
    turn: int
    typed: bool = False


@dataclass(frozen=True, slots=True)
class AppHappened:
    """An event of the application."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """The assistant uses a tool."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """What a tool call came to."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UnknownHappened:
    """A newer bot told of something that nobody here knows; ``data`` None: it was too large."""

    kind: str
    data: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong that the page should say."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Costed:
    """What the session has cost so far."""

    cost: Cost


@dataclass(frozen=True, slots=True)
class BudgetWarned:
    """A budget is nearly spent, or spent. Amounts are millionths of a dollar."""

    budget: str
    spent_micro_usd: int
    limit_micro_usd: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over. ``note``: further words for people."""

    reason: EndReason
    duration_s: float
    note: str | None = None


Fact = (
    Started
    | Queued
    | StatusChanged
    | CameIn
    | WentOut
    | Muted
    | Paused
    | Warned
    | BotStarting
    | UserSpoke
    | BotSpoke
    | Said
    | AppHappened
    | ToolUsed
    | ToolEnded
    | UnknownHappened
    | Failed
    | Costed
    | BudgetWarned
    | Ended
)


class EffectKind(StrEnum):
    """What may have to be done outside after a change. Each is idempotent.

    The shape of each payload stands beside it.
    """

    ENSURE_ROOM = "ensure_room"  # {room}
    LAUNCH_BOT = "launch_bot"  # {launch_id, bot, join_s, wall_clock_s}
    TELL_BOT = "tell_bot"  # {launch_id, command, kind, data}; command: its name in the session
    END_BOT = "end_bot"  # {launch_id, polite_s, term_s}
    CLOSE_ROOM = "close_room"  # {room}
    # {asked_at, call}; call: as the bot called it, shaped as `greenroom.wire.tools.ToolCallData`
    RUN_TOOL = "run_tool"
    EXCLUDE = "exclude"  # {user_id}: they are in a group call now, or no more


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to be done outside, committed together with the change that wants it."""

    kind: EffectKind
    payload: dict[str, Any] = field(default_factory=dict)


class Outcome(StrEnum):
    """What became of an input."""

    APPLIED = "applied"
    IGNORED = "ignored"  # the stage has no use for it
    MUTED = "muted"  # it tells of a microphone that is switched off
    MALFORMED = "malformed"  # a report whose data nobody understands
    DUPLICATE = "duplicate"  # a report that is on record already
    FENCED = "fenced"  # from a launch that is not this session's (any more)
    GAP = "gap"  # a report whose predecessor never came: send again from the last one


@dataclass(frozen=True, slots=True)
class Change:
    """The result of a transition: the new record, what to tell, what to do."""

    session: Session
    facts: tuple[Fact, ...] = ()
    effects: tuple[Effect, ...] = ()
    outcome: Outcome = Outcome.APPLIED
