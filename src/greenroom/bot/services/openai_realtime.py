"""What is OpenAI's own about a model that hears and speaks by itself: its Realtime API."""

from __future__ import annotations

import re
from typing import Any

from pipecat.frames.frames import ErrorFrame

from greenroom.bot.services.problems import Problem
from greenroom.bot.services.settings import Placed
from greenroom.wire.assistants import BotRecord

_MODULE = "pipecat.services.openai.realtime.llm"
_PROPERTIES = "session_properties"
# Below this a breath would end a turn.
LEAST_SILENCE_MS = 200
# A response that failed has OpenAI's sentence; what ends the connection has one of these.
_OF_THE_CONNECTION = re.compile(r"Error|no answer in time")


def is_openai(service: Any) -> bool:
    """Whether a service, or the class of one, speaks OpenAI's Realtime API."""
    cls = service if isinstance(service, type) else type(service)
    return any(one.__module__ == _MODULE for one in cls.__mro__)


def ends_connection(error: ErrorFrame) -> bool:
    """Whether after this error Pipecat's service hears nothing more: it does not connect again."""
    return _OF_THE_CONNECTION.match(error.error) is not None


def cannot_connect(error: ErrorFrame) -> bool:
    """Whether it is that a new connection was refused, or came to nothing."""
    return error.error.startswith("Error connecting")


def is_answering(service: Any) -> bool:
    """Whether an answer was begun, at its server at least; one that is asked for comes after it."""
    return bool(service._response_active)


async def stop_answering(service: Any) -> None:
    """Have the model stop; when the user speaks it does so by itself."""
    from pipecat.services.openai.realtime import events

    await service.send_client_event(events.ResponseCancelEvent())


def forget_what_is_heard(service: Any) -> None:
    """An interruption is no more to cut short what is being heard: a new session knows it not.

    It would refuse that, and after any refusal Pipecat's service hears nothing more.
    """
    service._current_audio_response = None


def owe_an_answer(service: Any) -> None:
    """It was asked. Pipecat's service forgets that where its session knows no conversation yet.

    So it is after a connection was lost, as long as only the user has spoken in the new one.
    """
    service._results_awaiting_response = True


async def tell_as_user(service: Any, text: str) -> None:
    """Put words into the conversation as the user's; Pipecat would have them the application's."""
    from pipecat.services.openai.realtime import events

    content = [events.ItemContent(type="input_text", text=text)]
    item = events.ConversationItem(type="message", role="user", content=content)
    await service.send_client_event(events.ConversationItemCreateEvent(item=item))


def speak_as_the_record_says(
    record: BotRecord, placed: Placed, path: str, *, primary: bool
) -> list[Problem]:
    """Turns, transcripts and the voice, where the settings do not say otherwise.

    Args:
        record: Says how.
        placed: The service's settings. Side effect: they are completed.
        path: Where the record has them.
        primary: Whether the record's voice is this service's.

    Returns:
        What cannot be.
    """
    from pipecat.services.openai.realtime import events

    said: events.SessionProperties = placed.fields.get(_PROPERTIES) or events.SessionProperties()
    # The record stays as it is: another service may be made of it.
    properties = said.model_copy(deep=True)
    placed.fields[_PROPERTIES] = properties
    audio = properties.audio = properties.audio or events.AudioConfiguration()
    heard = audio.input = audio.input or events.AudioInput()
    spoken = audio.output = audio.output or events.AudioOutput()
    if heard.turn_detection is False:
        message = "turn_detection: without it nobody would notice that the user has finished."
        return [Problem(f"{path}.settings.sessionProperties", "bad_setting", message)]
    if heard.turn_detection is None:
        heard.turn_detection = _turns(record)
    if heard.transcription is None:
        # Without it nobody but the model would know what the user says.
        language = record.language.partition("-")[0].lower() if record.language else None
        heard.transcription = events.InputAudioTranscription(language=language)
    voice = record.voice
    if voice is None or not primary:
        return []
    if voice.name is not None:
        spoken.voice = voice.name
    problems = []
    for name, value in voice.parameters.items():
        if name == "speed" and isinstance(value, int | float) and 0.25 <= value <= 1.5:
            spoken.speed = value
        else:
            message = "a model of OpenAI's that speaks takes speed only, from 0.25 to 1.5."
            problems.append(Problem(f"voice.parameters.{name}", "bad_setting", message))
    return problems


def _turns(record: BotRecord) -> Any:
    from pipecat.services.openai.realtime import events

    if record.turns.detection == "model":
        return events.SemanticTurnDetection(
            create_response=True, interrupt_response=record.turns.interruptible
        )
    silence_ms = max(LEAST_SILENCE_MS, round(record.turns.silence_s * 1000))
    return events.TurnDetection(silence_duration_ms=silence_ms)
