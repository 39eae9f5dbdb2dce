"""The audit log: every act of an operator, done or refused, and nothing that was said."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import structlog

from greenroom.errors import Unavailable
from greenroom.ports.audit import Act, Actor, ActorKind, Entry
from greenroom.service.audit import FAILED, MAX_TARGET_CHARS
from greenroom.wire.keys import Scope
from tests.api.test_keys import make
from tests.api.test_operators import operator
from tests.conftest import House
from tests.service.test_service import a_call

_OPS = Actor(ActorKind.OPERATOR, "ops", "127.0.0.1")


async def lines(client: httpx.AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/operator/audit", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["lines"]
    return found


async def test_what_operators_do_is_on_record(server: House) -> None:
    session_id = await a_call(server)
    async with operator(server) as ops:
        path = f"/api/operator/sessions/{session_id}"
        await ops.request("DELETE", path, json={"reason": "Too loud."})
        await server.launcher.exit((await server.session(session_id)).launch_id)
        await ops.delete("/api/operator/sessions/ses_none")
        await ops.post("/api/emergency/shutdown", json={"reason": "Fire drill."})
        await ops.post("/api/emergency/resume")
        key_id = (await make(server, Scope.READ, name="k"))["line"]["id"]
        await ops.delete(f"/api/operator/keys/{key_id}")
        await ops.delete("/api/operator/keys/key_none")
        found = await lines(ops)
    assert [(line["act"], line["target"], line["outcome"]) for line in reversed(found)] == [
        ("session.kick", session_id, "done"),
        ("session.kick", "ses_none", "not_found"),
        ("house.stop", "", "done"),
        ("house.resume", "", "done"),
        ("key.create", key_id, "done"),
        ("key.revoke", key_id, "done"),
    ]
    assert {(line["actorKind"], line["actor"], line["address"]) for line in found} == {
        ("operator", "ops", "127.0.0.1")
    }
    assert found[3]["detail"] == {"reason": "Fire drill."}
    assert found[0]["at"].startswith("20")


async def test_what_an_operators_key_does_is_on_record_by_its_name(server: House) -> None:
    key = (await make(server, Scope.OPERATE, name="console"))["key"]
    async with server.client(authorization=f"Bearer {key}") as console:
        assert (await console.post("/api/emergency/resume")).status_code == 200
        (line, *_) = await lines(console, act="house.resume")
    assert (line["actorKind"], line["actor"]) == ("key", "console")


async def test_it_is_filtered_and_read_on(server: House) -> None:
    async with operator(server) as ops:
        for _ in range(5):
            await ops.post("/api/emergency/resume")
        await make(server, Scope.OPERATE, name="k")
        first = (await ops.get("/api/operator/audit", params={"limit": 4})).json()
        rest = (
            await ops.get("/api/operator/audit", params={"limit": 4, "before": first["nextBefore"]})
        ).json()
        ids = [line["id"] for line in first["lines"] + rest["lines"]]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == 6
        assert rest["nextBefore"] is None
        assert len(await lines(ops, act="key.create")) == 1
        assert await lines(ops, actor="somebody") == []
        assert await lines(ops, since=server.clock.now() + 1) == []
        for bad in ({"limit": 0}, {"limit": 1_001}, {"since": "nan"}, {"before": 0}):
            assert (await ops.get("/api/operator/audit", params=bad)).status_code == 400


async def test_there_is_no_door_to_change_it(server: House) -> None:
    async with operator(server) as ops:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await ops.request(method, "/api/operator/audit")
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
            assert "GET" in answer.headers["Allow"]
    paths = server.parts.store.audit
    assert {name for name in dir(paths) if not name.startswith("_")} == {"add", "listed"}


async def test_an_act_stands_when_its_line_cannot_be_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(entry: Entry) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(house.parts.store.audit, "add", away)
    done = []
    with structlog.testing.capture_logs() as logs:
        async with house.parts.audit.of(_OPS, Act.STOP_ALL):
            done.append("stopped")
    (line,) = [line for line in logs if line["event"] == "audit.not_kept"]
    assert done == ["stopped"]
    assert (line["act"], line["actor"], line["outcome"]) == ("house.stop", "ops", "done")


async def test_an_act_that_is_cancelled_is_on_record(house: House) -> None:
    begun = asyncio.Event()

    async def act() -> None:
        async with house.parts.audit.of(_OPS, Act.END_SESSION, "x" * 9_000):
            begun.set()
            await asyncio.Event().wait()

    acting = asyncio.create_task(act())
    await begun.wait()
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    (entry,) = await house.parts.store.audit.listed(limit=10)
    assert (entry.outcome, len(entry.target)) == (FAILED, MAX_TARGET_CHARS)
