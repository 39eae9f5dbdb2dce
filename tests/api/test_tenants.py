"""Two tenants, each with an “ada”: to each other they do not exist."""

from __future__ import annotations

import httpx
import pytest

from greenroom.session.policy import Quotas
from tests.conftest import House

START = "/api/voice/session"
OFFER = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0 offer"}


@pytest.fixture
def quotas() -> Quotas:
    return Quotas(user_live=1, day=None)


def ada_of(house: House, tenant: str | None) -> httpx.AsyncClient:
    token = house.parts.identity.token_for("ada", 60, tenant)
    return house.client(authorization=f"Bearer {token}")


@pytest.mark.parametrize("other", ["globex", None])
async def test_the_same_id_in_another_tenant_is_somebody_else(
    server: House, other: str | None
) -> None:
    async with ada_of(server, "acme") as ours, ada_of(server, other) as theirs:
        session = (await ours.post(START, json={})).json()["session"]
        path = f"{START}/{session['sessionId']}"
        mute = {"sessionId": session["sessionId"], "isMuted": True, "timestamp": 1}
        pause = {"sessionId": session["sessionId"], "paused": True}
        doors = [
            theirs.get(path),
            theirs.delete(path),
            theirs.post(f"{path}/ticket"),
            theirs.post(f"{path}/message", json={"text": "hello"}),
            theirs.patch(f"{path}/offer", json={"offerId": "offer-0001", "candidates": []}),
            theirs.post("/api/voice/mute", json=mute),
            theirs.post("/api/voice/pause", json=pause),
        ]
        for asked in doors:
            refused = await asked
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        for door in (f"{path}/offer", f"/sessions/{session['sessionId']}/api/offer"):
            offer = await theirs.post(door, json={**OFFER, "type": "offer"})
            assert (offer.status_code, offer.json()["code"]) == (409, "offer_conflict")
        assert (await theirs.get(f"{START}/current")).status_code == 204

        own = await theirs.post(START, json={})
        assert (own.status_code, own.json()["reused"]) == (201, False)
        assert own.json()["session"]["room"]["name"] != session["room"]["name"]
        current = (await ours.get(f"{START}/current")).json()
        assert current["sessionId"] == session["sessionId"]


async def test_the_stock_doors_know_tenants_too(server: House) -> None:
    async with ada_of(server, "acme") as ours:
        started = (await ours.post("/start", json={})).json()
        assert (await server.session(started["sessionId"])).tenant == "acme"


async def test_a_visitors_cookie_is_no_token(server: House) -> None:
    """On a public server with the same secret it would be somebody nobody has signed in."""
    async with server.client() as page:
        await page.get(f"{START}/current")
        cookie = page.cookies["greenroom_visitor"]
    async with server.client(authorization=f"Bearer {cookie}") as eve:
        assert (await eve.get(f"{START}/current")).status_code == 401
