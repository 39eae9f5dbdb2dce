"""Pipecat's services made of records: found, furnished, and everything that is missing named."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pipecat import services
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language

from greenroom.bot.dictation import Dictation
from greenroom.bot.services.check import check
from greenroom.bot.services.failover import Failover
from greenroom.bot.services.find import Part, find, known_names
from greenroom.bot.services.keys import Secrets, variables_of
from greenroom.bot.services.make import Maker
from greenroom.bot.services.problems import NotReady, Problem
from greenroom.wire.assistants import BotRecord
from greenroom.wire.secrets import is_secret_name
from tests.bot.speech import spoken

# Such as “OpenAILLMService” or “ValueError”.
A_CLASS = re.compile(r"[a-z](Service|Error|Settings)\b")
OPENAI = {"service": "openai", "settings": {"model": "small", "baseUrl": "http://127.0.0.1:1/v1"}}


class OwnTTSService(TTSService):
    """A service of the application's own."""

    async def run_tts(self, text: str, context_id: str) -> Any:
        yield None


@pytest.mark.parametrize(
    ("part", "service", "name"),
    [
        (Part.LLM, "openai", "OpenAILLMService"),
        (Part.LLM, "ollama", "OLLamaLLMService"),
        (Part.TTS, "cartesia", "CartesiaTTSService"),
        (Part.TTS, "elevenlabs", "ElevenLabsTTSService"),
        (Part.STT, "openai", "OpenAISTTService"),
        (Part.STT, "pipecat.services.cartesia.stt", "CartesiaSTTService"),
        (Part.STT, "cartesia.turns", "CartesiaTurnsSTTService"),
        (
            Part.TTS,
            "pipecat.services.cartesia.tts:CartesiaHttpTTSService",
            "CartesiaHttpTTSService",
        ),
        (Part.TTS, f"{__name__}:OwnTTSService", "OwnTTSService"),
        (Part.TTS, __name__, "OwnTTSService"),
        (Part.SPEECH_TO_SPEECH, "openai", "OpenAIRealtimeLLMService"),
        (Part.SPEECH_TO_SPEECH, "ultravox", "UltravoxRealtimeLLMService"),
    ],
)
def test_a_name_or_a_path_means_one_class(part: Part, service: str, name: str) -> None:
    assert find(part, service, "x").__name__ == name


