"""The link: what a bot and Greenroom say to each other over the WebSocket that the bot dials.

The bot dials ``GET /link`` with ``Authorization: Bearer <launch secret>`` and
``X-Greenroom-Launch: <launch id>`` and says `Hello`; Greenroom answers `Welcome`.
From then on

* the bot's `Report`s are numbered from 1 without a gap, kept until acknowledged by a
  `ReportAck` (which covers every number up to its own) and sent again after a reconnect;
  a number at or below ``Welcome.report_seq`` is already recorded and may be forgotten
  (they may come by webhook as well, with the same numbers: `greenroom.wire.reports`);
* Greenroom's `Command`s carry an id, may arrive twice, and are answered by `CommandDone`
  once carried out; the bot remembers the ids it has done;
* an `Ephemeral` has no number, is acknowledged by nobody and is sent once or not at all;
* an `Offer` is answered by `Answer` or `OfferRefused` with the same ``offer_id``;
  the same offer twice gets the same answer twice.

A connection closed by Greenroom with code 4001 (`LINK_FENCED`) means: a newer launch has the
session, or the session is over. The bot must end at once and must not dial again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from greenroom.wire.base import WIRE_VERSION, WireModel

LINK_FENCED = 4001
MAX_LINK_MESSAGE_BYTES = 256 * 1024
# What a bot is told by whoever started its session; fits into one `Welcome` with room to spare.
MAX_SESSION_BODY_BYTES = 192 * 1024
# What is worthless when old is small, and no more than so often does anybody look at it.
MAX_EPHEMERAL_BYTES = 4 * 1024
MOST_EPHEMERAL_PER_S = 50
# A day: no bot keeps a report for longer.
MOST_AGO_MS = 24 * 3600 * 1000


class BotLevel(StrEnum):
    """How much Greenroom can do with a bot."""

    LAUNCHED = "launched"
    OBSERVED = "observed"
    ATTACHED = "attached"


class ReportKind(StrEnum):
    """What a bot reports. The shape of each ``data`` stands beside it."""

    BOT_JOINED = "bot.joined"  # {level}: the bot can be heard; level: what it turned out to be
    USER_JOINED = "user.joined"  # {participant}: media with this page is connected
    USER_LEFT = "user.left"  # {participant, why}: its media is gone; why: silent, left, closed,
    # failed, moved (to another page), replaced (by this page's own next offer)
    USER_ENDED = "user.ended"  # {}: the page asked over its data channel that the session end
    USER_SPEECH = "user.speech"  # {speaking: bool}
    BOT_SPEECH = "bot.speech"  # {speaking: bool, interrupted?: bool}
    TRANSCRIPT = "transcript"  # {role: "user"|"assistant", text, final: bool, turn: int}
    APP = "app"  # {type: "app.…"|"ui.…", data: {…}}: an application event
    TOOL_CALL = "tool.call"  # see `greenroom.wire.tools.ToolCallData`
    TOOL_RESULT = "tool.result"  # see `greenroom.wire.tools.ToolResultData`
    USAGE = "usage"  # {component, quantity, unit}
    QUALITY = "quality"  # {received, lost, jitter_ms}: how a page's audio came, when it goes
    ERROR = "error"  # {code, message, fatal: bool}
    FAREWELL = "farewell"  # {heard: bool}: goodbye was said, and heard to its end


class CommandKind(StrEnum):
    """What Greenroom tells a bot. The shape of each ``data`` stands beside it."""

    END = "end"  # {reason, within_s?}: say nothing more, close the media, exit 0; with within_s: a
    # last word first, for at most so long
    MUTE = "mute"  # {muted: bool}: the user's microphone is off; stop listening
    PAUSE = "pause"  # {paused: bool}: neither listen nor speak
    SAY = "say"  # {text, interrupt?: bool}; interrupt: at once, over what it is saying
    # {text, by?: "page"}: what the assistant is to know from now on; it is not said. by page: it is
    # its user's word, and no more to be trusted than what they type; else the application's
    CONTEXT = "context"
    ADJUST = "adjust"  # {persona?, personality?, voice?}: as in the record from now on; null: gone
    MESSAGE = "message"  # {text}: the user typed instead of speaking
    PRESENCE = "presence"  # {present: [{participant, userId}], came?, first?: bool}: who is in a
    # room that is not here; came: who has just come; first: greet them, they were never here before
    WARNING = "warning"  # {ends_in_s}: the hard limit is near; a bot that speaks may say so
    # {results: [`greenroom.wire.tools.ToolAnswer`]}: what tool calls have come to that somebody
    # else carried out: the server, the page, a VAPI call's server
    TOOL_RESULTS = "tool_results"


class IceServer(WireModel):
    """A STUN or TURN server, in the browser's own shape."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class RoomKind(StrEnum):
    """How page and bot meet."""

    LOCAL = "local"  # the bot answers the page's offer
    DAILY = "daily"  # both join a room of Daily's, each with a token of its own


