"""The operators' doors: who gets in, what they see, and what happens to a page they end."""

from __future__ import annotations

import httpx
import pytest

from greenroom.ports.deliveries import DeliveryState
from greenroom.ports.store import NewEvent
from greenroom.session.model import EndReason
from greenroom.testing.store_contract import a_session, create
from tests.conftest import SECRET, House
from tests.listening import an_endpoint
from tests.service.test_service import a_call

DOORS = [
    ("POST", "/api/emergency/shutdown"),
    ("POST", "/api/emergency/resume"),
    ("GET", "/api/operator/sessions"),
    ("GET", "/api/operator/cost"),
    ("DELETE", "/api/operator/sessions/ses_1"),
    ("POST", "/api/operator/sessions/ses_1/say"),
    ("POST", "/api/operator/sessions/ses_1/context"),
    ("POST", "/api/operator/sessions/ses_1/adjust"),
    ("GET", "/api/operator/assistants"),
    ("GET", "/api/operator/assistant-schema"),
    ("GET", "/api/operator/rollout"),
    ("POST", "/api/operator/assistant-checks"),
    ("PUT", "/api/operator/assistants/mary"),
    ("DELETE", "/api/operator/assistants/mary"),
    ("POST", "/api/operator/assistants/mary/publish"),
    ("POST", "/api/operator/assistants/mary/rollback"),
    ("POST", "/api/operator/assistants/mary/kill"),
    ("POST", "/api/operator/assistants/mary/revive"),
    ("GET", "/api/operator/keys"),
    ("POST", "/api/operator/keys"),
    ("DELETE", "/api/operator/keys/key_1"),
    ("GET", "/api/operator/audit"),
    ("GET", "/api/operator/deliveries"),
    ("POST", "/api/operator/deliveries/replay"),
]


def operator(house: House) -> httpx.AsyncClient:
    token = house.parts.identity.operator_token("ops", 60)
    return house.client(Authorization=f"Bearer {token}")


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_nobody_but_an_operator_gets_in(server: House, method: str, path: str) -> None:
    identity = server.parts.identity
    bad = [
        {},
        {"Authorization": f"Bearer {identity.token_for('ada', 60)}"},  # a user's
        {"Authorization": f"Bearer {identity.operator_token('ops', -60)}"},  # too old
        {"Authorization": f"Bearer {SECRET}"},
    ]
    for headers in bad:
        async with server.client(**headers) as client:
            refused = await client.request(method, path)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert await server.emergency.halted() is None


async def test_an_operators_token_is_no_users(server: House) -> None:
    """FAILURES 25."""
    async with operator(server) as client:
        assert (await client.get("/api/voice/session/current")).status_code == 401


async def test_the_button_by_http_and_what_a_page_is_told_afterwards(server: House) -> None:
    """FAILURES 24."""
    async with operator(server) as ops, server.client() as page:
        stopped = await ops.post("/api/emergency/shutdown", json={"reason": "Fire drill."})
        assert stopped.status_code == 200
        assert stopped.json()["reason"] == "Fire drill."
        assert (stopped.json()["ended"], stopped.json()["left"]) == (0, 0)
        refused = await page.post("/api/voice/session", json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "halted")
        assert "Fire drill." in refused.json()["message"]
        assert refused.json()["retryable"] is False
        listed = (await ops.get("/api/operator/sessions")).json()
        assert (listed["sessions"], listed["haltReason"]) == ([], "Fire drill.")
        assert (await ops.post("/api/emergency/resume")).json() == {"resumed": True}
        assert (await page.post("/api/voice/session", json={})).status_code == 201


async def test_a_reason_has_a_bound(server: House) -> None:
    async with operator(server) as ops:
        refused = await ops.post("/api/emergency/shutdown", json={"reason": "x" * 301})
        assert refused.status_code == 400
    assert await server.emergency.halted() is None


async def test_an_operator_sees_who_talks_and_ends_one(server: House) -> None:
    session_id = await a_call(server)
    other_id = await a_call(server, "bob")
    server.clock.advance(30)
    async with operator(server) as ops:
        lines = (await ops.get("/api/operator/sessions")).json()["sessions"]
        assert [(s["sessionId"], s["userId"]) for s in lines] == [
            (session_id, "ada"),
            (other_id, "bob"),
        ]
        assert (lines[0]["due"], lines[0]["dueInS"], lines[0]["dueAfterS"]) == ("idle", 90, 120)
        assert lines[0]["bot"]["progress"] == "joined"
        path = f"/api/operator/sessions/{session_id}"
        for _ in range(2):  # said again, it hurries
            ended = await ops.request("DELETE", path, json={"reason": "Too loud."})
            assert (ended.status_code, ended.json()["reason"]) == (200, "kicked")
    session = await server.session(session_id)
    assert (session.reason, session.end_note) == (EndReason.KICKED, "Too loud.")
    assert (await server.session(other_id)).reason is None


async def test_an_operator_sees_dead_deliveries_and_tries_them_again(server: House) -> None:
    kept = server.parts.store.deliveries
    kept.route([an_endpoint("https://app.example")])
    said = [NewEvent("voice.transcript", {"text": "hunter2"}) for _ in range(3)]
    await create(server.parts.store, a_session(), said, [])
    for delivery in await kept.waiting("app", "ses_1", 2):
        await kept.bury(delivery.id, "HTTP 500")
    path = "/api/operator/deliveries"
    async with operator(server) as ops:
        listed = await ops.get(path, params={"dead": True})
        dead = listed.json()["deliveries"]
        assert [(d["event"], d["error"]) for d in dead] == [
            ("ses_1.1", "HTTP 500"),
            ("ses_1.2", "HTTP 500"),
        ]
        assert listed.json()["endpoints"][0]["waiting"] == 1
        assert "hunter2" not in listed.text, "what was said is nobody's to list"
        again = await ops.post(f"{path}/replay", json={"ids": [dead[0]["id"]]})
        assert again.json() == {"replayed": 1}
        assert (await ops.post(f"{path}/replay", json={"all": True})).json() == {"replayed": 3}
        for bad in ({}, {"ids": [1], "all": True}, {"ids": ["one"]}, {"ids": [1] * 1_001}):
            assert (await ops.post(f"{path}/replay", json=bad)).status_code == 400
    assert [len(await kept.listed(state=s, endpoint=None, limit=9)) for s in DeliveryState] == [
        3,
        0,
    ]
    acts = [(e.act, e.detail["count"]) for e in await server.parts.store.audit.listed(limit=9)]
    assert acts == [("delivery.replay", 3), ("delivery.replay", 1)]
