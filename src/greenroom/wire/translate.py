"""From the core's facts to events, and from a bot's reports to the core's inputs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from greenroom.errors import BadRequest
from greenroom.session import facts as f
from greenroom.session import inputs as i
from greenroom.session.model import Presence
from greenroom.session.prices import TIMED_COMPONENTS, Cost, usd
from greenroom.wire import events as e
from greenroom.wire.base import WireModel, size_bytes
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.messages import sentence_for
from greenroom.wire.status import shown_status
from greenroom.wire.tools import MAX_ARGUMENTS_BYTES, ToolCallData, ToolResultData, Where

# A bot may call its own events these; everything else is Greenroom's to say.
APP_PREFIXES = ("app.", "ui.")
MAX_TEXT_CHARS = 10_000
# What is kept of a report that only a newer bot understands.
MAX_KIND_CHARS = 128
MAX_UNKNOWN_DATA_BYTES = 16 * 1024
# What a bot may call a component and a unit, and the most that one report can mean: ten million
# tokens, characters or seconds are a mistake, and somebody would have to pay for it.
_USAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
MOST_USAGE = 10_000_000


def rfc3339(at_s: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, with milliseconds."""
    second_s = math.floor(at_s)
    more_s, us = divmod(round((at_s - second_s) * 1_000_000), 1_000_000)
    return f"{_rfc3339_second(second_s + more_s)}.{us // 1000:03d}Z"


def rfc3339_or_none(at_s: float | None) -> str | None:
    """As `rfc3339`, of what may not have been yet."""
    return None if at_s is None else rfc3339(at_s)


