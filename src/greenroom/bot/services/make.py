"""Makes a record's services, with their keys, or says everything that is in the way."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from loguru import logger
from pipecat.services.ai_service import AIService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language

from greenroom.bot.espeak import EspeakTTSService
from greenroom.bot.services.builtin import espeak, sphinx
from greenroom.bot.services.find import Part, find, provider_of
from greenroom.bot.services.keys import Secrets, variable_of, variables_of
from greenroom.bot.services.openai_realtime import is_openai, speak_as_the_record_says
from greenroom.bot.services.problems import NotReady, Problem
from greenroom.bot.services.settings import (
    Placed,
    camel,
    fields_of,
    needed_by,
    parameters_of,
    place,
    settings_class,
)
from greenroom.wire.assistants import BotRecord, OneService, ServiceRecord
from greenroom.wire.secrets import is_secret_name

# A server of one's own (Ollama, llama.cpp, vLLM) wants none, and the client insists on one.
NO_KEY = "none"
_ABOUT_A_KEY = re.compile(r"api[_ ]?key|credential|auth|token", re.IGNORECASE)
T = TypeVar("T")


@dataclass
class Services:
    """A record's services, each with its fallbacks behind it; `close` when the call is over.

    Attributes:
        stt: Ears; none if the model hears by itself.
        llm: Minds, or models that hear and speak by themselves.
        tts: Voices; none if the model speaks by itself.
    """

    stt: list[AIService] = field(default_factory=list)
    llm: list[AIService] = field(default_factory=list)
    tts: list[AIService] = field(default_factory=list)
    connections: list[aiohttp.ClientSession] = field(default_factory=list)

    async def close(self) -> None:
        """Close the connections that services were given."""
        for connection in self.connections:
            await connection.close()


class Maker:
    """Makes the services of one record; needs a running loop.

    Args:
        record: Says which, and how.
        secrets: Has their keys.
        instruction: What the language model is told to be.
    """

    def __init__(
        self, record: BotRecord, secrets: Mapping[str, str] | None = None, instruction: str = ""
    ) -> None:
        self._record = record
        self._secrets = Secrets() if secrets is None else secrets
        self._instruction = instruction
        self._connections: list[aiohttp.ClientSession] = []

    async def make(self) -> Services:
        """Make them all.

        Raises:
            NotReady: With every problem that there is, and not only the first.
        """
        record, problems = self._record, list[Problem]()
        made = Services(connections=self._connections)
        if record.speech_to_speech is not None:
            made.llm = self._all(Part.SPEECH_TO_SPEECH, record.speech_to_speech, problems)
        else:
            made.stt = self._all(Part.STT, record.stt or ServiceRecord(service="sphinx"), problems)
            if record.llm is not None:
                made.llm = self._all(Part.LLM, record.llm, problems)
            made.tts = self._all(Part.TTS, record.tts or ServiceRecord(service="espeak"), problems)
        if problems:
            await made.close()
            raise NotReady(problems)
        return made

    def _all(self, part: Part, said: ServiceRecord, problems: list[Problem]) -> list[AIService]:
        made = []
        chain = [(said, part.value)] + [
            (one, f"{part.value}.fallbacks.{index}") for index, one in enumerate(said.fallbacks)
        ]
        for one, path in chain:
            try:
                made.append(self._one(part, one, path, primary=one is said))
            except NotReady as refusal:
                problems += refusal.problems
        return made

    def _one(self, part: Part, one: OneService, path: str, *, primary: bool) -> AIService:
        match part, one.service:
            case Part.STT, "sphinx":
                return sphinx(one, path)
            case Part.TTS, "espeak":
                return espeak(one, path, self._record, primary=primary)
        cls = find(part, one.service, f"{path}.service")
        placed, problems = place(cls, one.settings, f"{path}.settings")
        self._speak_as_the_record_says(cls, placed, problems, part, primary)
        if part is Part.SPEECH_TO_SPEECH and is_openai(cls):
            problems += speak_as_the_record_says(self._record, placed, path, primary=primary)
        problems += self._supply(cls, placed, path)
        if problems:
            raise NotReady(problems)
        return self._construct(cls, placed, path)

    def _speak_as_the_record_says(
        self, cls: type[AIService], placed: Placed, problems: list[Problem], part: Part,
        primary: bool,
    ) -> None:  # fmt: skip
        """Language to whoever has use for it; the voice to the first that speaks, its own."""
        fields = fields_of(cls)
        if (
            self._record.language
            and "language" in fields
            and issubclass(cls, STTService | TTSService)
        ):
            placed.fields.setdefault("language", language_of(self._record.language))
        if issubclass(cls, part.base) and part in (Part.LLM, Part.SPEECH_TO_SPEECH):
            if self._instruction and "system_instruction" in fields:
                told = placed.fields.get("system_instruction")
                both = [told, self._instruction] if isinstance(told, str) else [self._instruction]
                placed.fields["system_instruction"] = "\n\n".join(both)
            if part is Part.LLM or is_openai(cls):
                return
        voice = self._record.voice
        if part is Part.STT or voice is None or not primary:
            return
        if voice.name is not None:
            where = next((n for n in ("voice", "voice_id") if n in fields), None)
            known = where or next(
                (n for n in ("voice_id", "voice") if n in parameters_of(cls)), None
            )
            if known is None:
                message = f"{provider_of(cls)} takes no voice by name: choose it in the settings."
                problems.append(Problem("voice.name", "bad_setting", message))
            elif where:
                placed.fields[where] = voice.name
            else:
                placed.arguments[known] = voice.name
        spoken, wrong = place(cls, voice.parameters, "voice.parameters")
        placed.fields.update(spoken.fields)
        placed.arguments.update(spoken.arguments)
        problems += wrong

    def _supply(self, cls: type[AIService], placed: Placed, path: str) -> list[Problem]:
        """Add what no record says: keys, and a connection for those who ask for one."""
        problems = []
        needed, parameters = needed_by(cls), parameters_of(cls)
        for name in parameters:
            if name == "aiohttp_session" and name in needed:
                connection = aiohttp.ClientSession()
                self._connections.append(connection)
                placed.arguments[name] = connection
            elif name == "api_key":
                variables = self._variables(cls)
                key = next((self._secrets[v] for v in variables if v in self._secrets), None)
                own = "base_url" in placed.arguments and (name not in needed or is_openai(cls))
                if key is None and own:
                    has_one = isinstance(_default_of(cls, name), str)
                    key = None if has_one else NO_KEY
                if key is not None:
                    placed.arguments[name] = key
                elif name in needed:
                    problems.append(_missing_key(path, variables))
            elif name in needed and is_secret_name(name):
                variable = variable_of(provider_of(cls), name)
                if variable in self._secrets:
                    placed.arguments[name] = self._secrets[variable]
                else:
                    problems.append(_missing_key(path, [variable]))
        for name in needed:
            if name not in placed.arguments and not is_secret_name(name) and name != "settings":
                at = f"{path}.settings.{camel(name)}"
                problems.append(Problem(at, "bad_setting", f"{provider_of(cls)} needs it."))
        return problems

    def _construct(self, cls: type[AIService], placed: Placed, path: str) -> AIService:
        arguments = dict(placed.arguments)
        settings = settings_class(cls)
        if placed.fields and settings is not None:
            arguments["settings"] = settings(**placed.fields)
        try:
            return cls(**arguments)
        except Exception as error:
            if "api_key" not in placed.arguments and _ABOUT_A_KEY.search(str(error)):
                raise NotReady([_missing_key(path, self._variables(cls))]) from error
            # Its text may quote a key; its kind may not.
            logger.warning(f"{cls.__name__} cannot be made: {type(error).__name__}")
            message = f"{provider_of(cls)} does not begin with these settings; check them all."
            raise NotReady([Problem(path, "service_failed", message)]) from error

    def _variables(self, cls: type[AIService]) -> list[str]:
        module = inspect.getmodule(cls)
        return variables_of(provider_of(cls), inspect.getsource(module) if module else "")


def language_of(tag: str) -> Any:
    """A language as Pipecat knows it, whatever its case; the tag itself if it knows none."""
    found: Callable[[Language], bool] = lambda one: one.value.lower() == tag.lower()  # noqa: E731
    return next(filter(found, Language), tag)


def _missing_key(path: str, variables: list[str]) -> Problem:
    message = f"its key is missing: set {' or '.join(variables)} where the server is started."
    return Problem(f"{path}.service", "missing_key", message)


def _default_of(cls: type[AIService], name: str) -> Any:
    for one in cls.__mro__:
        if "__init__" in vars(one):
            parameter = inspect.signature(vars(one)["__init__"]).parameters.get(name)
            if parameter is not None:
                return parameter.default
    return None


async def revoiced(service: AIService, record: BotRecord) -> TTSSettings | None:
    """What makes a voice service speak as the record's ``voice`` says from now on.

    Returns:
        The change of its settings; None if it was made already, or cannot be made in a call.
    """
    if isinstance(service, EspeakTTSService):
        made = await asyncio.to_thread(
            espeak, OneService(service="espeak"), "tts", record, primary=True
        )
        service.take(made.espeak)
        return None
    cls, voice = type(service), record.voice
    settings = settings_class(cls)
    if voice is None or settings is None:
        return None
    placed, _ = place(cls, voice.parameters, "voice.parameters")
    if voice.name is not None and "voice" in fields_of(cls):
        placed.fields["voice"] = voice.name
    change: TTSSettings = settings(**placed.fields)
    return change


def respoken(model: AIService, record: BotRecord) -> LLMSettings | None:
    """What makes a model that speaks by itself do so as the record's ``voice`` says.

    OpenAI takes it until the model is first heard.

    Returns:
        The change of its settings; None if it cannot be made in a call.
    """
    cls, said = type(model), record.speech_to_speech
    settings = settings_class(cls)
    if said is None or settings is None or not is_openai(cls):
        return None
    placed, _ = place(cls, said.settings, "speechToSpeech.settings")
    if speak_as_the_record_says(record, placed, "speechToSpeech", primary=True):
        return None
    change: LLMSettings = settings(session_properties=placed.fields["session_properties"])
    return change
