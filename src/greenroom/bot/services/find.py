"""Finds a service's class among Pipecat's, by its name, or anywhere by its import path."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import re
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

from loguru import logger
from pipecat import services as pipecat_services
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from greenroom.bot.services.problems import NotReady, Problem

_ROOT = pipecat_services.__name__
# What other classes are derived from.
_FOR_OTHERS = re.compile(r"_|Base[A-Z]")
_EXTRA = re.compile(r"pipecat-ai\[([\w,-]+)\]")


class Part(Enum):
    """What a service does in a conversation, by its field in the record."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"
    SPEECH_TO_SPEECH = "speechToSpeech"

    @property
    def base(self) -> type[AIService]:
        """What its class is derived from."""
        bases: dict[Part, Any] = {Part.STT: STTService, Part.TTS: TTSService}
        found: type[AIService] = bases.get(self, LLMService)
        return found

    @property
    def words(self) -> str:
        """What people call it."""
        match self:
            case Part.STT:
                return "speech recognition"
            case Part.LLM:
                return "language model"
            case Part.TTS:
                return "voice"
            case Part.SPEECH_TO_SPEECH:
                return "model that hears and speaks"

    @property
    def module(self) -> str:
        """What Pipecat calls the module of such a service."""
        return self.value if self.value in ("stt", "tts") else "llm"


def find(part: Part, service: str, path: str) -> type[AIService]:
    """The class that a record means.

    ``deepgram`` is the one in ``pipecat.services.deepgram.stt``, ``deepgram.flux`` the one in
    ``pipecat.services.deepgram.flux.stt``; a dotted name that Pipecat has not is a module of
    your own; ``package.module:Class`` says it all. Of several classes in a module, the one with
    the shortest name is meant: Pipecat calls variants by additions to it (``…HttpTTSService``).

    Args:
        part: What it is to do.
        service: As the record says.
        path: Where the record says so.

    Raises:
        NotReady: There is none, or what it needs is not installed.
    """
    name, _, wanted = service.partition(":")
    module = _import(part, name, path)
    if wanted:
        found = getattr(module, wanted, None)
        if not (inspect.isclass(found) and issubclass(found, part.base)):
            raise _not_ready(path, f"{name} has no {part.words} called {wanted}.")
        return found
    candidates = [
        one
        for one in vars(module).values()
        if inspect.isclass(one)
        and issubclass(one, part.base)
        and one.__module__ == module.__name__
        and not _FOR_OTHERS.match(one.__name__)
        and not inspect.isabstract(one)
    ]
    if not candidates:
        raise _not_ready(path, f"{name} has no {part.words}.")
    return min(candidates, key=lambda one: len(one.__name__))


def provider_of(cls: type[AIService]) -> str:
    """What Pipecat calls the provider; of a class of somebody else's, its package."""
    name = cls.__module__.removeprefix(f"{_ROOT}.")
    return name.partition(".")[0]


def _import(part: Part, name: str, path: str) -> ModuleType:
    for address in _addresses(part, name):
        if not _exists(address):
            continue
        try:
            return importlib.import_module(address)
        except ImportError as error:
            raise NotReady([_missing(address, name, path, error)]) from error
        except Exception as error:
            logger.warning(f"{address} cannot be imported: {type(error).__name__}")
            message = f"{name} breaks when it is loaded. Try it: python -c 'import {address}'"
            raise NotReady([Problem(path, "service_failed", message)]) from error
    known = known_names(part)
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(near)}? " if near else ""
    said = f"Pipecat has no {part.module} service called {name}."
    raise _not_ready(path, f"{said} {hint}Or name a class of yours: package.module:Class.")


def _addresses(part: Part, name: str) -> list[str]:
    """Where it may be, the likeliest first."""
    plain = name.replace("-", "_")
    if plain.startswith(f"{_ROOT}."):
        return [f"{plain}.{part.module}", plain]
    within = [f"{_ROOT}.{plain}.{part.module}"]
    if part is Part.SPEECH_TO_SPEECH:
        # The provider's other service is one of text.
        within = [f"{_ROOT}.{plain}.realtime.llm", *within]
    return [*within, plain] if "." in plain else within


def known_names(part: Part) -> list[str]:
    """The names of Pipecat's services that can do this."""
    folders = (one.name for one in pkgutil.iter_modules(pipecat_services.__path__) if one.ispkg)
    return [name for name in folders if _exists(f"{_ROOT}.{name}.{part.module}")]


def _exists(address: str) -> bool:
    try:
        return importlib.util.find_spec(address) is not None
    except (ImportError, ValueError):
        # A package on the way is missing, or its own import fails: then there is no such module.
        return False


def _missing(address: str, name: str, path: str, error: ImportError) -> Problem:
    """What to install, by the service's own words."""
    spec = importlib.util.find_spec(address)
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    named = _EXTRA.search(source)
    what = f'pip install "pipecat-ai[{named[1]}]"' if named else f"install what it needs ({error})"
    return Problem(path, "missing_extra", f"{name} is not installed with Greenroom: {what}.")


def _not_ready(path: str, message: str) -> NotReady:
    return NotReady([Problem(path, "unknown_service", message)])
