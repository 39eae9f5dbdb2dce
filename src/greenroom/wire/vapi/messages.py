"""What a VAPI call says while it runs, as plain JSON objects; nothing here knows who carries them.

The web SDK and a customer's server get the same messages; those to a server have the call, the
assistant and an artifact around them (`greenroom.wire.vapi.reports`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal

Message = dict[str, Any]
Role = Literal["user", "assistant"]

# The SDK plays nobody's audio but this participant's.
SPEAKER = "Vapi Speaker"
# Not JSON: the SDK can hear us, and we can hear it. The second fires its `call-start`.
PLAYABLE = "playable"
LISTENING = "listening"
# Where a session's body says that it is a VAPI call, and how.
BODY_KEY = "vapi"
# What a bot reports of such a call beside what every bot does; told to nobody's page as it is.
ENDED_AS = "app.vapi.ended"  # {endedReason}: why, where our own reason does not say it
HANG = "app.vapi.hang"  # {}: the assistant keeps its user waiting
TOOL_CALLS = "app.vapi.tool-calls"  # {toolCallList}: the bot asks the customer's server

# Daily refuses an app-message above 4 KB; a JSON string is one character in a hundred longer.
MAX_APP_MESSAGE_BYTES = 3_900


class MessageType(StrEnum):
    """The messages that there are here, of VAPI's."""

    STATUS = "status-update"
    TRANSCRIPT = "transcript"
    CONVERSATION = "conversation-update"
    SPEECH = "speech-update"
    INTERRUPTED = "user-interrupted"
    MODEL_OUTPUT = "model-output"
    HANG = "hang"
    TOOL_CALLS = "tool-calls"
    TOOL_RESULTS = "tool-calls-result"
    REPORT = "end-of-call-report"


FINAL_ONLY = "transcript[transcriptType='final']"
"""Another name for transcripts, of which only the last of an utterance is wanted."""

# What VAPI sends if nobody says what is wanted, as far as it is known here.
DEFAULT_CLIENT_MESSAGES = (
    MessageType.STATUS,
    MessageType.TRANSCRIPT,
    MessageType.CONVERSATION,
    MessageType.SPEECH,
    MessageType.INTERRUPTED,
    MessageType.MODEL_OUTPUT,
    MessageType.HANG,
    MessageType.TOOL_CALLS,
)
DEFAULT_SERVER_MESSAGES = (
    MessageType.STATUS,
    MessageType.CONVERSATION,
    MessageType.SPEECH,
    MessageType.INTERRUPTED,
    MessageType.HANG,
    MessageType.TOOL_CALLS,
    MessageType.REPORT,
)
CLIENT_MESSAGES = frozenset(
    {*(kind.value for kind in MessageType if kind is not MessageType.REPORT), FINAL_ONLY}
)
SERVER_MESSAGES = frozenset(
    {*(kind.value for kind in MessageType if kind is not MessageType.TOOL_RESULTS), FINAL_ONLY}
)

ENDED_REASONS: Mapping[str, str] = {
    "user": "customer-ended-call",
    "goodbye": "assistant-ended-call",
    "idle": "silence-timed-out",
    "max_duration": "exceeded-max-duration",
    "paused_too_long": "silence-timed-out",
    "budget": "manually-canceled",
    "queue_timeout": "call.start.error-subscription-concurrency-limit-reached",
    "busy": "call.start.error-subscription-concurrency-limit-reached",
    "left": "customer-ended-call",
    "no_show": "customer-did-not-answer",
    "kicked": "manually-canceled",
    "emergency": "manually-canceled",
    "server_drain": "worker-shutdown",
    "launch_failed": "call.in-progress.error-vapifault-worker-not-available",
    "bot_never_joined": "assistant-join-timed-out",
    "bot_left": "assistant-ended-call",
    "bot_crashed": "call.in-progress.error-vapifault-worker-died",
    "lost": "call.in-progress.error-vapifault-worker-died",
}
"""VAPI's word for each of our reasons to end (`greenroom.session.model.EndReason`)."""

AFTER_MESSAGE = "assistant-ended-call-after-message-spoken"
AFTER_PHRASE = "assistant-said-end-call-phrase"


def wanted(kind: MessageType, names: Iterable[str], *, final: bool = True) -> bool:
    """Whether a message is among those that somebody asked for.

    Args:
        kind: Which message.
        names: What was asked for, in VAPI's words.
        final: Of a transcript: nothing more comes of this utterance.
    """
    asked = set(names)
    if kind is MessageType.TRANSCRIPT and FINAL_ONLY in asked and final:
        return True
    return kind.value in asked


def status_update(status: str, ended_reason: str | None = None) -> Message:
    """The call stands otherwise now: ``queued``, ``ringing``, ``in-progress``, ``ended``."""
    ended = {"endedReason": ended_reason} if ended_reason else {}
    return {"type": MessageType.STATUS.value, "status": status, **ended}


