"""What a customer's server is told of a call: from our stored events to VAPI's server messages.

One event may be told in two messages, as the last words of an utterance are: a transcript, and the
conversation that they are part of. Each is delivered by itself, so that a try that fails repeats
only what has not arrived; hence two lanes, of which each has at most one message for an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from greenroom.session.cost import cost_of
from greenroom.session.model import Session
from greenroom.session.prices import MICRO, usd
from greenroom.wire.events import EventType, SessionStatus
from greenroom.wire.vapi import messages as m
from greenroom.wire.vapi.calls import call_facts, call_of, ended_as, shown_assistant


class Told(Protocol):
    """A stored event, as far as it is needed here."""

    @property
    def seq(self) -> int:
        """Its number."""
        ...

    @property
    def at(self) -> float:
        """When, in seconds since the epoch."""
        ...

    @property
    def type(self) -> str:
        """What."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """The rest."""
        ...


class Lane(StrEnum):
    """Which of an event's two messages; also the name under which it is delivered."""

    AS_IT_HAPPENS = "vapi"
    SO_FAR = "vapi-so-far"


_Kind = m.MessageType
# What may become of an event, by lane.
KINDS: Mapping[Lane, Mapping[str, _Kind]] = {
    Lane.AS_IT_HAPPENS: {
        EventType.SESSION_STATUS: _Kind.STATUS,
        EventType.SESSION_END: _Kind.STATUS,
        EventType.TRANSCRIPT: _Kind.TRANSCRIPT,
        EventType.SPEECH_START: _Kind.SPEECH,
        EventType.SPEECH_END: _Kind.SPEECH,
        EventType.BOT_SPEAKING: _Kind.SPEECH,
        m.HANG: _Kind.HANG,
        m.TOOL_CALLS: _Kind.TOOL_CALLS,
    },
    Lane.SO_FAR: {
        EventType.TRANSCRIPT: _Kind.CONVERSATION,
        EventType.BOT_SPEAKING: _Kind.INTERRUPTED,
        EventType.SESSION_END: _Kind.REPORT,
    },
}
_STATUS = {
    SessionStatus.QUEUED: "queued",
    SessionStatus.CONNECTING: "ringing",
    SessionStatus.ACTIVE: "in-progress",
}


def asked_of_the_server(call: Mapping[str, Any]) -> Sequence[str]:
    """The messages that a call's server is to get, in VAPI's words."""
    assistant = call.get("assistant")
    asked = assistant.get("serverMessages") if isinstance(assistant, dict) else None
    return [kind.value for kind in m.DEFAULT_SERVER_MESSAGES] if asked is None else list(asked)


def is_told(lane: Lane, event_type: str, call: Mapping[str, Any]) -> bool:
    """Whether an event of this type may have a message in this lane for this call's server."""
    kind = KINDS[lane].get(event_type)
    return kind is not None and m.wanted(kind, asked_of_the_server(call))


@dataclass(slots=True)
class _Sofar:
    """What a call was like up to an event."""

    conversation: m.Conversation
    was_active: bool = False
    ended_as: str | None = None
    statuses: list[str] = field(default_factory=list)


def _sofar(session: Session, events: Iterable[Told]) -> _Sofar:
    found = _Sofar(m.Conversation(session.active_at or session.created_at))
    for event in events:
        match event.type:
            case EventType.TRANSCRIPT if event.data.get("final"):
                found.conversation.add(event.data["role"], event.data["text"], event.at)
            case EventType.SESSION_STATUS:
                found.statuses.append(_STATUS.get(event.data.get("status"), ""))  # type: ignore[arg-type]
            case m.ENDED_AS:
                found.ended_as = str(event.data.get("endedReason") or "") or None
    return found


def server_message(
    lane: Lane, session: Session, event: Told, before: Sequence[Told]
) -> dict[str, Any] | None:
    """The message that tells a customer's server of an event; None: there is none in this lane.

    Args:
        lane: Which of the event's messages.
        session: The session as it is now.
        event: What happened.
        before: Everything that happened before it, from the first event on.
    """
    call = call_of(session)
    if call is None or not is_told(lane, event.type, call):
        return None
    sofar = _sofar(session, before)
    if event.type == EventType.TRANSCRIPT and event.data.get("final"):
        sofar.conversation.add(event.data["role"], event.data["text"], event.at)
    told = _message(lane, session, event, sofar)
    if told is None or not _is_wanted(told, call):
        return None
    whole = {"timestamp": round(event.at * 1000), **told}
    whole.setdefault("artifact", _artifact(sofar.conversation, call))
    return {
        "message": {**whole, "call": call_shown(session), "assistant": shown_assistant(session)}
    }


