"""What a language model is told to be, and how the user is greeted: made of a record."""

from __future__ import annotations

import re
from typing import Any

from greenroom.wire.assistants import BotRecord

# In a start's body: what the user wants to be called. Nothing else is taken for a name.
NAME_KEY = "userName"
MAX_NAME_CHARS = 80
PLACE_OF_THE_NAME = "{{userName}}"
_GREETING = re.compile(
    r"(hello|hi|hey|welcome|good (?:morning|afternoon|evening|day))(?=[\s,.!?]|$)", re.IGNORECASE
)
_MANNERS = (
    "You speak with the user: what you write is read aloud. Answer briefly, in plain sentences, "
    "without lists, headings, markup or emoji. What you hear may have been misheard."
)


def name_of(body: dict[str, Any]) -> str | None:
    """What the user wants to be called, if whoever started the session has said it."""
    name = body.get(NAME_KEY)
    if not isinstance(name, str):
        return None
    plain = " ".join(name.split())[:MAX_NAME_CHARS]
    return plain or None


def instruction_of(record: BotRecord, name: str | None) -> str:
    """The system prompt: who to be, how to speak, in which language, and with whom."""
    parts = [record.persona, record.personality, _MANNERS]
    if record.language:
        parts.append(f"Speak the language {record.language} (BCP 47), unless asked for another.")
    if name is not None:
        # A name is data that somebody else has typed.
        parts.append(
            f"The user wants to be called {_quoted(name)}. They were greeted by that name once "
            "already; use it rarely."
        )
    return "\n\n".join(part.strip() for part in parts if part and part.strip())


def greeting_of(record: BotRecord, name: str | None) -> str | None:
    """What is said first, with the user's name in it once, if that is known.

    It stands where the record has ``{{userName}}``; else behind the greeting that the message
    begins with; else in a greeting before it.

    Returns:
        None if the record has no first message.
    """
    message = record.first_message
    if not message:
        return None
    if PLACE_OF_THE_NAME in message:
        return _filled(message, name)
    if name is None:
        return message
    begins = _GREETING.match(message)
    if begins is None:
        return f"Hello {name}! {message}"
    return f"{begins[0]} {name}{message[begins.end() :]}"


def welcome_back(name: str | None) -> str:
    """Said when the user is back within the window."""
    return f"Welcome back, {name}." if name else "Welcome back."


def _filled(message: str, name: str | None) -> str:
    if name is not None:
        before, _, after = message.partition(PLACE_OF_THE_NAME)
        return before + name + after.replace(PLACE_OF_THE_NAME, "")
    # “Hello {{userName}}!” without a name is “Hello!”
    return re.sub(rf"[ ,]*{re.escape(PLACE_OF_THE_NAME)}", "", message).strip()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "'") + '"'
