"""What is taken out of people's words before they are kept: an application's hook says what."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from greenroom.errors import BadSetting
from greenroom.ports.effects import GivenContext, NewEffect
from greenroom.ports.store import (
    NewEvent,
)
from greenroom.session.facts import EffectKind
from greenroom.wire.events import EventType
from greenroom.wire.link import CommandKind
from greenroom.wire.tools import UI_NOTE
from greenroom.wire.translate import APP_PREFIXES

log = structlog.get_logger("greenroom.redaction")

Redact = Callable[[str], str]

# Instead of words that the hook has failed on: they might be the very ones.
WITHHELD = "[withheld]"
# What of our own events' data is no words. In an application's every text may be somebody's.
_NO_WORDS: dict[str, frozenset[str]] = {
    EventType.TRANSCRIPT.value: frozenset({"role"}),
    EventType.BOT_UNKNOWN.value: frozenset({"kind"}),
    EventType.TOOL_CALL.value: frozenset({"toolCallId", "tool", "name", "where"}),
    EventType.TOOL_RESULT.value: frozenset({"toolCallId", "tool", "name", "outcome"}),
    UI_NOTE: frozenset({"action"}),
}
# The same of a note, which stands within its event.
_NO_WORDS_OF_A_NOTE = frozenset({"id", "createdAt", "updatedAt"})


class Redaction:
    """Passes every word that somebody may have said through the application's hook.

    Transcripts (typed words among them), what tools are called with and say went wrong, and what a
    bot tells for the application: every text in it.
    The hook runs between decision and commit, so that what it takes out is neither stored nor told
    to a page or an application. The bot has heard it all the same.

    Args:
        redact: Text in, text out. It holds up everything, so it must be quick, and must not wait.
    """

    def __init__(self, redact: Redact | None = None) -> None:
        self._redact = redact

    def of(self, events: Sequence[NewEvent]) -> Sequence[NewEvent]:
        """The events as they may be kept."""
        if self._redact is None:
            return events
        return [
            NewEvent(event.type, self._data(event)) if _may_hold_words(event) else event
            for event in events
        ]

    def context_in(self, effect: NewEffect) -> GivenContext | None:
        """What an effect gives an assistant to know, as it may be kept; None: it gives nothing."""
        told = effect.payload
        if effect.kind is not EffectKind.TELL_BOT or told.get("kind") != CommandKind.CONTEXT.value:
            return None
        text: str = told["data"]["text"]
        kept = text if self._redact is None else self._text(text)
        return GivenContext(kept, by_page=told["data"].get("by") == "page")

    def _data(self, event: NewEvent) -> dict[str, Any]:
        data = self._but(_NO_WORDS.get(event.type, frozenset()), event.data)
        note = event.data.get("note")
        if event.type == UI_NOTE and isinstance(note, dict):
            data["note"] = self._but(_NO_WORDS_OF_A_NOTE, note)
        return data

    def _but(self, no_words: frozenset[str], data: dict[str, Any]) -> dict[str, Any]:
        """The data, with every text redacted but those of these names."""
        return {
            name: value if name in no_words else self._value(value) for name, value in data.items()
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {name: self._value(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._value(one) for one in value]
        return value

    def _text(self, text: str) -> str:
        assert self._redact is not None
        try:
            redacted = self._redact(text)
        except Exception as error:
            # Neither the words nor the error's own: it may repeat them.
            log.error("redaction.failed", error=type(error).__name__)
            return WITHHELD
        if not isinstance(redacted, str):
            log.error("redaction.failed", error=f"it returned {type(redacted).__name__}")
            return WITHHELD
        return redacted


def redaction_by(name: str | None) -> Redaction:
    """The redaction by a hook of this name, ``package.module:function``; None: there is none.

    Raises:
        BadSetting: There is no such function.
    """
    if not name:
        return Redaction()
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSetting(
            f"GREENROOM_REDACT is {name}, which cannot be imported ({error}). It names a function "
            "that takes a text and returns it as it may be kept: package.module:function"
        ) from error
    if not callable(found):
        raise BadSetting(f"GREENROOM_REDACT is {name}, which is no function.")
    return Redaction(found)


def _may_hold_words(event: NewEvent) -> bool:
    return event.type in _NO_WORDS or event.type.startswith(APP_PREFIXES)
