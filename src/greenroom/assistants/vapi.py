"""VAPI's assistants as records; what has no equal is listed, field by field.

The fields are those of VAPI's public API reference (``GET /assistant``) and what older exports had
(`model.functions`, `serverUrl`, `endCallFunctionEnabled`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.assistants.taking import Imported, Taking, clean, finished, slug
from greenroom.assistants.vapi_services import LLMS, SETTINGS, STTS, TTSS, VOICE_PARAMETERS
from greenroom.errors import BadRecord

_OF_VAPI_ITSELF = "is VAPI's own bookkeeping"
_BY_WEBHOOK = "events go to GREENROOM_WEBHOOKS, all of them, signed"
_A_SECRET = "is a secret: the environment has those, never a record"  # noqa: S105
_TELEPHONE = "is of telephone calls"
_WHY: dict[tuple[str, ...], str] = {
    ("id",): _OF_VAPI_ITSELF,
    ("orgId",): _OF_VAPI_ITSELF,
    ("createdAt",): _OF_VAPI_ITSELF,
    ("updatedAt",): _OF_VAPI_ITSELF,
    ("isServerUrlSecretSet",): _OF_VAPI_ITSELF,
    ("server",): _BY_WEBHOOK,
    ("serverUrl",): _BY_WEBHOOK,
    ("serverMessages",): _BY_WEBHOOK,
    ("clientMessages",): "a page gets every event of its session",
    ("serverUrlSecret",): _A_SECRET,
    ("server", "secret"): _A_SECRET,
    ("credentials",): _A_SECRET,
    ("credentialIds",): _A_SECRET,
    ("phoneNumberId",): _TELEPHONE,
    ("forwardingPhoneNumber",): _TELEPHONE,
    ("forwardingPhoneNumbers",): _TELEPHONE,
    ("voicemailDetection",): _TELEPHONE,
    ("voicemailMessage",): _TELEPHONE,
    ("dialKeypadFunctionEnabled",): _TELEPHONE,
    ("keypadInputPlan",): _TELEPHONE,
    ("transportConfigurations",): _TELEPHONE,
    ("model", "toolIds"): "the tools are kept at VAPI: export them, and name them in `tools`",
}
# Where the fields of the record come from.
ORIGINS = {
    "title": "name",
    "persona": "model.messages",
    "endMessage": "endCallMessage",
    "endPhrases": "endCallPhrases",
    "language": "transcriber.language",
    "stt.service": "transcriber.provider",
    "stt.settings": "transcriber",
    "llm.service": "model.provider",
    "llm.settings": "model",
    "llm.settings.max_tokens": "model.maxTokens",
    "speechToSpeech.settings": "model",
    "tts.service": "voice.provider",
    "tts.settings": "voice",
    "voice.name": "voice.voiceId",
    "voice.parameters": "voice",
    "tools": "model.tools",
    "idlePrompts.messages": "messagePlan.idleMessages",
    "idlePrompts.afterS": "messagePlan.idleTimeoutSeconds",
    "idlePrompts.most": "messagePlan.idleMessageMaxSpokenCount",
    "voiceSessionConfig.maxDuration": "maxDurationSeconds",
    "limits.idleS": "silenceTimeoutSeconds",
}
_BUILT_IN_TOOLS = {"endCall": "end_call"}
# VAPI's own default of both; Greenroom's maximum is the same, its idle limit longer.
_SPEAKS_FIRST = "assistant-speaks-first"


def assistants_in(data: Any) -> list[Mapping[str, Any]]:
    """The assistants in a file: one, a list, or a list in an answer's field.

    Raises:
        BadRecord: There is none.
    """
    for name in ("assistants", "results", "data"):
        if isinstance(data, Mapping) and isinstance(data.get(name), list):
            data = data[name]
    found = [data] if isinstance(data, Mapping) else data
    if not isinstance(found, list) or not found or not all(isinstance(o, Mapping) for o in found):
        raise BadRecord("There is no assistant in there.", field="", problems=[])
    return found


def from_vapi(data: Mapping[str, Any]) -> Imported:
    """The record of one of VAPI's assistants.

    Nobody comes to Greenroom by importing: the record's roll-out is at 0 %.

    Raises:
        BadRecord: Nothing of it can be kept.
    """
    taking = Taking(data)
    for path, why in _WHY.items():
        taking.drop(*path, why=why)
    called = taking.text("name")
    record: dict[str, Any] = {
        "name": slug(called or str(taking.look("id") or "")),
        "title": called,
        **words(taking),
        **_services(taking),
        "tools": _tools(taking),
        "idlePrompts": _idle_prompts(taking),
        "voiceSessionConfig": {"maxDuration": taking.take("maxDurationSeconds")},
        "limits": {"idleS": taking.take("silenceTimeoutSeconds")},
        "metadata": taking.take("metadata"),
    }
    made = clean(record)
    made["rollout"] = {"percentage": 0}
    return finished(taking, made, ORIGINS)


def words(taking: Taking) -> dict[str, Any]:
    """What the assistant is and says."""
    return {
        "persona": _persona(taking),
        "firstMessage": _first_message(taking),
        "endMessage": taking.text("endCallMessage"),
        "endPhrases": taking.take("endCallPhrases"),
    }


def _persona(taking: Taking) -> str | None:
    """The system prompt, wherever it stands; other messages of the beginning have no place."""
    texts = [taking.text("model", "systemPrompt")]
    messages = taking.look("model", "messages")
    for index in range(len(messages) if isinstance(messages, list) else 0):
        if taking.look("model", "messages", index, "role") == "system":
            taking.take("model", "messages", index, "role")
            texts.append(taking.text("model", "messages", index, "content"))
        else:
            why = "only the system's words are kept: a conversation begins with the first message"
            taking.drop("model", "messages", index, why=why)
    return "\n\n".join(text for text in texts if text) or None


def _first_message(taking: Taking) -> str | None:
    mode = taking.look("firstMessageMode")
    if mode == _SPEAKS_FIRST:
        taking.take("firstMessageMode")
    elif mode is not None:
        taking.drop("firstMessageMode", why="the assistant speaks first")
    text = taking.look("firstMessage")
    if isinstance(text, str) and re.match(r"https?://\S+$", text.strip()):
        taking.drop("firstMessage", why="is a recording, and not a text")
        return None
    return taking.text("firstMessage")


def _services(taking: Taking) -> dict[str, Any]:
    model = taking.look("model", "model")
    if isinstance(model, str) and "realtime" in model:
        return _speech_to_speech(taking)
    return {
        "stt": _service(taking, "transcriber", STTS),
        "llm": _service(taking, "model", LLMS),
        "tts": _service(taking, "voice", TTSS),
        "voice": _voice(taking),
        "language": _language(taking),
    }


def _speech_to_speech(taking: Taking) -> dict[str, Any]:
    """A model that hears and speaks itself: what is said of ears and mouth beside it is its own."""
    service = _service(taking, "model", LLMS)
    if service is not None:
        service["service"] = f"{service['service']}-realtime"
    for part in ("transcriber", "voice"):
        taking.drop(part, why="the model hears and speaks itself")
    return {
        "speechToSpeech": service,
        "voice": {"name": taking.text("voice", "voiceId")},
        "language": _language(taking),
    }


def _service(taking: Taking, part: str, names: Mapping[str, str | None]) -> dict[str, Any] | None:
    """A service under Pipecat's name, with the settings that mean the same there."""
    provider = taking.look(part, "provider")
    if not isinstance(provider, str):
        return None
    service = names.get(provider, slug(provider.lower(), "unknown"))
    if service is None:
        taking.drop(part, why=f"“{slug(provider)}” is VAPI's own; choose a service")
        return None
    taking.take(part, "provider")
    if provider not in names:
        taking.notes.append(f"{part}.provider: “{service}” may be called otherwise in Pipecat")
    settings = {ours: taking.take(part, theirs) for theirs, ours in SETTINGS[part].items()}
    return {"service": service, "settings": settings}


