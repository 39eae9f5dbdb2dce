"""API keys: shown once, scoped, bound, taken back; and nobody becomes another by saying so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from greenroom.ports.audit import Act
from greenroom.service.keys import KEY_BYTES
from greenroom.service.names import digest_of
from greenroom.wire.keys import OF_THE_WHOLE_HOUSE, Scope
from tests.api.test_operators import operator
from tests.conftest import House

START = "/api/voice/session"
OFFER = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0 offer"}


async def make(house: House, *scopes: Scope, **more: Any) -> dict[str, Any]:
    """A new key, as the operator is told of it."""
    async with operator(house) as ops:
        body = {"name": "web", "scopes": [scope.value for scope in scopes], **more}
        made = await ops.post("/api/operator/keys", json=body)
        assert made.status_code == 201, made.text
        answer: dict[str, Any] = made.json()
    return answer


async def a_server(
    house: House, *scopes: Scope, user: str = "ada", **more: Any
) -> httpx.AsyncClient:
    """An application's server, which acts for this user."""
    key = (await make(house, *scopes, **more))["key"]
    return house.client(**{"authorization": f"Bearer {key}", "x-greenroom-user": user})


def page_of(house: House, user: str, tenant: str | None = None) -> httpx.AsyncClient:
    token = house.parts.identity.token_for(user, 60, tenant)
    return house.client(authorization=f"Bearer {token}")


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(
    server: House, sqlite_file: Path
) -> None:
    made = await make(server, Scope.READ)
    key = made["key"]
    assert key.startswith("gr_")
    assert len(key) == len("gr_") + 43
    assert KEY_BYTES == 32
    assert made["line"]["begins"] == key[:9]
    async with operator(server) as ops:
        listed = await ops.get("/api/operator/keys")
    assert [line["id"] for line in listed.json()["keys"]] == [made["line"]["id"]]
    assert key[9:] not in listed.text
    content = b"".join(path.read_bytes() for path in sqlite_file.parent.glob("greenroom.db*"))
    assert key[9:].encode() not in content
    assert digest_of(key).encode() in content


async def test_a_revoked_key_is_no_good_from_then_on(server: House) -> None:
    made = await make(server, Scope.READ)
    headers = {"authorization": f"Bearer {made['key']}", "x-greenroom-user": "ada"}
    async with server.client(**headers) as app, operator(server) as ops:
        assert (await app.get(f"{START}/current")).status_code == 204
        path = f"/api/operator/keys/{made['line']['id']}"
        assert (await ops.delete(path)).status_code == 204
        assert code_of(await app.get(f"{START}/current")) == (401, "unauthorized")
        assert code_of(await ops.delete(path)) == (404, "not_found")
        (line,) = (await ops.get("/api/operator/keys")).json()["keys"]
        assert (line["good"], line["revokedAt"] is not None) == (False, True)


async def test_a_key_expires(server: House) -> None:
    app = await a_server(server, Scope.READ, expiresInDays=1)
    async with app:
        server.clock.advance(86_399)
        assert (await app.get(f"{START}/current")).status_code == 204
        server.clock.advance(1)
        assert code_of(await app.get(f"{START}/current")) == (401, "unauthorized")


async def test_the_last_use_is_noted_once_a_minute(server: House) -> None:
    used: list[float | None] = []
    app = await a_server(server, Scope.READ)
    async with app:
        for pause_s in (0, 30, 31):
            server.clock.advance(pause_s)
            await app.get(f"{START}/current")
            used.append((await server.parts.store.keys.listed())[0].last_used_at)
    now = server.clock.now()
    assert used == [now - 61, now - 61, now]


@pytest.mark.parametrize(
    "shown",
    [
        "gr_",
        "gr_" + "A" * 43,
        "gr_" + "A" * 42 + "é",
        "gr_" + "A" * 9_000,
        "gr_" + "%" * 43,
    ],
)
async def test_what_only_looks_like_a_key_is_refused(server: House, shown: str) -> None:
    headers = {b"authorization": f"Bearer {shown}".encode(), b"x-greenroom-user": b"ada"}
    async with httpx.AsyncClient(base_url=server.address, headers=headers) as eve:
        for method, path in (("GET", f"{START}/current"), ("POST", "/api/emergency/shutdown")):
            assert code_of(await eve.request(method, path)) == (401, "unauthorized")


# ---- scopes

