"""What is said in the room of a VAPI call, both ways: from a bot's reports, and from its page.

The bot answers the SDK's raw ``playable`` with a raw ``listening``; all else is JSON in strings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from greenroom.wire.link import ReportKind
from greenroom.wire.vapi import messages as m

MAX_TEXT_CHARS = 10_000
MAX_HEARD_CHARS = 64_000
# What a message without a role of its own may be: the conversation has no others.
ROLES = ("user", "assistant", "system", "developer")


@dataclass(frozen=True, slots=True)
class Playable:
    """The page plays the assistant's audio from now on."""


@dataclass(frozen=True, slots=True)
class Say:
    """The assistant is to say this.

    Attributes:
        text: What.
        ends: The call is over when it was said.
        interruptible: The user may interrupt it.
        interrupts: It does not wait for what is being said.
    """

    text: str
    ends: bool = False
    interruptible: bool = False
    interrupts: bool = False


@dataclass(frozen=True, slots=True)
class Add:
    """A message for the conversation. ``answered``: the assistant is to answer it."""

    role: str
    text: str
    answered: bool = True


@dataclass(frozen=True, slots=True)
class MuteAssistant:
    """The assistant goes on, heard or unheard."""

    muted: bool


@dataclass(frozen=True, slots=True)
class SayFirstMessage:
    """The assistant is to say its first message (again)."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """The page wants the end."""


Heard = Playable | Say | Add | MuteAssistant | SayFirstMessage | EndCall

_CONTROLS: Mapping[str, Heard] = {
    "mute-assistant": MuteAssistant(True),
    "unmute-assistant": MuteAssistant(False),
    "say-first-message": SayFirstMessage(),
}


def heard(message: Any) -> Heard | None:
    """What a page says by an app-message; None: nothing that is known, or nothing at all.

    Args:
        message: As it came: of VAPI's SDK a string, of others perhaps an object.
    """
    if message == m.PLAYABLE:
        return Playable()
    told = _object(message)
    match told.get("type"):
        case "say":
            return _say(told)
        case "add-message":
            return _add(told)
        case "control":
            return _CONTROLS.get(str(told.get("control")))
        case "end-call":
            return EndCall()
    return None


def _object(message: Any) -> Mapping[str, Any]:
    if isinstance(message, str) and len(message) <= MAX_HEARD_CHARS:
        try:
            message = json.loads(message)
        except (ValueError, RecursionError):
            return {}
    return message if isinstance(message, dict) else {}


def _say(told: Mapping[str, Any]) -> Say | None:
    text = _text(told.get("message"))
    if text is None:
        return None
    return Say(
        text,
        ends=told.get("endCallAfterSpoken") is True,
        interruptible=told.get("interruptionsEnabled") is True,
        interrupts=told.get("interruptAssistantEnabled") is True,
    )


def _add(told: Mapping[str, Any]) -> Add | None:
    message = told.get("message")
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        return None
    content = message.get("content")
    if isinstance(content, list):  # OpenAI's parts, of which the texts mean something here
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = " ".join(part for part in parts if isinstance(part, str))
    text = _text(content)
    if text is None:
        return None
    return Add(message["role"], text, answered=told.get("triggerResponseEnabled") is not False)


def _text(value: Any) -> str | None:
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) and value.strip() else None


class Script:
    """One call, as its page is told of it.

    Args:
        call: What the session's body says of the call.
        now: Seconds since the epoch.
    """

    def __init__(self, call: Mapping[str, Any], now: Callable[[], float]) -> None:
        self._now = now
        assistant = call.get("assistant")
        self._assistant: Mapping[str, Any] = assistant if isinstance(assistant, dict) else {}
        self._conversation = m.Conversation(now())
        phrases = self._assistant.get("endCallPhrases") or ()
        self._phrases = [str(phrase).casefold() for phrase in phrases]
        self.has_parted = False

    @property
    def first_message(self) -> str | None:
        """What the assistant is to begin with, if the page said so."""
        return self._assistant.get("firstMessage") or None

    @property
    def speaks_first(self) -> bool:
        """Whether the first message is said without being asked for."""
        mode = self._assistant.get("firstMessageMode")
        return self.first_message is not None and mode != "assistant-waits-for-user"

    @property
    def end_message(self) -> str | None:
        """What the assistant says before it ends the call."""
        return self._assistant.get("endCallMessage") or None

    def begun(self) -> list[str]:
        """What a page is told that has just come: that the call goes on."""
        return self._wanted([m.status_update("in-progress")])

    def ended(self, reason: str, told: str | None) -> list[str]:
        """What is told at the end; `greenroom.wire.vapi.messages.ended_reason` says by what."""
        return self._wanted([m.status_update("ended", m.ended_reason(reason, told))])

    def reported(self, kind: ReportKind, data: Mapping[str, Any]) -> list[str]:
        """What the page is told when the bot reports something."""
        return self._wanted(self._messages(kind, data))

    def _messages(self, kind: ReportKind, data: Mapping[str, Any]) -> list[m.Message]:
        match kind:
            case ReportKind.USER_SPEECH:
                return [self._speech("user", data["speaking"])]
            case ReportKind.BOT_SPEECH:
                cut = [m.user_interrupted()] if data.get("interrupted") else []
                return [self._speech("assistant", data["speaking"]), *cut]
            case ReportKind.TRANSCRIPT:
                return self._said(data)
            case ReportKind.APP:
                return self._app(str(data["type"]), data.get("data") or {})
        return []

    def _speech(self, role: m.Role, speaking: bool) -> m.Message:
        return m.speech_update(role, speaking=speaking, turn=self._conversation.turns)

    def _said(self, data: Mapping[str, Any]) -> list[m.Message]:
        role, text, final = data["role"], data["text"], data["final"]
        told = [m.transcript(role, text, final=final)]
        if not final:
            return told
        self._conversation.add(role, text, self._now())
        if role == "assistant":
            told.insert(0, m.model_output(text))
            self.has_parted |= any(phrase in text.casefold() for phrase in self._phrases)
        return [*told, self._conversation.update()]

    def _app(self, event: str, data: Mapping[str, Any]) -> list[m.Message]:
        if event == m.HANG:
            return [m.hang()]
        if event == m.TOOL_CALLS:
            return [m.tool_calls(m.calls_in(data))]
        if event == m.ENDED_AS:
            return []
        return [{"type": event, "data": dict(data)}]  # the application's own

    def _wanted(self, messages: list[m.Message]) -> list[str]:
        asked = self._assistant.get("clientMessages")
        names = [kind.value for kind in m.DEFAULT_CLIENT_MESSAGES] if asked is None else asked
        return [m.packed(message) for message in messages if _is_wanted(message, names)]


def _is_wanted(message: m.Message, names: list[str]) -> bool:
    try:
        kind = m.MessageType(message["type"])
    except ValueError:
        return True  # what the application itself tells its page
    return m.wanted(kind, names, final=message.get("transcriptType") != "partial")