def test_every_service_of_pipecats_is_found_or_its_extra_is_named() -> None:
    # In a process of its own: it imports everything that Pipecat has for it.
    look = """
import json
from greenroom.bot.services.find import Part, find, known_names
from greenroom.bot.services.problems import NotReady
def look(part, name):
    try:
        return find(part, name, name).__name__
    except NotReady as refusal:
        return refusal.problems[0].code
print(json.dumps({f"{p.value} {n}": look(p, n) for p in list(Part)[:3] for n in known_names(p)}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", look], capture_output=True, check=True, timeout=100
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 60
    # Its module is only an old name for another's.
    assert [name for name, what in found.items() if what == "unknown_service"] == ["llm grok"]


async def _problems(secrets: dict[str, str] | None = None, **record: Any) -> list[Problem]:
    whole = BotRecord.model_validate({"name": "mary", "llm": OPENAI, **record})
    try:
        made = await Maker(whole, secrets or {}).make()
    except NotReady as refusal:
        return refusal.problems
    await made.close()
    return []


@pytest.mark.parametrize(
    ("record", "code", "path", "says"),
    [
        ({"llm": {"service": "opennai"}}, "unknown_service", "llm.service", "Did you mean openai?"),
        ({"llm": {"service": "os.path:join"}}, "unknown_service", "llm.service", "no language mod"),
        ({"stt": {"service": "whisper"}}, "missing_extra", "stt.service", "pipecat-ai[whisper]"),
        ({"tts": {"service": "elevenlabs"}}, "missing_key", "tts.service", "ELEVENLABS_API_KEY"),
        ({"stt": {"service": "fal"}}, "missing_key", "stt.service", "FAL_KEY"),
        ({"llm": {"service": "openai"}}, "missing_key", "llm.service", "OPENAI_API_KEY"),
        (
            {"llm": {**OPENAI, "settings": {"apiKey": "x"}}},
            "bad_setting",
            "llm.settings.apiKey",
            "from the environment",
        ),
        (
            {"stt": {"service": "greenroom.bot.persona"}},
            "unknown_service",
            "stt.service",
            "no speech recognition",
        ),
        ({"llm": {"service": "azure"}}, "bad_setting", "llm.settings.endpoint", "needs it"),
        (
            {"llm": {**OPENAI, "settings": {"temperature": "hot"}}},
            "bad_setting",
            "llm.settings.temperature",
            "valid number",
        ),
        (
            {"llm": {**OPENAI, "settings": {"temprature": 1}}},
            "bad_setting",
            "llm.settings.temprature",
            "no such setting. Did you mean temperature?",
        ),
        (
            {"llm": {**OPENAI, "fallbacks": [{"service": "nobody"}]}},
            "unknown_service",
            "llm.fallbacks.0.service",
            "called nobody",
        ),
        (
            {"stt": {"service": "sphinx", "settings": {"phrases": ["yes", "xqzzy"]}}},
            "bad_setting",
            "stt.settings.phrases.1",
            "dictionary",
        ),
        (
            {"tts": {"service": "espeak", "settings": {"speling": 1}}},
            "bad_setting",
            "tts.settings.speling",
            "no such",
        ),
    ],
)
async def test_what_is_wrong_is_told_by_its_path(
    record: dict[str, Any], code: str, path: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = await _problems(**record)
    assert (path, code) in [(one.path, one.code) for one in found]
    assert any(says in one.message for one in found)
    for one in found:
        assert not A_CLASS.search(one.message), "nobody who reads it can do anything with it"


async def test_every_problem_is_told_at_once_and_no_key_in_any() -> None:
    found = await _problems(
        {"OPENAI_API_KEY": "sk-hidden"},
        stt={"service": "openai", "settings": {"languish": "en"}},
        tts={"service": "openai", "settings": {"speed": "fast"}},
        voice={"name": "nova", "parameters": {"colour": "red"}},
    )
    paths = [one.path for one in found]
    assert paths == ["stt.settings.languish", "tts.settings.speed", "voice.parameters.colour"]
    assert "sk-hidden" not in str(found)


async def test_settings_voice_language_and_instruction_end_where_they_belong() -> None:
    record = BotRecord.model_validate(
        {
            "name": "mary",
            "language": "de-de",
            "llm": {
                **OPENAI,
                "settings": {**OPENAI["settings"], "temperature": 0.4, "retryTimeoutSecs": 2},  # type: ignore[dict-item]
            },
            "stt": {"service": "openai"},
            "tts": {"service": "openai", "fallbacks": [{"service": "espeak"}]},
            "voice": {"name": "nova", "parameters": {"speed": 1.1}},
        }
    )
    made = await Maker(record, {"OPENAI_API_KEY": "sk-x"}, instruction="Be Mary.").make()
    llm: Any
    stt: Any
    (llm,), (stt,) = made.llm, made.stt
    tts: Any = made.tts[0]
    assert (llm._settings.model, llm._settings.temperature) == ("small", 0.4)
    assert llm._settings.system_instruction == "Be Mary."
    assert llm._retry_timeout_secs == 2
    assert (llm._client.api_key, str(llm._client.base_url)) == ("sk-x", "http://127.0.0.1:1/v1/")
    assert stt._settings.language == Language.DE_DE or stt._settings.language == "de"
    assert (tts._settings.voice, tts._settings.speed) == ("nova", 1.1)
    assert len(made.tts) == 2


async def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert await _problems() == []


class OwnCloudTTSService(OwnTTSService):
    """A service that wants more than one secret, as Amazon's do."""

    def __init__(self, *, access_key_id: str, secret_access_key: str) -> None:
        super().__init__()
        self.given = (access_key_id, secret_access_key)