_DOORS: dict[Scope, Sequence[tuple[str, str, Any]]] = {
    Scope.START: [
        ("POST", START, {}),
        ("POST", f"{START}/ses_1/offer", OFFER),
        ("PATCH", f"{START}/ses_1/offer", {"offerId": "offer-0001", "candidates": []}),
        ("POST", "/start", {}),
        ("POST", "/api/offer", {"sdp": "v=0", "type": "offer"}),
        ("POST", "/sessions/ses_1/api/offer", {"sdp": "v=0", "type": "offer"}),
    ],
    Scope.READ: [
        ("GET", f"{START}/current", None),
        ("GET", f"{START}/ses_1", None),
        ("POST", f"{START}/ses_1/ticket", None),
        ("GET", "/api/voice/cost", None),
        ("GET", "/api/voice/estimate", None),
        ("GET", "/api/voice/provider", None),
        ("GET", "/api/voice/assistants", None),
    ],
    Scope.CONTROL: [
        ("POST", "/api/voice/mute", {"sessionId": "ses_1", "isMuted": True, "timestamp": 1}),
        ("POST", "/api/voice/pause", {"sessionId": "ses_1", "paused": True}),
        ("POST", f"{START}/ses_1/message", {"text": "hello"}),
    ],
    Scope.DIRECT: [
        ("POST", f"{START}/ses_1/say", {"text": "hello"}),
        ("POST", f"{START}/ses_1/context", {"text": "it rains"}),
        ("POST", f"{START}/ses_1/adjust", {"persona": "a teacher"}),
    ],
    Scope.END: [("DELETE", f"{START}/ses_1", None)],
    Scope.TOKENS: [("POST", "/api/tokens", {"userId": "ada"})],
    Scope.DELIVERIES: [
        ("GET", "/api/operator/deliveries", None),
        ("POST", "/api/operator/deliveries/replay", {"ids": [17]}),
    ],
    Scope.ASSISTANTS: [
        ("GET", "/api/operator/assistants", None),
        ("PUT", "/api/operator/assistants/mary", {"record": {}, "basedOn": 0}),
        ("DELETE", "/api/operator/assistants/mary", None),
        ("GET", "/api/operator/assistant-schema", None),
        ("GET", "/api/operator/rollout", None),
        ("POST", "/api/operator/assistant-checks", {"record": {"name": "mary"}}),
        ("POST", "/api/operator/assistants/mary/publish", {}),
        ("POST", "/api/operator/assistants/mary/kill", {}),
    ],
    Scope.OUTCOMES: [
        ("POST", "/api/rollout/outcomes", {"id": "c1", "assistant": "mary", "startedAt": 1}),
    ],
    Scope.OPERATE: [
        ("GET", "/api/operator/sessions", None),
        ("GET", "/api/operator/cost", None),
        ("DELETE", "/api/operator/sessions/ses_1", None),
        ("POST", "/api/operator/sessions/ses_1/say", {"text": "hello"}),
        ("POST", "/api/operator/sessions/ses_1/context", {"text": "it rains"}),
        ("POST", "/api/operator/sessions/ses_1/adjust", {"persona": "a teacher"}),
        ("POST", "/api/emergency/resume", None),
        ("POST", "/api/emergency/shutdown", None),
        ("GET", "/api/operator/keys", None),
        ("POST", "/api/operator/keys", {"name": "x", "scopes": ["operate"]}),
        ("DELETE", "/api/operator/keys/key_1", None),
        ("GET", "/api/operator/audit", None),
    ],
}


# What operators may is a key's with the scope of their own, too.
_OPERATORS = (Scope.DELIVERIES, Scope.ASSISTANTS)
_BEGIN_SOMETHING = (START, "/start", "/api/offer", "/api/emergency/shutdown")


@pytest.mark.parametrize("scope", _DOORS)
async def test_a_key_opens_the_doors_of_its_scope_and_no_other(server: House, scope: Scope) -> None:
    app = await a_server(server, scope)
    async with app:
        for of, doors in _DOORS.items():
            for method, path, body in doors:
                if of is scope and path in _BEGIN_SOMETHING:
                    continue  # tried elsewhere
                answer = await app.request(method, path, json=body)
                opened = answer.status_code not in (401, 403)
                expected = of is scope or (scope is Scope.OPERATE and of in _OPERATORS)
                assert opened == expected, (method, path, answer.text)
    assert await server.parts.store.unended() == []
    assert await server.emergency.halted() is None


