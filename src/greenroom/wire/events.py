"""Events to browsers and applications: numbered per session, gapless, each seen exactly once.

Beside them there are ephemeral ones, to browsers only: worthless when old, so they have no number,
are stored nowhere and come again to nobody.

JSON Schema and the TypeScript types of the client are generated from this module
(``make wire``); a test compares what is committed with what this module says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from greenroom.wire.base import WIRE_VERSION, WireModel
from greenroom.wire.tools import (
    CardData,
    HtmlData,
    NoteData,
    PanelData,
    ToolCallData,
    ToolResultData,
)


class EventType(StrEnum):
    """The names of our own events. Applications add ``app.*`` and ``ui.*``."""

    SESSION_START = "voice.session.start"
    SESSION_QUEUED = "voice.session.queued"
    SESSION_STATUS = "voice.session.status"
    SESSION_MUTE = "voice.session.mute"
    SESSION_PAUSE = "voice.session.pause"
    SESSION_WARNING = "voice.session.warning"
    SESSION_END = "voice.session.end"
    SPEECH_START = "voice.speech.start"
    SPEECH_END = "voice.speech.end"
    PARTICIPANT_JOINED = "voice.participant.joined"
    PARTICIPANT_LEFT = "voice.participant.left"
    BOT_STARTING = "voice.bot.starting"
    BOT_SPEAKING = "voice.bot.speaking"
    BOT_UNKNOWN = "voice.bot.unknown"
    TRANSCRIPT = "voice.transcript"
    TOOL_CALL = "voice.tool.call"
    TOOL_RESULT = "voice.tool.result"
    COST = "voice.cost"
    COST_WARNING = "voice.cost.warning"
    ERROR = "voice.error"


class EphemeralType(StrEnum):
    """The names of our own ephemeral events. Applications add ``app.*`` and ``ui.*``."""

    AUDIO_LEVEL = "voice.audio.level"
    EMERGENCY = "voice.emergency"


class SessionStatus(StrEnum):
    """What people are shown; derived in `greenroom.wire.status`, never stored."""

    INACTIVE = "inactive"
    QUEUED = "queued"
    CONNECTING = "connecting"
    ACTIVE = "active"
    PAUSED = "paused"
    DISCONNECTING = "disconnecting"
    UNAVAILABLE = "unavailable"


class SessionStartData(WireModel):
    """A session began; its bot is being launched."""

    assistant: str
    room: str


class SessionQueuedData(WireModel):
    """The session waits for a place: ``position`` 1 is the next. It gives up in ``ends_in_s``."""

    position: int
    ends_in_s: float


class SessionStatusData(WireModel):
    """What people are shown changed."""

    status: SessionStatus
    user_present: bool
    bot_present: bool


class SessionMuteData(WireModel):
    """The user's microphone was switched. ``timestamp``: epoch ms by the page's clock."""

    muted: bool
    timestamp: int


class SessionPauseData(WireModel):
    """The causes that pause the session now; empty: it is not paused."""

    causes: list[str]


class ParticipantJoinedData(WireModel):
    """Somebody is in a group call. ``first``: for the first time; else they are back.

    ``participant``: what the room calls them, as their token says; ``present``: so many people are
    there now, the assistant not counted.
    """

    participant: str
    user_id: str
    first: bool
    present: int


class ParticipantLeftData(WireModel):
    """Somebody is in a group call no more; ``present``: so many people still are."""

    participant: str
    user_id: str
    present: int


class BotStartingData(WireModel):
    """The assistant's machine may have to be made first; it is waited for so long at most."""

    within_s: float


class SessionWarningData(WireModel):
    """The session ends in so many seconds unless it ends before."""

    ends_in_s: float


class SessionEndData(WireModel):
    """The session is over. ``message`` is a sentence for people."""

    reason: str
    message: str
    duration_s: float


class SpeechData(WireModel):
    """The user began or stopped speaking."""


class BotSpeakingData(WireModel):
    """The assistant began or stopped speaking."""

    speaking: bool
    interrupted: bool = False


class BotUnknownData(WireModel):
    """A newer bot told of something that this server does not know: passed on as it is.

    ``kind``: what the bot calls it; ``data``: absent if it was larger than 16 KiB.
    """

    kind: str
    data: dict[str, Any] | None = None


class TranscriptData(WireModel):
    """What was said. ``turn`` groups the parts of one utterance; ``final``: no more to come.

    ``typed``: the user typed it, whole; its ``turn`` is 0 and says nothing.
    """

    role: Literal["user", "assistant"]
    text: str
    final: bool
    turn: int
    typed: bool | None = None


