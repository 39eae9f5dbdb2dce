"""Records are read with care: what is wrong is told by its path, and no secret gets in."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.assistants.overrides import overridden
from greenroom.assistants.records import parse
from greenroom.assistants.tools import mismatches
from greenroom.errors import BadOverride, BadRecord, OverrideNotAllowed
from greenroom.wire.assistants import BotRecord, as_data

WHOLE: dict[str, Any] = {
    "name": "mary",
    "title": "Mary",
    "persona": "You are Mary, a patient teacher.",
    "personality": "Warm, brief, a little dry.",
    "firstMessage": "Hello, this is Mary!",
    "language": "en-GB",
    "stt": {"service": "deepgram", "settings": {"model": "nova-3"}},
    "llm": {"service": "openai", "settings": {"model": "gpt-4.1", "temperature": 0.4}},
    "tts": {"service": "cartesia", "settings": {"speed": 1.1}},
    "voice": {"name": "mary-1", "parameters": {"speed": 1.0}},
    "tools": [
        {"name": "notes"},
        {
            "name": "play",
            "kind": "function",
            "parameters": {"type": "object", "properties": {"token": {"type": "string"}}},
        },
    ],
    "endPhrases": ["goodbye", "that is all"],
    "endMessage": "Goodbye!",
    "idlePrompts": {"afterS": 15, "messages": ["Are you there?"], "most": 2},
    "voiceSessionConfig": {
        "enabled": True,
        "persistence": 120,
        "roomPrivacy": "private",
        "maxDuration": 300,
        "autoStart": False,
    },
    "limits": {"idleS": 60},
    "budget": {"sessionUsd": 0.5},
    "metadata": {"team": "school", "ids": [1, 2]},
    "bot": "greenroom.bot.cards",
    "rollout": {"percentage": 10, "tenants": {"acme": 50}, "testers": ["eve@example.org"]},
    "overrides": ["firstMessage", "voice.parameters", "metadata"],
}


def an_http_tool(**settings: Any) -> list[dict[str, Any]]:
    """The tools of a record that has one, whose settings are good but for these."""
    return [{"name": "a", "kind": "http", "settings": {"url": "https://a.example/", **settings}}]


def a_page_tool(**arguments: Any) -> list[dict[str, Any]]:
    """The tools of a record that has one, whose arguments are these."""
    schema = {"type": "object", "properties": arguments}
    return [{"name": "a", "kind": "page", "parameters": schema}]


def _with(path: str, value: Any) -> dict[str, Any]:
    """The whole record with another value at a path."""
    made = dict(WHOLE)
    first, _, rest = path.partition(".")
    if rest:
        inner = dict(made.get(first) or {})
        inner[rest] = value
        made[first] = inner
    else:
        made[first] = value
    return made


def test_a_whole_record_is_read_and_written_as_it_was() -> None:
    assert as_data(parse(WHOLE)) == WHOLE


def test_a_name_is_all_that_it_takes() -> None:
    assert as_data(parse({"name": "mary"})) == {"name": "mary"}
    assert as_data(parse({}, name="mary")) == {"name": "mary"}


def test_tools_may_be_named_shortly() -> None:
    record = parse({"name": "mary", "tools": ["notes", {"name": "html"}]})
    assert [tool.name for tool in record.tools] == ["notes", "html"]
    assert parse({"name": "mary"}).tools == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("tts.settings", {"speed": "fast"}, "tts.settings.speed"),
        ("tts.settings", {"speed": 99}, "tts.settings.speed"),
        ("tts.settings", {"speed": True}, "tts.settings.speed"),
        ("llm.settings", {"temperature": float("nan")}, "llm.settings.temperature"),
        ("llm.settings", "gpt", "llm.settings"),
        ("stt.service", "", "stt.service"),
        ("stt.engine", "x", "stt.engine"),
        ("name", "two words", "name"),
        ("name", 7, "name"),
        ("langauge", "en", "langauge"),
        ("language", "english please", "language"),
        ("speechToSpeech", {"service": "openai-realtime"}, "stt"),
        ("voice.parameters", {"speed": -1}, "voice.parameters.speed"),
        ("tools", [{"name": "notes"}, {"name": "notes"}], "tools[1].name"),
        ("tools", [{"name": "a b"}], "tools[0].name"),
        ("tools", ["note"], "tools[0].name"),
        ("tools", [{"name": "a", "kind": "magic"}], "tools[0].kind"),
        ("tools", [{"name": "notes", "timeoutS": 61}], "tools[0].timeoutS"),
        ("tools", [{"name": "a", "kind": "page", "parameters": {}}], "tools[0].parameters.type"),
        (
            "tools",
            [{"name": "a", "kind": "page", "parameters": {"type": "object", "properties": []}}],
            "tools[0].parameters.properties",
        ),
        ("tools", a_page_tool(at={"type": "strnig"}), "tools[0].parameters.properties.at.type"),
        ("tools", a_page_tool(at={"enum": 4}), "tools[0].parameters.properties.at.enum"),
        ("tools", [{"name": "a", "kind": "http"}], "tools[0].settings.url"),
        ("tools", an_http_tool(url=7), "tools[0].settings.url"),
        ("tools", an_http_tool(url="ftp://a.example/"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://me:pw@a.example/"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://a.example:99999/"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://[::1"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://a.example:/"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="http:///path"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://@a.example/"), "tools[0].settings.url"),
        ("tools", an_http_tool(url="https://a.example\\@b.example/"), "tools[0].settings.url"),
        ("llm.settings", {"baseUrl": "https://x:/"}, "llm.settings.baseUrl"),
        ("llm.settings", {"base_url": "http:///v1"}, "llm.settings.base_url"),
        ("llm.settings", {"baseUrl": "https://:@x/"}, "llm.settings.baseUrl"),
        ("llm.settings", {"baseUrl": "https://me@x/"}, "llm.settings.baseUrl"),
        ("llm.settings", {"baseUrl": "ftp://x/"}, "llm.settings.baseUrl"),
        ("llm.settings", {"baseUrl": "me@x.example/v1"}, "llm.settings.baseUrl"),
        ("stt.settings", {"http": {"endpoint": "wss://x:0/"}}, "stt.settings.http.endpoint"),
        ("tts.settings", {"proxy": "http://x:99999/"}, "tts.settings.proxy"),
        (
            "llm",
            {"service": "openai", "fallbacks": [{"service": "ollama", "settings": {"url": "//"}}]},
            "llm.fallbacks[0].settings.url",
        ),
        ("tools", an_http_tool(method="GET"), "tools[0].settings.method"),
        ("tools", an_http_tool(headers={}), "tools[0].settings.headers"),
        ("tools", "notes", "tools"),
        ("endPhrases", ["goodbye", 4], "endPhrases[1]"),
        ("idlePrompts", {"messages": []}, "idlePrompts.messages"),
        ("idlePrompts", {"messages": ["x"], "afterS": 0}, "idlePrompts.afterS"),
        ("voiceSessionConfig.maxDuration", 0, "voiceSessionConfig.maxDuration"),
        ("voiceSessionConfig.persistence", -1, "voiceSessionConfig.persistence"),
        ("voiceSessionConfig.roomPrivacy", "public", "voiceSessionConfig.roomPrivacy"),
        ("voiceSessionConfig.maxDuration", float("inf"), "voiceSessionConfig.maxDuration"),
        ("limits.maxDurationS", 60, "limits.maxDurationS"),
        ("budget.sessionUsd", -1, "budget.sessionUsd"),
        ("rollout.percentage", 110, "rollout.percentage"),
        ("rollout.tenants", {"acme": -1}, "rollout.tenants.acme"),
        ("rollout.by", "moon", "rollout.by"),
        ("overrides", ["firstMesage"], "overrides[0]"),
        ("overrides", ["firstMessage.x"], "overrides[0]"),
        ("overrides", ["voice", "rollout.percentage"], "overrides[1]"),
        ("overrides", ["voiceSessionConfig"], "overrides[0]"),
        ("overrides", ["bot"], "overrides[0]"),
        # Whoever starts could have a service's key sent to an address of their own.
        ("overrides", ["llm"], "overrides[0]"),
        ("overrides", ["tts.service"], "overrides[0]"),
        ("overrides", ["llm.settings"], "overrides[0]"),
        ("overrides", ["llm.settings.baseUrl"], "overrides[0]"),
        ("overrides", ["stt.fallbacks"], "overrides[0]"),
        ("overrides", ["speechToSpeech.settings.default_headers"], "overrides[0]"),
        ("voice", {"parameters": {"baseUrl": "https://x.example"}}, "voice.parameters.baseUrl"),
        # Google's client takes its address in there, and makes it of the place.
        ("overrides", ["llm.settings.httpOptions"], "overrides[0]"),
        (
            "voice",
            {"parameters": {"httpOptions": {"baseUrl": "x"}}},
            "voice.parameters.httpOptions.baseUrl",
        ),
        # However deep.
        ("voice", {"parameters": {"style": {"baseUrl": "x"}}}, "voice.parameters.style.baseUrl"),
        ("voice", {"parameters": {"location": "x.example/"}}, "voice.parameters.location"),
        ("overrides", ["tools"], "overrides[0]"),
        ("metadata", {"at": object()}, "metadata.at"),
        ("metadata", {1: 2}, "metadata[1]"),
        ("metadata", {"half": "\ud800"}, "metadata.half"),
    ],
)
def test_what_is_wrong_is_told_by_its_path(path: str, value: Any, field: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse(_with(path, value))
    assert caught.value.detail["field"] == field
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.code == "bad_record"


def test_what_was_taken_once_is_read_by_whatever_rules_there_are_for_tools_now() -> None:
    old = {"name": "mary", "tools": ["since-gone", *an_http_tool(timeoutS=12)]}
    assert [tool.name for tool in parse(old, stored=True).tools] == ["since-gone", "a"]
    with pytest.raises(BadRecord, match="and 1 more"):
        parse(old)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadRecord, match="and 1 more") as caught:
        parse({"name": "mary", "endMessage": 4, "tools": 5})
    assert {p["field"] for p in caught.value.detail["problems"]} == {"endMessage", "tools"}


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("llm.settings", {"apiKey": "hunter2"}, "llm.settings.apiKey"),
        ("llm.settings", {"api_key": "hunter2"}, "llm.settings.api_key"),
        (
            "llm.settings",
            {"headers": {"Authorization": "hunter2"}},
            "llm.settings.headers.Authoriz",
        ),
        ("llm.settings", {"x": [{"client-secret": "hunter2"}]}, "llm.settings.x[0].client-secret"),
        ("tts.settings", {"accessToken": "hunter2"}, "tts.settings.accessToken"),
        ("stt.settings", {"awsAccessKeyId": "hunter2"}, "stt.settings.awsAccessKeyId"),
        ("stt.settings", {"aws_secret_access_key": "hunter2"}, "stt.settings.aws_secret_access"),
        ("stt.settings", {"aws_session_token": "hunter2"}, "stt.settings.aws_session_token"),
        ("stt.settings", {"credentials": "hunter2"}, "stt.settings.credentials"),
        ("stt.settings", {"credentialsPath": "/hunter2"}, "stt.settings.credentialsPath"),
        ("metadata", {"db_password": "hunter2"}, "metadata.db_password"),
        ("metadata", {"note": "sk-proj-hunter2hunter2hunter2"}, "metadata.note"),
        ("metadata", {"url": "https://ada:hunter2@example.org/"}, "metadata.url"),
        ("persona", "-----BEGIN RSA PRIVATE KEY-----hunter2", "persona"),
        ("apiKey", "hunter2", "apiKey"),
    ],
)
def test_nothing_secret_gets_in_or_is_repeated(path: str, value: Any, field: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse(_with(path, value))
    assert caught.value.detail["field"].startswith(field)
    assert "hunter2" not in str(caught.value.as_json())


@pytest.mark.parametrize(
    "settings",
    [
        {"baseUrl": "http://127.0.0.1:11434/v1"},
        {"baseUrl": "https://[::1]:8000"},
        {"url": "wss://{region}.ears.example/v1?model=x"},
        {"baseUrl": "api.ears.example"},  # some services add the scheme
        {"host": "::1", "server": "minds.example:50051"},
        {"systemPrompt": "Never say https://x:/"},
    ],
)
def test_where_services_really_are_is_taken(settings: dict[str, Any]) -> None:
    parse(_with("llm.settings", settings))


def test_an_address_that_was_taken_once_keeps_nobody_from_talking() -> None:
    parse(_with("llm.settings", {"baseUrl": "https://x:/"}), stored=True)


def test_what_only_sounds_like_a_secret_is_none() -> None:
    settings = {"maxTokens": 200, "max_tokens": 200, "eosToken": "</s>", "tokenizer": "x"}
    parse(_with("llm.settings", settings))
    parse(_with("metadata", {"note": "the secret of sk-ating", "url": "https://example.org/a:b@c"}))


@pytest.mark.parametrize("data", [None, [], "mary", 4, {"name": None}, {}])
def test_what_is_no_record_is_refused(data: Any) -> None:
    with pytest.raises(BadRecord):
        parse(data)


def test_a_record_is_bounded() -> None:
    with pytest.raises(BadRecord, match="larger"):
        parse(_with("metadata", {"x": "y" * 50_000}))
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"d": deep}
    with pytest.raises(BadRecord, match="deeply"):
        parse(_with("metadata", deep))


def test_the_bot_is_told_nothing_of_others_and_of_money() -> None:
    told = as_data(parse(WHOLE).for_bot())
    assert not told.keys() & {"rollout", "budget", "limits", "overrides", "bot"}
    assert "eve@example.org" not in str(told)
    kept = {name: value for name, value in WHOLE.items() if name in told}
    assert told == kept
    assert BotRecord.model_validate(told).voice is not None


def _calling(function: str) -> dict[str, Any]:
    """Overrides with a script that calls a function as soon as it begins."""
    state = {"prompt": "Well?", "enter": [{"call": function}]}
    return {"script": {"start": "s", "states": {"s": state}}}


def test_a_script_of_a_start_brings_no_tool_with_it() -> None:
    """It may be opened to starts: it steers the record's tools, and has no others."""
    tools = [{"name": "notes"}, {"name": "seats", "kind": "page"}]
    record = parse({"name": "mary", "tools": tools, "overrides": ["script"]})
    for allowed in ("create_note", "seats"):
        assert overridden(record, _calling(allowed)).tools == record.tools
    for lacking in ("open_panel", "pay", "end_call"):
        with pytest.raises(BadOverride) as refused:
            overridden(record, _calling(lacking))
        field = "overrides.script.states.s.enter[0].call"
        assert refused.value.detail["field"] == field
    for more in ({"tools": ["html"]}, {"bot": "other"}, {"llm": {"service": "openai"}}):
        with pytest.raises(OverrideNotAllowed):
            overridden(record, {**_calling("create_note"), **more})
    # What it shows is an event of the application's, and none of a tool's.
    shows = _calling("create_note")
    shows["script"]["states"]["s"]["enter"] = [{"show": {"type": "ui.html"}}]
    with pytest.raises(BadOverride):
        overridden(record, shows)


def test_a_schema_that_means_itself_matches_nothing() -> None:
    found = mismatches({"type": "object", "$ref": "#"}, {"row": 1})
    assert found == ["the tool's schema refers to what is not in it, or to itself"]
