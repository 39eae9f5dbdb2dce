"""Bodies of the HTTP API and the messages of ``WS /ws``, in Greenroom's own shape."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from greenroom.session.model import SessionKind
from greenroom.wire.base import WireModel
from greenroom.wire.events import CostData, EphemeralEvent, Event, SessionStatus
from greenroom.wire.keys import MAX_USER_ID_CHARS
from greenroom.wire.link import Candidate, IceServer, RoomKind

MAX_SDP_CHARS = 64 * 1024
# JavaScript's largest exact integer; a database's column holds it too.
MAX_INTEGER = 2**53 - 1


class OfferBody(WireModel):
    """An SDP offer. ``id`` is made by the page; the same id is the same offer."""

    id: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    participant: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    sdp: str = Field(min_length=1, max_length=MAX_SDP_CHARS)


class AnswerBody(WireModel):
    """The SDP answer to the offer of this id."""

    offer_id: str
    sdp: str
    pc_id: str


class CandidatesBody(WireModel):
    """Trickled candidates for an earlier offer."""

    offer_id: str
    candidates: list[Candidate] = Field(max_length=32)


class LimitsBody(WireModel):
    """What a start asks for beside its assistant's limits, in seconds, up to the ceilings set.

    A name that is none is refused: whoever wrote it would plan with a limit that does not hold.
    """

    model_config = ConfigDict(extra="forbid")

    join_s: float | None = None
    max_duration_s: float | None = None
    idle_s: float | None = None
    pause_s: float | None = None
    persistence_s: float | None = None
    queue_s: float | None = None


class GroupBody(WireModel):
    """What makes a start one of a group call: several people, and cameras unless said otherwise.

    Attributes:
        max_participants: How many may be in it at once, the assistant included; as many as the
            server allows unless said.
        video: Whether there are cameras.
        invited: The users who may come in, beside who starts it; absent: whoever of the same
            tenant knows the session's id.
    """

    max_participants: int | None = Field(default=None, ge=1, le=MAX_INTEGER)
    video: bool = True
    invited: list[Annotated[str, Field(min_length=1, max_length=MAX_USER_ID_CHARS)]] | None = Field(
        default=None, max_length=200
    )


class ParticipantBody(WireModel):
    """Somebody who was let into a group call; ``participant``: what its room calls them."""

    participant: str
    user_id: str
    present: bool


class StartBody(WireModel):
    """``POST /api/voice/session``. With ``offer`` the answer rides along: one round trip.

    ``wait``: where all places are taken, wait for one instead of being refused. The session is
    then ``queued``, its answer comes without one to the offer, and the page offers again when the
    status turns ``connecting``. ``group``: it is a group call, to which others may come; the user's
    own session is paused while they are in it. ``overrides``: what this session changes of its
    assistant's record, shaped as that is; the record has to allow it. ``recordingConsent``: the
    user agrees to be recorded, which they have to where the config says ``records``.
    """

    assistant: str | None = Field(default=None, max_length=128)
    offer: OfferBody | None = None
    wait: bool | None = None
    limits: LimitsBody | None = None
    group: GroupBody | None = None
    overrides: dict[str, Any] | None = None
    recording_consent: bool | None = None
    body: dict[str, Any] = Field(default_factory=dict)


class EnterBody(WireModel):
    """``POST /api/voice/session/{id}/room``, if there is anything to say.

    ``recordingConsent``: as in `StartBody`; each person of a group call agrees for themselves.
    What is on record need not be said again.
    """

    recording_consent: bool | None = None


class RoomBody(WireModel):
    """Where the page connects to: ``local`` by an offer, ``daily`` by joining ``url``.

    ``token`` lets this user in, until it expires; only a start and
    ``POST /api/voice/session/{id}/room`` answer with one.
    """

    kind: RoomKind = RoomKind.LOCAL
    name: str
    url: str | None = None
    token: str | None = None
    ice_servers: list[IceServer] = Field(default_factory=list)


class SessionBody(WireModel):
    """A session as its user sees it. Times: RFC 3339, UTC.

    ``participants``: of a group call, who was let in. ``assistantVersion``: of the assistant's
    record; the session keeps it to its end.
    """

    session_id: str
    kind: SessionKind = SessionKind.VOICE
    assistant: str
    assistant_version: int | None = None
    status: SessionStatus
    stage: str
    room: RoomBody
    muted: bool
    pause_causes: list[str]
    user_present: bool
    bot_present: bool
    queue_position: int | None = None
    max_participants: int | None = None
    participants: list[ParticipantBody] | None = None
    started_at: str
    active_at: str | None = None
    ended_at: str | None = None
    reason: str | None = None
    message: str | None = None
    cost: CostData
    last_seq: int


class StartAnswer(WireModel):
    """Answer to `StartBody`: 201 for a new session, 200 with ``reused`` for a running one."""

    reused: bool
    session: SessionBody
    ticket: str
    answer: AnswerBody | None = None


class TicketAnswer(WireModel):
    """``POST /api/voice/session/{id}/ticket``: a new one-time ticket for ``WS /ws``."""

    ticket: str
    expires_in_s: float


class MuteBody(WireModel):
    """``POST /api/voice/mute``. Of two, the one with the later ``timestamp`` holds."""

    session_id: str
    is_muted: bool
    timestamp: int = Field(ge=0, le=MAX_INTEGER)


class PauseBody(WireModel):
    """``POST /api/voice/pause``. A session is paused while it has any cause."""

    session_id: str
    cause: Literal["user", "group_call"] = "user"
    paused: bool


class MessageBody(WireModel):
    """``POST /api/voice/session/{id}/message``: typed instead of spoken."""

    text: str = Field(min_length=1, max_length=4_000)


class SayBody(WireModel):
    """``POST /api/voice/session/{id}/say``. ``interrupt``: at once, over what it is saying."""

    text: str = Field(min_length=1, max_length=2_000)
    interrupt: bool | None = None


class ContextBody(WireModel):
    """``POST /api/voice/session/{id}/context``: to be known from now on, and not to be said."""

    text: str = Field(min_length=1, max_length=8_000)


class AdjustBody(WireModel):
    """``POST /api/voice/session/{id}/adjust``: what is to be otherwise, shaped as the record is.

    ``voice`` is merged into what holds; ``null`` takes a field out. Other fields cannot be changed
    while somebody talks, and are refused.
    """

    model_config = ConfigDict(extra="forbid")

    persona: str | None = None
    personality: str | None = None
    voice: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AdjustBody:
        if not self.model_fields_set:
            raise ValueError("Say what is to change: persona, personality or voice.")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """What was said, and nothing that was not."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class ConfigAnswer(WireModel):
    """``GET /api/voice/config``: what a page needs before the click.

    ``joinS``: how long the assistant may take to come, at most. ``enabled``: whether it may be
    started; ``autoStart``: whether the page is to do so without a click. ``records``: what is said
    may be recorded, so a start needs the user's ``recordingConsent``.
    """

    assistant: str
    title: str
    ice_servers: list[IceServer] = Field(default_factory=list)
    anonymous: bool
    join_s: float = 30.0
    room_kind: RoomKind = RoomKind.LOCAL
    enabled: bool = True
    auto_start: bool = False
    records: bool = False