class ErrorData(WireModel):
    """Something went wrong; ``code`` is stable, ``message`` is for people."""

    code: str
    message: str
    retryable: bool = False


class CostData(WireModel):
    """What the session has cost so far, in US dollars.

    ``components``: of what; used and free is 0. ``unpriced``: what was used (``component.unit``)
    and has no price in the list.
    """

    usd: float
    components: dict[str, float]
    unpriced: list[str] = Field(default_factory=list)


class CostWarningData(WireModel):
    """A budget is nearly spent, or spent: then the session ends. Amounts are US dollars.

    ``budget``: ``session``, ``user_day``, ``tenant_day`` or ``installation_day`` (days are UTC).
    """

    budget: str
    spent_usd: float
    limit_usd: float


class QuestionData(WireModel):
    """``app.question`` of the built-in assistant: a new card. ``number`` counts from 1."""

    question: str
    number: int


class AnswerData(WireModel):
    """``app.answer`` of the built-in assistant: the card turns."""

    question: str
    value: int
    correct: bool
    expected: int
    right: int
    asked: int


class AudioLevelData(WireModel):
    """How loud somebody is at this moment, 0 … 1, as the bot measures it."""

    role: Literal["user", "assistant"]
    level: float = Field(ge=0, le=1)


class EmergencyData(WireModel):
    """Everything is being stopped. ``message`` is a sentence for people.

    The session's own end follows as `SessionEndData`, stored and numbered.
    """

    message: str


EVENT_DATA: dict[str, type[WireModel]] = {
    EventType.SESSION_START: SessionStartData,
    EventType.SESSION_QUEUED: SessionQueuedData,
    EventType.SESSION_STATUS: SessionStatusData,
    EventType.SESSION_MUTE: SessionMuteData,
    EventType.SESSION_PAUSE: SessionPauseData,
    EventType.SESSION_WARNING: SessionWarningData,
    EventType.SESSION_END: SessionEndData,
    EventType.SPEECH_START: SpeechData,
    EventType.SPEECH_END: SpeechData,
    EventType.PARTICIPANT_JOINED: ParticipantJoinedData,
    EventType.PARTICIPANT_LEFT: ParticipantLeftData,
    EventType.BOT_STARTING: BotStartingData,
    EventType.BOT_SPEAKING: BotSpeakingData,
    EventType.BOT_UNKNOWN: BotUnknownData,
    EventType.TRANSCRIPT: TranscriptData,
    EventType.TOOL_CALL: ToolCallData,
    EventType.TOOL_RESULT: ToolResultData,
    EventType.COST: CostData,
    EventType.COST_WARNING: CostWarningData,
    EventType.ERROR: ErrorData,
    "app.question": QuestionData,
    "app.answer": AnswerData,
    "ui.note": NoteData,
    "ui.html": HtmlData,
    "ui.card": CardData,
    "ui.panel": PanelData,
}

EPHEMERAL_DATA: dict[str, type[WireModel]] = {
    EphemeralType.AUDIO_LEVEL: AudioLevelData,
    EphemeralType.EMERGENCY: EmergencyData,
}


class Event(WireModel):
    """One event of one session, as browsers and webhooks receive it.

    Attributes:
        id: Unique for ever; the key for whoever must not process it twice.
        session: The session's id.
        seq: 1, 2, 3 … within the session, without a gap.
        time: RFC 3339, UTC, milliseconds.
        type: One of `EventType`, or an application's own ``app.*`` / ``ui.*``.
        data: Its shape is given by `EVENT_DATA`.
    """

    v: int = WIRE_VERSION
    id: str
    session: str
    seq: int = Field(ge=1)
    time: str
    type: str
    data: dict[str, Any]


class EphemeralEvent(WireModel):
    """What is true of this moment only: never stored, never sent again, never delivered.

    Attributes:
        session: The session's id; absent: it concerns every session.
        time: RFC 3339, UTC, milliseconds.
        type: One of `EphemeralType`, or an application's own ``app.*`` / ``ui.*``.
        data: Its shape is given by `EPHEMERAL_DATA`.
        ephemeral: What tells it from an `Event`.
    """

    v: int = WIRE_VERSION
    session: str | None = None
    time: str
    type: str
    data: dict[str, Any]
    ephemeral: Literal[True] = True