@lru_cache(maxsize=64)
def _rfc3339_second(at_s: int) -> str:
    """Most events are of this very second, and to write a date costs more than all the rest."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def event_of(fact: f.Fact) -> tuple[str, dict[str, Any]]:
    """The event that tells of a fact: its type and its data as JSON."""
    match fact:
        case f.AppHappened(kind, told):
            return kind, told
        case f.ToolUsed(told):
            return e.EventType.TOOL_CALL.value, told
        case f.ToolEnded(told):
            return e.EventType.TOOL_RESULT.value, told
    named, data = _typed(fact)
    return named.value, _as_json(data)


def _typed(fact: f.Fact) -> tuple[e.EventType, WireModel]:
    kind = e.EventType
    match fact:
        case f.Started(assistant, room):
            return kind.SESSION_START, e.SessionStartData(assistant=assistant, room=room)
        case f.Queued(position, ends_in_s):
            return kind.SESSION_QUEUED, e.SessionQueuedData(position=position, ends_in_s=ends_in_s)
        case f.StatusChanged(stage, paused, user, bot):
            return kind.SESSION_STATUS, e.SessionStatusData(
                status=shown_status(stage, paused=paused),
                user_present=user is Presence.PRESENT,
                bot_present=bot is Presence.PRESENT,
            )
        case f.CameIn(person, user_id, first, people):
            return kind.PARTICIPANT_JOINED, e.ParticipantJoinedData(
                participant=person, user_id=user_id, first=first, present=people
            )
        case f.WentOut(person, user_id, people):
            return kind.PARTICIPANT_LEFT, e.ParticipantLeftData(
                participant=person, user_id=user_id, present=people
            )
        case f.Muted(muted, timestamp_ms):
            return kind.SESSION_MUTE, e.SessionMuteData(muted=muted, timestamp=timestamp_ms)
        case f.Paused(causes):
            return kind.SESSION_PAUSE, e.SessionPauseData(causes=[c.value for c in causes])
        case f.Warned(ends_in_s):
            return kind.SESSION_WARNING, e.SessionWarningData(ends_in_s=ends_in_s)
        case f.BotStarting(within_s):
            return kind.BOT_STARTING, e.BotStartingData(within_s=within_s)
        case f.UserSpoke(speaking):
            return (kind.SPEECH_START if speaking else kind.SPEECH_END), e.SpeechData()
        case f.BotSpoke(speaking, interrupted):
            return kind.BOT_SPEAKING, e.BotSpeakingData(speaking=speaking, interrupted=interrupted)
        case f.Said(role, text, final, turn, typed):
            return kind.TRANSCRIPT, e.TranscriptData(
                role=role, text=text, final=final, turn=turn, typed=typed or None
            )
        case f.UnknownHappened(of_kind, told):
            return kind.BOT_UNKNOWN, e.BotUnknownData(kind=of_kind, data=told)
        case f.Failed(code, message, retryable):
            return kind.ERROR, e.ErrorData(code=code, message=message, retryable=retryable)
        case f.Costed(cost):
            return kind.COST, cost_data(cost)
        case f.BudgetWarned(budget, spent_micro_usd, limit_micro_usd):
            return kind.COST_WARNING, e.CostWarningData(
                budget=budget, spent_usd=usd(spent_micro_usd), limit_usd=usd(limit_micro_usd)
            )
        case f.Ended(reason, duration_s, note):
            return kind.SESSION_END, e.SessionEndData(
                reason=reason.value,
                message=sentence_for(reason, note),
                duration_s=round(duration_s, 3),
            )
        case f.AppHappened() | f.ToolUsed() | f.ToolEnded():
            raise AssertionError("these are passed on as they came")


def cost_data(cost: Cost) -> e.CostData:
    """A bill as JSON shows it."""
    return e.CostData(
        usd=usd(cost.micro_usd), components=cost.by_component_usd(), unpriced=list(cost.unpriced)
    )


def report_of(report: Report) -> i.BotReport:
    """The core's input for a bot's report.

    Raises:
        BadRequest: The report's data has not the shape that its kind asks for.
    """
    try:
        if not isinstance(report.kind, ReportKind):
            return _unknown(report.kind, report.data)
        read = _READERS[report.kind](report.data)
    except (KeyError, TypeError, ValueError, OverflowError, ValidationError) as error:
        raise BadRequest(f"A report of kind {shown_kind(report)} is malformed.") from error
    if isinstance(read, i.ToolCalled) and report.ago_ms:
        return replace(read, ago_s=report.ago_ms / 1000)
    return read


def shown_kind(report: Report) -> str:
    """What may be logged and counted of a report's kind: strangers' words are not."""
    return report.kind.value if isinstance(report.kind, ReportKind) else "unknown"


def _unknown(kind: str, data: dict[str, Any]) -> i.Unknown:
    small_enough = size_bytes(data) <= MAX_UNKNOWN_DATA_BYTES
    return i.Unknown(kind[:MAX_KIND_CHARS], data if small_enough else None)


def _app(data: dict[str, Any]) -> i.AppReport:
    kind = _name(data, "type", 128)
    if not kind.startswith(APP_PREFIXES):
        raise ValueError(kind)
    told = dict(data.get("data") or {})
    size_bytes(told)
    check_shape(kind, told)
    return i.AppReport(type=kind, data=told)


def check_shape(kind: str, told: dict[str, Any]) -> None:
    """Let nothing pass for what pages know how to show (``ui.card`` …) that is shaped otherwise.

    A page would fail over it, and again after each reload.

    Raises:
        ValidationError: It is shaped otherwise.
    """
    shape = e.EVENT_DATA.get(kind) if kind.startswith("ui.") else None
    if shape is not None:
        shape.model_validate(told, by_alias=True, by_name=False)


def _tool_call(data: dict[str, Any]) -> i.ToolCalled:
    call = ToolCallData.model_validate(data)
    if size_bytes(call.arguments) > MAX_ARGUMENTS_BYTES:
        raise ValueError("arguments")
    return i.ToolCalled(call.where is Where.SERVER, _as_json(call))


def _tool_result(data: dict[str, Any]) -> i.ToolDone:
    return i.ToolDone(_as_json(ToolResultData.model_validate(data)))


def _as_json(data: WireModel) -> dict[str, Any]:
    return data.model_dump(mode="json", by_alias=True, exclude_none=True)


def _transcript(data: dict[str, Any]) -> i.Transcript:
    role = data["role"]
    if role not in ("user", "assistant"):
        raise ValueError(role)
    text = _text(data, "text", MAX_TEXT_CHARS)
    return i.Transcript(role=role, text=text, final=bool(data["final"]), turn=int(data["turn"]))


def _quality(data: dict[str, Any]) -> i.Quality:
    for name in ("received", "lost", "jitter_ms"):
        if not 0 <= float(data[name]) < 1e12:
            raise ValueError(name)
    return i.Quality()


def _usage(data: dict[str, Any]) -> i.Usage:
    """Money follows from it: nothing but a plain, sane number is taken."""
    component, unit, quantity = data["component"], data["unit"], data["quantity"]
    for name in (component, unit):
        if not isinstance(name, str) or not _USAGE_NAME.fullmatch(name):
            raise ValueError("no name of a component or a unit")
    if component in TIMED_COMPONENTS:
        raise ValueError("time is counted by Greenroom alone")
    if isinstance(quantity, bool) or not isinstance(quantity, int | float):
        raise TypeError("no number")
    if not (math.isfinite(quantity) and 0 <= quantity <= MOST_USAGE):
        raise ValueError("no quantity that can have been used")
    return i.Usage(component, float(quantity), unit)


def _name(data: dict[str, Any], name: str, most_chars: int) -> str:
    """A text that has a column of its own: PostgreSQL has no zero byte there."""
    value = _text(data, name, most_chars)
    if "\0" in value:
        raise ValueError(name)
    return value


def _text(data: dict[str, Any], name: str, most_chars: int) -> str:
    value = data[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value[:most_chars]


_READERS: dict[ReportKind, Callable[[dict[str, Any]], i.BotReport]] = {
    ReportKind.BOT_JOINED: lambda d: i.BotJoined(),
    ReportKind.USER_JOINED: lambda d: i.UserJoined(_name(d, "participant", 64)),
    ReportKind.USER_LEFT: lambda d: i.UserLeft(
        _name(d, "participant", 64), moved=d.get("why") in ("moved", "replaced")
    ),
    ReportKind.USER_ENDED: lambda d: i.UserEnded(),
    ReportKind.USER_SPEECH: lambda d: i.UserSpeech(bool(d["speaking"])),
    ReportKind.BOT_SPEECH: lambda d: i.BotSpeech(
        bool(d["speaking"]), bool(d.get("interrupted", False))
    ),
    ReportKind.TRANSCRIPT: _transcript,
    ReportKind.APP: _app,
    ReportKind.TOOL_CALL: _tool_call,
    ReportKind.TOOL_RESULT: _tool_result,
    ReportKind.USAGE: _usage,
    ReportKind.QUALITY: _quality,
    ReportKind.ERROR: lambda d: i.BotError(
        _text(d, "code", 64), _text(d, "message", 1_000), bool(d["fatal"])
    ),
    ReportKind.FAREWELL: lambda d: i.Farewell(bool(d["heard"])),
}
