"""``/api/operator/assistants``: records over HTTP, and starts that go by them."""

from __future__ import annotations

from typing import Any

import httpx

from greenroom.ports.audit import Act
from greenroom.wire.keys import Scope
from tests.api.test_keys import START, a_server, code_of, page_of
from tests.api.test_operators import operator
from tests.conftest import House

ALL = "/api/operator/assistants"
MARY = f"{ALL}/mary"


async def put(ops: httpx.AsyncClient, based_on: int = 0, **fields: Any) -> httpx.Response:
    body = {"record": fields, "basedOn": based_on, "publish": True}
    return await ops.put(MARY, json=body)


async def test_a_record_from_its_first_version_to_its_end(server: House) -> None:
    async with operator(server) as ops, page_of(server, "ada") as page:
        assert (await put(ops, firstMessage="One")).status_code == 201
        assert (await put(ops, 1, firstMessage="Two")).json()["version"]["version"] == 2
        assert code_of(await put(ops, 1, firstMessage="Three")) == (409, "record_conflict")
        got = (await ops.get(MARY)).json()
        assert got["record"] == {"name": "mary", "firstMessage": "Two"}
        old = (await ops.get(f"{MARY}/versions/1")).json()
        assert old["record"]["firstMessage"] == "One"
        assert (await ops.post(f"{MARY}/rollback")).json()["published"] == 1
        listed = (await ops.get(f"{MARY}/versions")).json()
        assert (listed["published"], [v["version"] for v in listed["versions"]]) == (1, [2, 1])
        started = await page.post(START, json={"assistant": "mary"})
        assert started.json()["session"]["assistantVersion"] == 1
        assert (await ops.post(f"{MARY}/publish", json={"version": 2})).json()["published"] == 2
        (line,) = (await ops.get(ALL)).json()["assistants"]
        assert (line["latest"], line["published"]) == (2, 2)
        assert (await ops.delete(MARY)).status_code == 204
        assert code_of(await ops.get(MARY)) == (404, "not_found")
        session_id = started.json()["session"]["sessionId"]
        assert (await page.get(f"{START}/{session_id}")).json()["assistantVersion"] == 1
    acts = [entry.act for entry in await server.parts.store.audit.listed(limit=20)]
    assert acts == [
        Act.DELETE_ASSISTANT,
        Act.PUBLISH_ASSISTANT,
        Act.ROLL_BACK_ASSISTANT,
        Act.SAVE_ASSISTANT,
        Act.SAVE_ASSISTANT,
    ]


async def test_what_is_wrong_with_a_record_is_told_by_its_path(server: House) -> None:
    async with operator(server) as ops:
        refused = await put(ops, tts={"service": "cartesia", "settings": {"speed": "hunter2"}})
        assert code_of(refused) == (400, "bad_record")
        assert refused.json()["facts"]["field"] == "tts.settings.speed"
        assert "hunter2" not in refused.text
        assert code_of(await put(ops, name="other")) == (400, "bad_record")
        assert code_of(await put(ops, llm={"service": "x", "settings": {"apiKey": "k"}}))[0] == 400
        checks = "/api/operator/assistant-checks"
        good = await ops.post(checks, json={"record": {"name": "mary", "tools": ["notes"]}})
        assert good.json()["record"]["tools"] == [{"name": "notes"}]
        bad = await ops.post(checks, json={"record": {"name": "mary", "bot": "os"}})
        assert bad.json()["facts"]["field"] == "bot"
        schema = (await ops.get("/api/operator/assistant-schema")).json()
        assert {"firstMessage", "voiceSessionConfig"} <= schema["properties"].keys()
        assert (await ops.get(ALL)).json()["assistants"] == []


async def test_a_key_with_the_scope_may_and_another_may_not(server: House) -> None:
    async with await a_server(server, Scope.ASSISTANTS) as app:
        assert (await put(app)).status_code == 201
        assert (await app.post(f"{MARY}/kill", json={"reason": "so"})).status_code == 204
        assert (await app.post(f"{MARY}/revive")).json() == {"name": "mary", "revived": True}
    async with await a_server(server, Scope.START, Scope.READ) as app:
        assert code_of(await put(app, 1)) == (403, "forbidden")
        assert code_of(await app.get(MARY)) == (403, "forbidden")
    async with page_of(server, "ada") as page:
        assert code_of(await page.get(ALL)) == (401, "unauthorized")


async def test_a_start_is_refused_by_name_and_path(server: House) -> None:
    async with operator(server) as ops, page_of(server, "ada") as page:
        await put(ops, overrides=["firstMessage"], voiceSessionConfig={"autoStart": True})
        config = (await page.get("/api/voice/config?assistant=mary")).json()
        assert (config["title"], config["autoStart"], config["enabled"]) == ("mary", True, True)
        body = {"assistant": "mary", "overrides": {"persona": "x"}}
        refused = await page.post(START, json=body)
        assert code_of(refused) == (400, "override_not_allowed")
        assert refused.json()["facts"]["field"] == "overrides.persona"
        assert code_of(await page.get("/api/voice/config?assistant=x")) == (404, "not_found")
        await ops.post(f"{MARY}/kill")
        assert code_of(await page.post(START, json=body | {"overrides": {}})) == (
            403,
            "assistant_disabled",
        )
        assert not (await page.get("/api/voice/config?assistant=mary")).json()["enabled"]


async def test_other_front_doors_know_of_records_too(server: House) -> None:
    async with operator(server) as ops:
        await put(ops)
    async with await a_server(server, Scope.READ) as app:
        served = (await app.get("/v1/agents")).json()["services"]
        assert {one["name"] for one in served} == {"cards", "quiz", "mary"}
        assert (await app.get("/v1/agents/mary")).status_code == 200
        assert (await app.get("/v1/agents/nobody")).status_code == 404