class RoomSpec(WireModel):
    """Where page and bot meet. ``url`` and ``token``: where they join, and by what, on Daily.

    ``video``: whether whoever is told so may have a camera on; else there is none.
    """

    kind: RoomKind = RoomKind.LOCAL
    name: str
    url: str | None = None
    token: str | None = None
    video: bool = False
    ice_servers: list[IceServer] = Field(default_factory=list)
    allow_loopback: bool = False


class Present(WireModel):
    """Somebody in the room: what it calls them, and who they are."""

    participant: str
    user_id: str


class SessionSpec(WireModel):
    """What a bot is told of its session.

    ``user_id``: whose session it is.
    ``group``: it is a call of several people. ``present``: who is in the room; absent: the bot
    sees it itself.
    ``record``: what the assistant's record says to its bot (`greenroom.wire.assistants.BotRecord`)
    with what this start has overridden, in its version ``assistantVersion``; empty: it has none.
    ``traceparent``: the trace it is part of (W3C). ``offer_follows``: a page waits already, and
    its offer is behind this welcome.
    """

    session_id: str
    launch_id: str
    assistant: str
    assistant_version: int | None = None
    user_id: str = ""
    record: dict[str, Any] = Field(default_factory=dict)
    room: RoomSpec
    persistence_s: float
    traceparent: str = ""
    muted: bool = False
    paused: bool = False
    offer_follows: bool = False
    group: bool = False
    present: list[Present] | None = None
    body: dict[str, Any] = Field(default_factory=dict)


# ---- bot → Greenroom


class Hello(WireModel):
    """First message of a bot on every connection. ``level``: what its module promises."""

    type: Literal["hello"] = "hello"
    v: int = WIRE_VERSION
    launch_id: str
    pid: int
    level: BotLevel
    resumed: bool = False


class Report(WireModel):
    """Something happened in the bot. ``at_ms``: epoch milliseconds by the bot's clock.

    A ``kind`` that is none of `ReportKind` is a newer bot's: kept and passed on, never fatal.
    ``ago_ms``: how long it had happened when it was sent, if it had to wait for a connection.
    """

    type: Literal["report"] = "report"
    seq: int = Field(ge=1)
    at_ms: int
    ago_ms: int | None = Field(default=None, ge=0, le=MOST_AGO_MS)
    kind: ReportKind | str = Field(union_mode="left_to_right")
    data: dict[str, Any] = Field(default_factory=dict)


class Ephemeral(WireModel):
    """Something of this moment, for whoever follows the session just now; never stored.

    ``event``: ``voice.audio.level``, or the application's own ``app.…`` / ``ui.…``.
    """

    type: Literal["ephemeral"] = "ephemeral"
    event: str = Field(max_length=128)
    data: dict[str, Any] = Field(default_factory=dict)


class Answer(WireModel):
    """The SDP answer to an offer."""

    type: Literal["answer"] = "answer"
    offer_id: str
    sdp: str
    pc_id: str


class OfferRefused(WireModel):
    """The offer could not be taken; ``code`` is one of the error tree's."""

    type: Literal["offer_refused"] = "offer_refused"
    offer_id: str
    code: str
    message: str


class CommandDone(WireModel):
    """A command was carried out (or already had been)."""

    type: Literal["done"] = "done"
    command_id: str


# ---- Greenroom → bot


class Welcome(WireModel):
    """Answer to `Hello`. ``report_seq``: the last report of this launch on record."""

    type: Literal["welcome"] = "welcome"
    v: int = WIRE_VERSION
    report_seq: int
    session: SessionSpec


class ReportAck(WireModel):
    """Every report up to ``seq`` is on record."""

    type: Literal["ack"] = "ack"
    seq: int


class Command(WireModel):
    """Do this. ``command_id`` makes it idempotent."""

    type: Literal["command"] = "command"
    command_id: str
    kind: CommandKind
    data: dict[str, Any] = Field(default_factory=dict)


class Offer(WireModel):
    """A page wants to connect. ``participant``: the page; the newest wins.

    ``renegotiates``: the page keeps its peer connection and only changes what it carries.
    """

    type: Literal["offer"] = "offer"
    offer_id: str
    participant: str
    sdp: str
    renegotiates: bool = False


class Candidate(WireModel):
    """One trickled ICE candidate, in the browser's words."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(WireModel):
    """Further candidates for an offer that was sent before they were known."""

    type: Literal["candidates"] = "candidates"
    offer_id: str
    candidates: list[Candidate]


FromBot = Annotated[
    Hello | Report | Ephemeral | Answer | OfferRefused | CommandDone, Field(discriminator="type")
]
ToBot = Annotated[Welcome | ReportAck | Command | Offer | Candidates, Field(discriminator="type")]

from_bot: TypeAdapter[Hello | Report | Ephemeral | Answer | OfferRefused | CommandDone] = (
    TypeAdapter(FromBot)
)
to_bot: TypeAdapter[Welcome | ReportAck | Command | Offer | Candidates] = TypeAdapter(ToBot)