MOST_ASSISTANTS = 200


class AssistantChoice(WireModel):
    """An assistant that a page may offer. ``enabled``: whether it may be started now."""

    name: str
    title: str
    enabled: bool


class AssistantsAnswer(WireModel):
    """``GET /api/voice/assistants``: who may be talked with, the usual one first; 200 at most."""

    assistants: list[AssistantChoice]


class ProviderAnswer(WireModel):
    """``GET /api/voice/provider``: which side the user's next conversation is on, and why.

    ``reason``: ``no_record``, ``disabled``, ``killed``, ``halted``, ``tester``, ``tenant``,
    ``percentage``, ``flag`` or ``flag_failed``; a newer server may know others.
    """

    assistant: str
    provider: Literal["greenroom", "vapi"]
    reason: str


class EstimateAnswer(WireModel):
    """``GET /api/voice/estimate``: what a typical conversation of ``minutes`` will cost.

    ``pricesAsOf``: the day (``2026-11-21``) on which the price list was true.
    """

    assistant: str
    minutes: float
    cost: CostData
    prices_as_of: str


class DayCost(WireModel):
    """What was spent on one day (UTC, ``2026-11-21``)."""

    day: str
    cost: CostData


class CostAnswer(WireModel):
    """``GET /api/voice/cost``: what the user's sessions have cost, newest day first.

    ``budgetUsd``: what the user may spend in a day; absent: no limit.
    """

    cost: CostData
    days: list[DayCost]
    budget_usd: float | None = None


class ErrorAnswer(WireModel):
    """The body of every refusal."""

    code: str
    message: str
    detail: str
    retryable: bool
    facts: dict[str, Any] | None = None


# ---- WS /ws


class Subscribe(WireModel):
    """Page → server, first message and whenever another session is to be followed.

    ``ticket`` is good once and for seconds; ``after``: the last number the page has seen.
    """

    type: Literal["subscribe"] = "subscribe"
    ticket: str
    after: int = Field(default=0, ge=0, le=MAX_INTEGER)


class Subscribed(WireModel):
    """Server → page: the ticket was good; events after ``after`` follow.

    ``own``: the ticket is the session's own user's. The page of a guest in a group call sees the
    same events, and carries out no tools.
    """

    type: Literal["subscribed"] = "subscribed"
    session: str
    after: int
    own: bool = True


class EventMessage(WireModel):
    """Server → page: one event, stored, numbered."""

    type: Literal["event"] = "event"
    event: Event


class EphemeralMessage(WireModel):
    """Server → page: something of this moment, to whoever is there and keeps up.

    Of one type a page that is behind gets the newest only, and after the events that are stored.
    """

    type: Literal["ephemeral"] = "ephemeral"
    event: EphemeralEvent


class Heartbeat(WireModel):
    """Server → page every `HEARTBEAT_S` seconds: the connection is alive."""

    type: Literal["heartbeat"] = "heartbeat"


class Refused(WireModel):
    """Server → page: why the last message was refused; the socket closes after it."""

    type: Literal["refused"] = "refused"
    code: str
    message: str


HEARTBEAT_S = 5.0
TICKET_LIFETIME_S = 30.0
# The most that a page has to say is a ticket and a number.
MAX_SUBSCRIBE_CHARS = 4_096
# Close codes of WS /ws, beside those of RFC 6455 (1002 no message of ours, 1003 binary, 1009 too
# long, 1013 try again). A page must not reconnect with the same ticket after any of them.
WS_BAD_TICKET = 4401
WS_BAD_ORIGIN = 4403
WS_TOO_SLOW = 4408  # it says nothing at first, or reads too slowly; it may come back
WS_TOO_MANY = 4429  # messages in a short time, or sockets on one session: the oldest goes
