"""What the built-in assistant makes of a record: its words, its voice, and when it asks again."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from greenroom.bot.deck import COMMAND_PHRASES, Command, meaning
from greenroom.wire.assistants import BotRecord, IdlePrompts

log = structlog.get_logger("greenroom.bot.manner")

GREETING = "Hello!"
# espeak-ng at its own pace, and what it can do.
WORDS_PER_MINUTE = 150
SLOWEST, FASTEST = 80, 450
_VOICE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Manner:
    """How the cards are asked.

    Attributes:
        first_message: Said before the first question.
        end_message: Said at the end instead of the score; None: the score is said.
        end_phrases: What ends the conversation besides the usual goodbyes: lower-case words.
        idle: What is said when the user says nothing; None: nothing is.
    """

    first_message: str = GREETING
    end_message: str | None = None
    end_phrases: tuple[str, ...] = ()
    idle: IdlePrompts | None = None

    def meaning(self, text: str) -> Hashable | None:
        """As `greenroom.bot.deck.meaning`, and the end phrases are goodbyes."""
        return Command.GOODBYE if text in self.end_phrases else meaning(text)

    def heard_by(self, knows: Callable[[str], bool]) -> Manner:
        """The same, listening only for phrases whose words the recogniser knows."""
        unheard = [phrase for phrase in self.end_phrases if not knows(phrase)]
        if unheard:
            # Which they are stands in the record; logs hold nothing of what may be said.
            log.warning("record.end_phrases_unheard", count=len(unheard))
        heard = tuple(phrase for phrase in self.end_phrases if phrase not in unheard)
        return replace(self, end_phrases=heard)


@dataclass(frozen=True, slots=True)
class VoiceWish:
    """Which of espeak-ng's voices a record wants, and how it is to speak."""

    name: str = "en-us"
    words_per_minute: int = WORDS_PER_MINUTE
    pitch: int = 50


def manner_of(record: BotRecord) -> Manner:
    """How a record wants the cards asked."""
    phrases = (_as_heard(phrase) for phrase in record.end_phrases)
    new = tuple(dict.fromkeys(p for p in phrases if p and p not in COMMAND_PHRASES))
    return Manner(
        first_message=record.first_message or GREETING,
        end_message=record.end_message,
        end_phrases=new,
        idle=record.idle_prompts,
    )


def voice_of(record: BotRecord, *, any_language: bool = False) -> VoiceWish:
    """The voice that a record wants: by name, or by its language if that is a kind of English.

    The cards are written in English, and so is the recogniser's model: nothing else is spoken.
    Others say whatever they like: `any_language`.
    """
    wish = VoiceWish()
    language = (record.language or "").lower()
    if language.startswith("en-") or (any_language and language not in ("", "en")):
        wish = replace(wish, name=language)
    elif language not in ("", "en"):
        log.warning("record.language_not_spoken", language=language)
    if record.voice is None:
        return wish
    name, wanted = record.voice.name, record.voice.parameters
    if name is not None and _VOICE_NAME.fullmatch(name):
        wish = replace(wish, name=name)
    pace = _number(wanted, "wordsPerMinute", WORDS_PER_MINUTE * _number(wanted, "speed", 1.0))
    pitch = _number(wanted, "pitch", wish.pitch)
    return replace(
        wish,
        words_per_minute=round(min(FASTEST, max(SLOWEST, pace))),
        pitch=round(min(99, max(0, pitch))),
    )


def _number(parameters: dict[str, Any], name: str, default: float) -> float:
    value = parameters.get(name, default)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _as_heard(phrase: str) -> str:
    """A phrase as the recogniser tells it: lower-case words, without punctuation."""
    return " ".join(re.sub(r"[^a-z' ]", " ", phrase.lower()).split())
