"""The two services that need no key: PocketSphinx for ears, espeak-ng for a voice."""

from __future__ import annotations

import functools
import re
from typing import Any

from greenroom.bot.dictation import Dictation
from greenroom.bot.espeak import Espeak, EspeakFailed, EspeakMissing, EspeakTTSService, Voice
from greenroom.bot.manner import VoiceWish, voice_of
from greenroom.bot.services.problems import NotReady, Problem
from greenroom.bot.sphinx import SphinxSTTService
from greenroom.bot.talking import ears
from greenroom.wire.assistants import BotRecord, OneService, VoiceRecord

MAX_PHRASES = 500
_dictation = functools.cache(Dictation)


def sphinx(one: OneService, path: str) -> SphinxSTTService:
    """Ears for the phrases that a record lists, or, if it lists none, for any English.

    Raises:
        NotReady: The settings are wrong, or the model does not know one of the words.
    """
    problems = _unknown(one.settings, {"phrases"}, path)
    phrases = one.settings.get("phrases")
    if phrases is None:
        if problems:
            raise NotReady(problems)
        return SphinxSTTService(grammar="", recogniser=_dictation())
    at = f"{path}.settings.phrases"
    if not isinstance(phrases, list) or not 0 < len(phrases) <= MAX_PHRASES:
        problems.append(Problem(at, "bad_setting", f"must be a list of 1 to {MAX_PHRASES} texts."))
        raise NotReady(problems)
    recogniser = ears()
    heard = []
    for index, phrase in enumerate(phrases):
        words = as_heard(phrase) if isinstance(phrase, str) else ""
        if not words or not recogniser.knows(words):
            message = "PocketSphinx's dictionary has not all of these words."
            problems.append(Problem(f"{at}.{index}", "bad_setting", message))
        heard.append(words)
    if problems:
        raise NotReady(problems)
    recogniser.take_meaning(str)
    return SphinxSTTService(grammar=grammar_of(heard), recogniser=recogniser)


def espeak(one: OneService, path: str, record: BotRecord, *, primary: bool) -> EspeakTTSService:
    """espeak-ng's voice, as the record's ``voice`` and these settings want it.

    Raises:
        NotReady: The settings are wrong, or it is not installed.
    """
    known = {"voice", "wordsPerMinute", "pitch", "speed"}
    problems = _unknown(one.settings, known, path)
    if problems:
        raise NotReady(problems)
    voice = record.voice if primary and record.voice is not None else VoiceRecord()
    said = {name: value for name, value in one.settings.items() if name != "voice"}
    wanted = record.model_copy(
        update={
            "voice": VoiceRecord(
                name=voice.name or one.settings.get("voice"),
                parameters={**said, **voice.parameters},
            )
        }
    )
    try:
        return EspeakTTSService(espeak=_speaker(voice_of(wanted, any_language=True)))
    except EspeakMissing as missing:
        raise NotReady([Problem(path, "missing_extra", missing.message)]) from missing
    except EspeakFailed as failed:
        message = f"espeak-ng does not speak with this voice. {failed.message}"
        raise NotReady([Problem(f"{path}.voice", "bad_setting", message)]) from failed


def reserve_voice(record: BotRecord) -> Espeak | None:
    """espeak-ng in the record's language, for what must be said when nobody else can.

    Returns:
        None if this machine has it not.
    """
    plain = record.model_copy(update={"voice": None})
    try:
        return espeak(OneService(service="espeak"), "tts", plain, primary=False).espeak
    except NotReady:
        return None


def grammar_of(phrases: list[str]) -> str:
    """JSGF for exactly these sentences."""
    return f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {' | '.join(phrases)};\n"


def as_heard(phrase: str) -> str:
    """A phrase as the recogniser tells it: lower-case words, without punctuation."""
    return " ".join(re.sub(r"[^a-z' ]", " ", phrase.lower()).split())


def _speaker(wish: VoiceWish) -> Espeak:
    speaker = Espeak(Voice(wish.name, wish.words_per_minute, wish.pitch))
    if wish.name != VoiceWish().name:
        speaker.prewarm(["Hello!"])  # else a voice that it has not is noticed in the call
    return speaker


def _unknown(settings: dict[str, Any], known: set[str], path: str) -> list[Problem]:
    return [
        Problem(f"{path}.settings.{name}", "bad_setting", "the built-in service has no such one.")
        for name in settings
        if name not in known
    ]