def transcript(role: Role, text: str, *, final: bool) -> Message:
    """Words of one side."""
    return {
        "type": MessageType.TRANSCRIPT.value,
        "role": role,
        "transcriptType": "final" if final else "partial",
        "transcript": text,
    }


def speech_update(role: Role, *, speaking: bool, turn: int) -> Message:
    """Somebody begins or stops to speak."""
    status = "started" if speaking else "stopped"
    return {"type": MessageType.SPEECH.value, "status": status, "role": role, "turn": turn}


def user_interrupted() -> Message:
    """The user spoke, and the assistant fell silent."""
    return {"type": MessageType.INTERRUPTED.value}


def model_output(text: str) -> Message:
    """What the assistant is about to say."""
    return {"type": MessageType.MODEL_OUTPUT.value, "output": text}


def hang() -> Message:
    """The assistant keeps its user waiting."""
    return {"type": MessageType.HANG.value}


def calls_in(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls that a bot reports, ``{id, name, arguments}`` each; the rest is left out."""
    found = data.get("toolCallList")
    return [
        {"id": call["id"], "name": call["name"], "arguments": call.get("arguments") or {}}
        for call in (found if isinstance(found, list) else [])
        if isinstance(call, dict)
        and isinstance(call.get("id"), str)
        and isinstance(call.get("name"), str)
    ]


def tool_calls(calls: list[dict[str, Any]]) -> Message:
    """The assistant wants something done; see `calls_in`."""
    listed = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
            "name": call["name"],
            "arguments": call["arguments"],
            "parameters": call["arguments"],
        }
        for call in calls
    ]
    return {
        "type": MessageType.TOOL_CALLS.value,
        "toolCallList": listed,
        "toolWithToolCallList": [
            {
                "type": "function",
                "name": one["name"],
                "function": {"name": one["name"]},
                "toolCall": one,
            }
            for one in listed
        ],
    }


class Conversation:
    """What was said so far, in the shapes that VAPI has for it.

    Args:
        began_at: When the conversation began, in seconds since the epoch.
    """

    def __init__(self, began_at: float) -> None:
        self._began_at = began_at
        self._said: list[tuple[Role, str, float]] = []

    def add(self, role: Role, text: str, at: float) -> None:
        """Note words that nothing more comes of."""
        self._said.append((role, text, at))

    @property
    def turns(self) -> int:
        """How often the side that speaks has changed."""
        roles = [role for role, _, _ in self._said]
        return sum(1 for before, role in itertools.pairwise(roles) if before != role)

    def messages(self) -> list[dict[str, Any]]:
        """Each utterance, in VAPI's own form; the assistant is called ``bot`` in it."""
        return [
            {
                "role": "bot" if role == "assistant" else role,
                "message": text,
                "time": round(at * 1000),
                "endTime": round(at * 1000),
                "secondsFromStart": round(max(0.0, at - self._began_at), 3),
            }
            for role, text, at in self._said
        ]

    def openai(self) -> list[dict[str, str]]:
        """The same in OpenAI's form."""
        return [{"role": role, "content": text} for role, text, _ in self._said]

    def transcript(self) -> str:
        """The same as one text."""
        names = {"assistant": "AI", "user": "User"}
        return "".join(f"{names[role]}: {text}\n" for role, text, _ in self._said)

    def update(self) -> Message:
        """The whole conversation, after something was added."""
        return {
            "type": MessageType.CONVERSATION.value,
            "conversation": self.openai(),
            "messages": self.messages(),
            "messagesOpenAIFormatted": self.openai(),
        }


def packed(message: Message) -> str:
    """A message as the string that Daily carries, small enough for it.

    Of a conversation the oldest utterances are left out, of a text the end; ``truncated`` says so.
    """
    text = _json(message)
    while len(text.encode()) > MAX_APP_MESSAGE_BYTES:
        message = _shorter(message)
        text = _json(message)
    return text


def _shorter(message: Message) -> Message:
    told = {**message, "truncated": True}
    listed = ("conversation", "messages", "messagesOpenAIFormatted")
    if "conversation" in message:
        kept = len(message["conversation"]) // 2
        shorter = {name: message[name][-kept:] for name in listed} if kept else {}
        return {**told, **(shorter or {name: [_cut(message[name][-1])] for name in listed})}
    for name in ("transcript", "output"):
        if isinstance(message.get(name), str):
            return {**told, name: message[name][: len(message[name]) * 3 // 4]}
    return {"type": message.get("type"), "truncated": True}


def _cut(utterance: dict[str, Any]) -> dict[str, Any]:
    name = "content" if "content" in utterance else "message"
    return {**utterance, name: utterance[name][: len(utterance[name]) * 3 // 4]}


def _json(message: Message) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def ended_reason(reason: str, told: str | None = None) -> str:
    """VAPI's word for the end of a call.

    Args:
        reason: Ours; see `ENDED_REASONS`.
        told: What the bot said of it, if anything: it counts where the assistant ended the call.
    """
    by_assistant = reason in ("goodbye", "bot_left")
    return told if told and by_assistant else ENDED_REASONS.get(reason, "unknown-error")