async def test_every_scope_has_a_door() -> None:
    assert {*_DOORS} | {Scope.METRICS} == set(Scope)


# ---- in a user's name


async def test_a_server_acts_for_the_user_whom_it_names_and_it_is_on_record(server: House) -> None:
    scopes = (Scope.START, Scope.READ, Scope.CONTROL, Scope.END)
    app = await a_server(server, *scopes)
    async with app, page_of(server, "ada") as ada, page_of(server, "bob") as bob:
        started = await app.post(START, json={})
        assert started.status_code == 201
        session_id = started.json()["session"]["sessionId"]
        assert (await server.session(session_id)).user_id == "ada"
        assert (await ada.get(f"{START}/current")).json()["sessionId"] == session_id
        assert (await bob.get(f"{START}/{session_id}")).status_code == 404
        for_bob = {"x-greenroom-user": "bob"}
        other = await app.delete(f"{START}/{session_id}", headers=for_bob)
        assert code_of(other) == (404, "not_found")
        mute = {"sessionId": session_id, "isMuted": True, "timestamp": 1}
        assert (await app.post("/api/voice/mute", json=mute)).json()["muted"] is True
        assert (await app.delete(f"{START}/{session_id}")).json()["reason"] == "user"
    told = await server.parts.store.audit.listed(limit=10)
    assert [(e.act, e.target, e.outcome, e.detail["user"]) for e in told[:-1]] == [
        (Act.END, session_id, "done", "ada"),
        (Act.MUTE, session_id, "done", "ada"),
        (Act.END, session_id, "not_found", "bob"),
        (Act.START, session_id, "done", "ada"),
    ]
    assert {(e.actor.kind, e.actor.name, e.actor.address) for e in told[:-1]} == {
        ("key", "web", "127.0.0.1")
    }


async def test_what_a_key_may_not_do_is_on_record_too(server: House) -> None:
    app = await a_server(server, Scope.READ)
    async with app:
        assert code_of(await app.post(START, json={})) == (403, "forbidden")
        assert code_of(await app.post(START, json={"wait": "perhaps"})) == (403, "forbidden")
    told = await server.parts.store.audit.listed(limit=2)
    assert [(entry.act, entry.outcome) for entry in told] == [(Act.START, "forbidden")] * 2
    app = await a_server(server, Scope.START)
    async with app:
        assert code_of(await app.post(START, json={"wait": "perhaps"})) == (400, "bad_request")
    (entry, *_) = await server.parts.store.audit.listed(limit=1)
    assert (entry.act, entry.outcome) == (Act.START, "failed")


async def test_a_server_has_to_name_a_user(server: House) -> None:
    app = await a_server(server, Scope.START, Scope.READ, user="")
    async with app:
        for named in ("", "%20", "%00", "a%0Ab", "x" * 256, "%FF", "%C3%A9" * 256):
            answer = await app.get(f"{START}/current", headers={"x-greenroom-user": named})
            assert code_of(answer) == (400, "bad_request"), named
        zoe = {"x-greenroom-user": "Zo%C3%AB+1@example.com"}
        started = await app.post(START, json={}, headers=zoe)
        session = await server.session(started.json()["session"]["sessionId"])
        assert session.user_id == "Zoë+1@example.com"


@pytest.mark.parametrize("header", ["x-greenroom-user", "x-greenroom-tenant"])
async def test_nobody_becomes_another_user_by_saying_so(server: House, header: str) -> None:
    """FAILURES.md, 25: a user id sent by the browser is believed."""
    async with page_of(server, "ada") as ada:
        session_id = (await ada.post(START, json={})).json()["session"]["sessionId"]
    said = {"userId": "ada", "user_id": "ada", "user": "ada", "tenant": "default", "sub": "ada"}
    async with page_of(server, "eve") as eve, server.client() as visitor:
        for page in (eve, visitor):
            for method, path in (
                ("GET", f"{START}/current"),
                ("GET", f"{START}/{session_id}"),
                ("DELETE", f"{START}/{session_id}"),
                ("POST", START),
                ("POST", "/start"),
            ):
                answer = await page.request(method, path, json=said, headers={header: "ada"})
                assert code_of(answer) == (403, "forbidden")
            # In a body or an address it is nothing but a field that nobody reads.
            started = await page.post(f"{START}?userId=ada&user=ada", json={**said, "body": said})
            other = await server.session(started.json()["session"]["sessionId"])
            assert other.id != session_id
            assert other.user_id != "ada"
    assert (await server.session(session_id)).reason is None


