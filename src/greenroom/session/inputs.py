"""Everything that can happen to a session: commands, reports, exits, and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from greenroom.session.model import DeadlineKind, EndReason, PauseCause

# ---- commands: somebody wants something


@dataclass(frozen=True, slots=True)
class Offer:
    """A page wants to bring its media. The newest page wins the session."""

    participant: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The session shall end. Said again while it ends: hurry. ``note``: words for people."""

    reason: EndReason = EndReason.USER
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """The user's microphone was switched; of two, the later ``timestamp_ms`` holds."""

    muted: bool
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A cause to pause appears."""

    cause: PauseCause


@dataclass(frozen=True, slots=True)
class Resume:
    """A cause to pause is lifted."""

    cause: PauseCause


@dataclass(frozen=True, slots=True)
class Message:
    """The user typed instead of speaking."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """A tool call that was not the bot's to carry out has come to something.

    ``answer``: shaped as `greenroom.wire.tools.ToolAnswer`, which the bot is told as it is.
    ``shown``: events (type, data) that show the page what it did.
    """

    answer: dict[str, Any]
    shown: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """The assistant is to say this; ``interrupt``: at once, whatever it is saying."""

    text: str
    interrupt: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The assistant is to know this from now on, and not to say it. ``by_page``: a page says so."""

    text: str
    by_page: bool = False


@dataclass(frozen=True, slots=True)
class Adjust:
    """The assistant is to be otherwise from now on.

    Attributes:
        record: What its bot is told of its record from now on.
        based_on: What it was told until now, when that was thought out; is it another by now, then
            nothing changes, and whoever thinks again comes again.
        told: The fields that are new, as the bot is told them; None: it is gone.
    """

    record: dict[str, Any]
    based_on: dict[str, Any]
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Consented:
    """A user agrees to be recorded."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody may come into a group call: ``person``, as the room will call them."""

    person: str
    user_id: str


# ---- reports: the bot says what happened


@dataclass(frozen=True, slots=True)
class BotJoined:
    """The bot's pipeline runs: it can be heard."""


@dataclass(frozen=True, slots=True)
class UserJoined:
    """The media of this page is connected. ``person``: in a group call, whose it is."""

    participant: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class UserLeft:
    """The media of this page is gone; ``moved``: because a newer page takes its place.

    ``person``: in a group call, whose it was.
    """

    participant: str
    moved: bool = False
    person: str | None = None


@dataclass(frozen=True, slots=True)
class UserEnded:
    """The page asked, over the media's own connection, that the session end."""


@dataclass(frozen=True, slots=True)
class UserSpeech:
    """The user began or stopped speaking."""

    speaking: bool


@dataclass(frozen=True, slots=True)
class BotSpeech:
    """The assistant began or stopped speaking."""

    speaking: bool
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words of one side; ``final``: no more will come for this ``turn``."""

    role: Literal["user", "assistant"]
    text: str
    final: bool
    turn: int


@dataclass(frozen=True, slots=True)
class AppReport:
    """An event of the application that the bot runs (``app.…``, ``ui.…``)."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The assistant uses a tool; ``at_server``: it waits for Greenroom to carry it out.

    ``data``: shaped as `greenroom.wire.tools.ToolCallData`. ``ago_s``: so long it waits already.
    """

    at_server: bool
    data: dict[str, Any]
    ago_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolDone:
    """What a tool call came to, shaped as `greenroom.wire.tools.ToolResultData`."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the bot used of a paid component, for the bill: finite, and not negative."""

    component: str
    quantity: float
    unit: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the user's audio came over one connection; for the metrics."""


@dataclass(frozen=True, slots=True)
class BotError:
    """Something went wrong inside the bot; ``fatal``: it cannot go on."""

    code: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Farewell:
    """Goodbye was said. ``heard``: to its end."""

    heard: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A report of a kind that only a newer bot knows: passed on, and otherwise without effect.

    ``data`` is None if it was too large to be passed on.
    """

    kind: str
    data: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A report that nobody understands: counted, and otherwise without effect."""


BotReport = (
    BotJoined
    | UserJoined
    | UserLeft
    | UserEnded
    | UserSpeech
    | BotSpeech
    | Transcript
    | AppReport
    | ToolCalled
    | ToolDone
    | Usage
    | Quality
    | BotError
    | Farewell
    | Unknown
    | Unreadable
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A report with what fences and orders it: its launch, and its number within the launch."""

    launch_id: str
    seq: int
    report: BotReport


@dataclass(frozen=True, slots=True)
class Seen:
    """What a room itself tells of who is in it. It has no number: said again, nothing changes."""

    report: BotJoined | UserJoined | UserLeft


# ---- the bill


@dataclass(frozen=True, slots=True)
class BudgetNear:
    """A budget will soon be spent. Amounts are millionths of a dollar."""

    budget: str
    spent_micro_usd: int
    limit_micro_usd: int


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """A budget is spent. Amounts are millionths of a dollar."""

    budget: str
    spent_micro_usd: int
    limit_micro_usd: int


# ---- the world outside


@dataclass(frozen=True, slots=True)
class BotStarting:
    """Whoever carries the bot elsewhere has taken it on; its machine may have to be made first."""


@dataclass(frozen=True, slots=True)
class NoPlace:
    """Whoever carries bots had no place for this one after all: none was launched.

    ``again_in_s``: when it is asked for again; None: nobody asks again.
    """

    again_in_s: float | None


@dataclass(frozen=True, slots=True)
class RoomReady:
    """Its room was made ready for somebody, or kept, while it may have ended."""


@dataclass(frozen=True, slots=True)
class BotExited:
    """The bot's process is no more. ``code`` is an error code for people's software.

    Attributes:
        launch_id: Which launch; an older one changes nothing.
        clean: It ended by itself, without an error.
        code: ``bot_exited``, ``bot_crashed``, ``import_failed`` …
        message: One sentence, safe to show.
        still_runs_s: Nobody could end it, and it goes on, and costs, for so long at most.
        deaf: It was told to go, and has not gone.
    """

    launch_id: str
    clean: bool
    code: str
    message: str
    still_runs_s: float = 0.0
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class MovedUp:
    """The session's place in the waiting room is another one now, counted from 1."""

    position: int


@dataclass(frozen=True, slots=True)
class LetIn:
    """The session's turn has come: there is a place for it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline's time has come."""

    kind: DeadlineKind


Command = (
    Offer
    | Stop
    | Mute
    | Pause
    | Resume
    | Message
    | ToolAnswered
    | Say
    | Context
    | Adjust
    | Consented
    | Admitted
)
Outside = BotStarting | NoPlace | RoomReady | BotExited | MovedUp | LetIn | Due
Input = Command | Reported | Seen | BudgetNear | BudgetSpent | Outside