async def test_further_secrets_come_from_the_environment_and_from_no_record() -> None:
    variables = {"TESTS_ACCESS_KEY_ID": "AK", "TESTS_SECRET_ACCESS_KEY": "SK"}
    own = {"service": f"{__name__}:OwnCloudTTSService"}
    record = BotRecord.model_validate({"name": "mary", "llm": OPENAI, "tts": own})
    made = await Maker(record, variables).make()
    [voice] = made.tts
    await made.close()
    assert isinstance(voice, OwnCloudTTSService)
    assert voice.given == ("AK", "SK")
    missing = await _problems({}, tts=own)
    assert [one.code for one in missing] == ["missing_key", "missing_key"]
    for variable in variables:
        assert variable in str(missing)
    said = {**own, "settings": {"secretAccessKey": "SK"}}
    assert "from the environment" in (await _problems(variables, tts=said))[0].message


# Names that sound like a secret's in Pipecat's constructors, and hold none. When a new version
# brings another, somebody has to look at it.
_HOLD_NO_SECRET = {
    "auth_type",  # which kind of header
    "keyterms",  # words to listen for
    "private_endpoint",  # an address
    "session_key",  # names a conversation
    "voice_cloning_key",  # names a voice
}
_SOUNDS_SECRET = re.compile(r"key|secret|token|credential|passw|passphrase|auth|private_|bearer")


def test_no_secret_of_pipecats_services_may_stand_in_a_record() -> None:
    of_constructors, of_settings = set(), set()
    for file in Path(services.__path__[0]).rglob("*.py"):
        if file.name == "image.py":  # no part of a conversation
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and "Service" in node.name:
                of_constructors |= set(_parameters(node))
            if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
                of_settings |= set(_fields(node))
    assert {"api_key", "aws_secret_key", "credentials_path"} <= of_constructors
    assert "max_tokens" in of_settings
    sounding = {name for name in of_constructors if _SOUNDS_SECRET.search(name)}
    assert {name for name in sounding if not is_secret_name(name)} <= _HOLD_NO_SECRET
    assert {name for name in of_settings if is_secret_name(name)} == set()


def _parameters(of: ast.ClassDef) -> Iterator[str]:
    for one in of.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            yield from (argument.arg for argument in (*one.args.args, *one.args.kwonlyargs))


def _fields(of: ast.ClassDef) -> Iterator[str]:
    for one in of.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            yield one.target.id


def test_keys_come_from_the_environment_or_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "FISH_API_KEY").write_text("from-a-file\n")
    (tmp_path / "EMPTY_KEY").write_text("")
    secrets = Secrets({"GREENROOM_SECRETS_DIR": str(tmp_path), "DEEPGRAM_API_KEY": "x"})
    assert secrets["FISH_API_KEY"] == "from-a-file"
    assert secrets["DEEPGRAM_API_KEY"] == "x"
    assert "EMPTY_KEY" not in secrets
    assert "../FISH_API_KEY" not in secrets
    assert variables_of("deepgram", "") == ["DEEPGRAM_API_KEY"]


def test_any_words_are_heard_roughly() -> None:
    dictation = Dictation()
    dictation.start("")
    dictation.feed(spoken("please make a note to buy some milk").tobytes())
    heard = dictation.finish().text.split()
    assert len({"please", "make", "a", "note", "to", "buy"} & set(heard)) >= 4
    dictation.feed(bytes(32_000))
    assert dictation.finish().text == ""


async def test_one_that_does_not_answer_is_told_of() -> None:
    record = BotRecord.model_validate({"name": "mary", "llm": OPENAI})
    async with asyncio.timeout(60):
        found = await check(record, try_it=True)
    assert [(one.path, one.code, one.message) for one in found] == [
        ("llm.service", "service_failed", "it was asked for a word, and could not be reached.")
    ]
    assert Failover.__doc__ is not None
    assert "openai" in known_names(Part.LLM)