def _voice(taking: Taking) -> dict[str, Any]:
    provider = taking.look("voice", "provider")
    if isinstance(provider, str) and TTSS.get(provider, "") is None:
        return {}
    parameters = {ours: taking.take("voice", theirs) for theirs, ours in VOICE_PARAMETERS.items()}
    return {"name": taking.text("voice", "voiceId"), "parameters": parameters}


def _language(taking: Taking) -> str | None:
    language = taking.look("transcriber", "language")
    if language == "multi":
        taking.drop("transcriber", "language", why="one language is said, or none")
        return None
    return taking.text("transcriber", "language")


# ---- tools


def _tools(taking: Taking) -> list[dict[str, Any]]:
    tools = [
        tool
        for path in _each(taking, "model", "tools")
        if (tool := _tool(taking, path)) is not None
    ]
    tools += [_function(taking, path, path) for path in _each(taking, "model", "functions")]
    tools = [tool for tool in tools if tool.get("name")]
    if taking.look("endCallFunctionEnabled") is not None:
        wanted = taking.take("endCallFunctionEnabled")
        if wanted and "end_call" not in [tool["name"] for tool in tools]:
            tools.append({"name": "end_call"})
    return list({tool["name"]: tool for tool in tools}.values())


def _each(taking: Taking, *path: str) -> Sequence[tuple[str | int, ...]]:
    found = taking.look(*path)
    return [(*path, index) for index in range(len(found) if isinstance(found, list) else 0)]


def _tool(taking: Taking, path: tuple[str | int, ...]) -> dict[str, Any] | None:
    kind = taking.look(*path, "type")
    if isinstance(kind, str) and kind in _BUILT_IN_TOOLS:
        taking.take(*path, "type")
        return {"name": _BUILT_IN_TOOLS[kind]}
    if kind != "function":
        taking.drop(*path, why=f"there is no tool of the kind “{slug(str(kind))}”")
        return None
    taking.take(*path, "type")
    return _function(taking, path, (*path, "function"))


def _function(
    taking: Taking, path: tuple[str | int, ...], of: tuple[str | int, ...]
) -> dict[str, Any]:
    """A function: with an address it is called there, without one by the bot's own code."""
    url = taking.text(*path, "server", "url") or taking.text(*path, "serverUrl")
    for secret in (("server", "secret"), ("serverUrlSecret",), ("server", "headers")):
        taking.drop(*path, *secret, why=_A_SECRET)
    return {
        "name": slug(taking.text(*of, "name") or "", "").replace(".", "_"),
        "kind": "http" if url else "function",
        "description": taking.text(*of, "description"),
        "parameters": taking.take(*of, "parameters"),
        "settings": {"url": url},
        "timeoutS": taking.take(*path, "server", "timeoutSeconds"),
    }


def _idle_prompts(taking: Taking) -> dict[str, Any] | None:
    if not taking.look("messagePlan", "idleMessages"):
        return None
    return {
        "messages": taking.take("messagePlan", "idleMessages"),
        "afterS": taking.take("messagePlan", "idleTimeoutSeconds"),
        "most": taking.take("messagePlan", "idleMessageMaxSpokenCount"),
    }