# ---- tenants


async def test_a_bound_key_touches_no_other_tenant(server: House) -> None:
    every = [scope for scope in Scope if scope not in OF_THE_WHOLE_HOUSE]
    acme = await a_server(server, *every, tenant="acme")
    async with acme, page_of(server, "ada", "globex") as theirs, page_of(server, "ada") as ours:
        for page in (theirs, ours):
            session_id = (await page.post(START, json={})).json()["session"]["sessionId"]
            path = f"{START}/{session_id}"
            for method, door in (("GET", path), ("DELETE", path), ("POST", f"{path}/ticket")):
                assert code_of(await acme.request(method, door)) == (404, "not_found")
            answer = await acme.post(f"{path}/offer", json=OFFER)
            assert code_of(answer) == (409, "offer_conflict")
            assert (await acme.get(f"{START}/current")).status_code == 204
            assert (await server.session(session_id)).reason is None
        for tenant in ("globex", "default", "ACME"):
            said = {"x-greenroom-tenant": tenant}
            assert code_of(await acme.get(f"{START}/current", headers=said)) == (403, "forbidden")
            minted = await acme.post("/api/tokens", json={"userId": "ada", "tenant": tenant})
            assert code_of(minted) == (403, "forbidden")
        own = await acme.post(START, json={}, headers={"x-greenroom-tenant": "acme"})
        assert (await server.session(own.json()["session"]["sessionId"])).tenant == "acme"
        # Nor does whoever has a token that it has minted.
        token = (await acme.post("/api/tokens", json={"userId": "ada"})).json()["token"]
        async with server.client(authorization=f"Bearer {token}") as minted_ada:
            assert code_of(await minted_ada.get(path)) == (404, "not_found")


@pytest.mark.parametrize("scope", sorted(OF_THE_WHOLE_HOUSE))
async def test_what_is_the_whole_houses_is_no_tenants(server: House, scope: Scope) -> None:
    async with operator(server) as ops:
        body = {"name": "web", "scopes": [scope.value], "tenant": "acme"}
        refused = await ops.post("/api/operator/keys", json=body)
        assert code_of(refused) == (400, "bad_request")
        assert scope.value in refused.json()["message"]
    assert await server.parts.store.keys.listed() == []
    assert await server.parts.store.audit.listed(limit=10) == []


async def test_an_unbound_key_says_which_tenant(server: House) -> None:
    app = await a_server(server, Scope.START)
    async with app:
        for tenant in ("acme", None):
            said = {"x-greenroom-tenant": tenant} if tenant else {}
            started = await app.post(START, json={}, headers=said)
            session = await server.session(started.json()["session"]["sessionId"])
            assert session.tenant == (tenant or "default")


# ---- tokens for users


async def test_a_server_gets_a_token_for_its_own_signed_in_user(server: House) -> None:
    app = await a_server(server, Scope.TOKENS)
    async with app:
        minted = (await app.post("/api/tokens", json={"userId": "ada", "tenant": "acme"})).json()
        assert (minted["userId"], minted["tenant"], minted["expiresInS"]) == ("ada", "acme", 900)
        async with server.client(authorization=f"Bearer {minted['token']}") as page:
            session_id = (await page.post(START, json={})).json()["session"]["sessionId"]
        session = await server.session(session_id)
        assert (session.user_id, session.tenant) == ("ada", "acme")
        for bad in (
            {},
            {"userId": ""},
            {"userId": "x" * 256},
            {"userId": "a\n"},
            {"userId": "ada", "lifetimeS": 3_601},
            {"userId": "ada", "lifetimeS": 0},
            {"userId": "ada", "tenant": ""},
        ):
            assert code_of(await app.post("/api/tokens", json=bad)) == (400, "bad_request"), bad
    (entry, *_) = await server.parts.store.audit.listed(limit=1)
    assert (entry.act, entry.target, entry.detail["tenant"]) == (Act.USER_TOKEN, "ada", "acme")
    assert minted["token"] not in json.dumps(entry.detail)


async def test_nobody_but_a_server_mints_tokens(server: House) -> None:
    async with page_of(server, "ada") as ada, operator(server) as ops, server.client() as nobody:
        for asker in (ada, ops, nobody):
            refused = await asker.post("/api/tokens", json={"userId": "bob"})
            assert code_of(refused) == (401, "unauthorized")