def _is_wanted(told: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    final = told.get("transcriptType") != "partial"
    return m.wanted(_Kind(told["type"]), asked_of_the_server(call), final=final)


def _message(lane: Lane, session: Session, event: Told, sofar: _Sofar) -> m.Message | None:
    data = event.data
    match KINDS[lane][event.type]:
        case _Kind.STATUS if event.type == EventType.SESSION_END:
            return m.status_update("ended", m.ended_reason(data["reason"], sofar.ended_as))
        case _Kind.STATUS:
            status = _STATUS.get(data["status"])
            return m.status_update(status) if status and status not in sofar.statuses else None
        case _Kind.TRANSCRIPT:
            return m.transcript(data["role"], data["text"], final=data["final"])
        case _Kind.CONVERSATION:
            return sofar.conversation.update() if data["final"] else None
        case _Kind.SPEECH:
            return _speech(event, sofar.conversation.turns)
        case _Kind.INTERRUPTED:
            return m.user_interrupted() if data.get("interrupted") else None
        case _Kind.HANG:
            return m.hang()
        case _Kind.TOOL_CALLS:
            calls = m.calls_in(data)
            return m.tool_calls(calls) if calls else None
        case _Kind.REPORT:
            return end_of_call(session, sofar.conversation, sofar.ended_as)
    return None


def _speech(event: Told, turn: int) -> m.Message:
    if event.type == EventType.BOT_SPEAKING:
        return m.speech_update("assistant", speaking=event.data["speaking"], turn=turn)
    return m.speech_update("user", speaking=event.type == EventType.SPEECH_START, turn=turn)


# ---- the report, and a call as it is shown


def call_shown(session: Session) -> dict[str, Any]:
    """The call within a message."""
    facts = call_facts(session, session.ended_at or session.ending_at or session.created_at)
    shown = {"type": "webCall", **{_camel(name): told for name, told in facts.items()}}
    return {name: told for name, told in shown.items() if told is not None}


def end_of_call(
    session: Session, conversation: m.Conversation, told_reason: str | None
) -> dict[str, Any]:
    """The report at the end of a call, as VAPI has it."""
    call = call_of(session) or {}
    ended_at = session.ended_at or session.ending_at or session.created_at
    duration_s = session.duration_s(ended_at)
    facts = call_facts(session, ended_at)
    report = {
        "type": _Kind.REPORT.value,
        "endedReason": ended_as(session.reason, told_reason),
        "startedAt": facts["started_at"],
        "endedAt": facts["ended_at"],
        "durationMs": round(duration_s * 1000),
        "durationSeconds": round(duration_s, 3),
        "durationMinutes": round(duration_s / 60, 4),
        "transcript": conversation.transcript(),
        "messages": conversation.messages(),
        "analysis": {},
        "artifact": _artifact(conversation, call),
        **costs(session),
    }
    return {name: told for name, told in report.items() if told is not None}


def ended_call(session: Session, events: Iterable[Told]) -> dict[str, Any]:
    """What ``GET /call/{id}`` says of an ended call beside its facts, by `CallAnswer`'s names."""
    sofar = _sofar(session, events)
    told = costs(session)
    return {
        "ended_reason": ended_as(session.reason, sofar.ended_as),
        "cost": told["cost"],
        "cost_breakdown": told["costBreakdown"],
        "messages": sofar.conversation.messages(),
        "artifact": _artifact(sofar.conversation, call_of(session) or {}),
    }


def costs(session: Session) -> dict[str, Any]:
    """What a session has cost, in VAPI's three forms of it; US dollars.

    Where the bot runs is what ``vapi`` stands for there; and so does what has no name at VAPI.
    """
    cost = cost_of(session)
    by_name = dict.fromkeys(("transport", "stt", "llm", "tts", "vapi"), 0)
    for component, micro_usd in cost.components.items():
        name = {"room": "transport"}.get(component, component)
        by_name[name if name in by_name else "vapi"] += micro_usd
    breakdown: dict[str, float] = {name: usd(amount) for name, amount in by_name.items()}
    used = session.meter.quantities
    counted = {
        "llmPromptTokens": ("llm.prompt_tokens", "llm.audio_prompt_tokens"),
        "llmCompletionTokens": ("llm.completion_tokens", "llm.audio_completion_tokens"),
        "ttsCharacters": ("tts.characters",),
    }
    for name, lines in counted.items():
        breakdown[name] = sum(used.get(line, 0) for line in lines) / MICRO
    types = {"stt": "transcriber", "llm": "model", "tts": "voice"}
    return {
        "cost": usd(cost.micro_usd),
        "costBreakdown": {**breakdown, "total": usd(cost.micro_usd)},
        "costs": [
            {"type": types.get(name, name), "cost": usd(amount)} for name, amount in by_name.items()
        ],
    }


def _artifact(conversation: m.Conversation, call: Mapping[str, Any]) -> dict[str, Any]:
    variables = call.get("variableValues")
    return {
        "messages": conversation.messages(),
        "messagesOpenAIFormatted": conversation.openai(),
        "transcript": conversation.transcript(),
        **({"variableValues": variables} if variables else {}),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
