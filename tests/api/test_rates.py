"""Too many calls in a short time: 429, a code, and when to come back. Nobody else is bothered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from greenroom import assembly
from greenroom.session.policy import Quotas
from greenroom.session.rates import Rate
from greenroom.wire.keys import Scope
from tests.api.test_keys import a_server, make, page_of
from tests.conftest import House

START = "/api/voice/session"
OFFER = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0 offer"}
MUTE = {"sessionId": "ses_1", "isMuted": True, "timestamp": 1}
PAUSE = {"sessionId": "ses_1", "paused": True}


@pytest.fixture
def plan(quotas: Quotas, plan: assembly.Plan) -> assembly.Plan:
    """Three of everything in a minute, and six calls of a key."""
    return replace(plan, rates={**dict.fromkeys(Rate, 3), Rate.KEY_CALLS: 6})


def is_limited(answer: httpx.Response, rate: Rate) -> bool:
    if answer.status_code != 429:
        return False
    body = answer.json()
    assert (body["code"], body["retryable"]) == ("rate_limited", True)
    assert body["facts"]["rate"] == rate.value
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    return True


@pytest.mark.parametrize(
    ("rate", "doors"),
    [
        (Rate.STARTS, [("POST", START, {}), ("POST", "/start", {})]),
        (
            Rate.OFFERS,
            [
                ("POST", f"{START}/ses_1/offer", OFFER),
                ("POST", "/sessions/ses_1/api/offer", {"sdp": "v=0", "type": "offer"}),
            ],
        ),
        (Rate.CONTROLS, [("POST", "/api/voice/mute", MUTE), ("POST", "/api/voice/pause", PAUSE)]),
        (Rate.MESSAGES, [("POST", f"{START}/ses_1/message", {"text": "hi"})]),
        (Rate.TICKETS, [("POST", f"{START}/ses_1/ticket", None)]),
    ],
)
async def test_a_user_who_asks_too_often_is_told_to_slow_down(
    server: House, rate: Rate, doors: list[tuple[str, str, Any]]
) -> None:
    async with page_of(server, "ada") as ada, page_of(server, "bob") as bob:
        for n in range(3):
            method, path, body = doors[n % len(doors)]
            assert not is_limited(await ada.request(method, path, json=body), rate)
        for method, path, body in doors:
            assert is_limited(await ada.request(method, path, json=body), rate)
            assert not is_limited(await bob.request(method, path, json=body), rate)
        # Reading and ending are never kept from anybody.
        for _ in range(8):
            assert (await ada.get(f"{START}/current")).status_code in (200, 204)
            assert (await ada.delete(f"{START}/ses_none")).status_code == 404


async def test_a_visitor_is_known_by_the_cookie_and_before_that_by_the_address(
    server: House,
) -> None:
    async with server.client() as page:
        await page.get(f"{START}/current")
        for _ in range(3):
            assert not is_limited(await page.post(START, json={}), Rate.STARTS)
        assert is_limited(await page.post(START, json={}), Rate.STARTS)
    for number in range(4):  # each without a cookie is a new visitor
        async with server.client() as nobody:
            answer = await nobody.post(START, json={})
            assert is_limited(answer, Rate.STARTS) == (number == 3)
            assert "set-cookie" in answer.headers


async def test_a_server_is_limited_by_its_user_and_in_all(server: House) -> None:
    app = await a_server(server, Scope.START)
    async with app, page_of(server, "ada") as ada:
        for _ in range(3):
            assert not is_limited(await app.post(START, json={}), Rate.STARTS)
        assert is_limited(await app.post(START, json={}), Rate.STARTS)
        assert is_limited(await ada.post(START, json={}), Rate.STARTS), "it is the same user"
        told = await server.parts.store.audit.listed(limit=10)
        assert len(told) == 4, "what is too often fills no log"
        for number in range(3):
            bob = {"x-greenroom-user": f"bob-{number}"}
            answer = await app.post(START, json={}, headers=bob)
            assert is_limited(answer, Rate.KEY_CALLS) == (number == 2)


async def test_tokens_are_limited_by_the_key(server: House) -> None:
    app = await a_server(server, Scope.TOKENS)
    async with app:
        for number in range(3):
            minted = await app.post("/api/tokens", json={"userId": f"user-{number}"})
            assert minted.status_code == 201
        assert is_limited(await app.post("/api/tokens", json={"userId": "x"}), Rate.TOKENS)


async def test_bad_logins_are_limited_and_lock_nobody_out(server: House) -> None:
    bad = [
        "gr_" + "A" * 43,
        "nonsense",
        server.parts.identity.token_for("ada", -60),
        server.parts.identity.operator_token("ops", -60),
    ]
    key = (await make(server, Scope.READ))["key"]
    async with server.client() as client:
        for number, token in enumerate(bad * 2):
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.get("/api/operator/sessions", headers=headers)
            assert is_limited(answer, Rate.BAD_LOGINS) == (number >= 3)
            assert answer.status_code in (401, 429)
        metrics = (await client.get("/metrics")).text
        assert 'greenroom_tokens_refused_total{kind="key"} 2.0' in metrics
        assert 'greenroom_tokens_refused_total{kind="token"} 6.0' in metrics
    good = {"authorization": f"Bearer {key}", "x-greenroom-user": "ada"}
    async with server.client(**good) as app, page_of(server, "ada") as ada:
        assert (await app.get(f"{START}/current")).status_code == 204
        assert (await ada.get(f"{START}/current")).status_code == 204
