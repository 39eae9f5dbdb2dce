"""The HTTP door: one round trip to a call, and every refusal with a code."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from greenroom.api.identity import COOKIE
from greenroom.ports.launcher import ExitCause, LaunchOrder
from greenroom.session.model import EndReason, Stage
from greenroom.wire.link import Command, CommandDone, CommandKind, OfferRefused, ReportKind
from tests.api.fakebot import FakeBot
from tests.conftest import House

OFFER = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0 offer"}


async def the_order(house: House) -> LaunchOrder:
    await house.until_true(lambda: bool(house.launcher.orders))
    return list(house.launcher.orders.values())[-1]


async def a_call(house: House, client: httpx.AsyncClient) -> tuple[dict[str, Any], FakeBot]:
    """Start with an offer, as the page does, with a bot that answers."""
    starting = asyncio.create_task(client.post("/api/voice/session", json={"offer": OFFER}))
    bot = await FakeBot.join(house, await the_order(house))
    await bot.answer_offer()
    response = await starting
    assert response.status_code == 201, response.text
    await bot.report(ReportKind.BOT_JOINED)
    await bot.report(ReportKind.USER_JOINED, participant="page-0001")
    return response.json(), bot


async def test_one_round_trip_from_offer_to_answer(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        assert body["answer"] == {"offerId": "offer-0001", "sdp": "v=0 answer", "pcId": "pc-1"}
        assert body["reused"] is False
        assert body["session"]["status"] == "connecting"
        assert body["session"]["room"]["name"].startswith("voice-guest-")
        got = await client.get(f"/api/voice/session/{body['session']['sessionId']}")
        assert got.json()["status"] == "active"
        current = await client.get("/api/voice/session/current", params={"assistant": "cards"})
        assert current.json() == got.json()
        other = await client.get("/api/voice/session/current", params={"assistant": "mary"})
        assert other.status_code == 204
        await bot.close()


async def test_the_visitor_keeps_a_name_by_a_cookie_no_script_can_read(server: House) -> None:
    async with server.client() as client:
        response = await client.get("/api/voice/session/current")
        assert response.status_code == 204
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        again = await client.get("/api/voice/session/current")
        assert "set-cookie" not in again.headers


async def test_a_second_start_finds_the_running_session(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        second = await client.post("/api/voice/session", json={})
        assert second.status_code == 200
        assert second.json()["reused"] is True
        assert second.json()["session"]["sessionId"] == body["session"]["sessionId"]
        current = await client.get("/api/voice/session/current")
        assert current.json()["sessionId"] == body["session"]["sessionId"]
        await bot.close()


async def test_a_forged_or_foreign_cookie_makes_a_new_visitor(server: House) -> None:
    """FAILURES 25."""
    async with server.client() as client:
        body, bot = await a_call(server, client)
        session_id = body["session"]["sessionId"]
        stranger = {COOKIE: client.cookies[COOKIE][:-4] + "AAAA"}
        async with httpx.AsyncClient(base_url=server.address, cookies=stranger) as eve:
            for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/ticket")):
                response = await eve.request(method, f"/api/voice/session/{session_id}{path}")
                assert (response.status_code, response.json()["code"]) == (404, "not_found")
            foreign = await eve.post(f"/api/voice/session/{session_id}/offer", json=OFFER)
            assert (foreign.status_code, foreign.json()["code"]) == (409, "offer_conflict")
            muted = {"sessionId": session_id, "isMuted": True, "timestamp": 1}
            assert (await eve.post("/api/voice/mute", json=muted)).status_code == 404
        await bot.close()


async def test_delete_ends_and_says_so_twice(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        path = f"/api/voice/session/{body['session']['sessionId']}"
        first, second = [await client.delete(path) for _ in range(2)]
        assert first.json()["status"] == second.json()["status"] == "disconnecting"
        assert first.json()["reason"] == "user"
        command = await bot.receive()
        assert isinstance(command, Command)
        assert command.kind is CommandKind.END
        await bot.send(CommandDone(command_id=command.command_id))
        await server.launcher.exit(bot.launch_id)
        await server.until(lambda s: s.stage is Stage.ENDED, body["session"]["sessionId"])
        assert (await client.delete(path)).json()["status"] == "inactive"
        late = await client.post(f"{path}/offer", json=OFFER)
        assert (late.status_code, late.json()["code"]) == (410, "session_ended")


async def test_mute_reaches_the_bot_in_the_pages_order(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        mute = {"sessionId": body["session"]["sessionId"], "isMuted": True, "timestamp": 2_000}
        assert (await client.post("/api/voice/mute", json=mute)).json()["muted"] is True
        command = await bot.receive()
        assert isinstance(command, Command)
        assert (command.kind, command.data) == (CommandKind.MUTE, {"muted": True})
        late = {**mute, "isMuted": False, "timestamp": 1_000}
        assert (await client.post("/api/voice/mute", json=late)).json()["muted"] is True
        await bot.close()


async def test_a_timestamp_beyond_measure_is_refused(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        mute = {"sessionId": body["session"]["sessionId"], "isMuted": True, "timestamp": 2**63}
        refused = await client.post("/api/voice/mute", json=mute)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
        await bot.close()


async def test_an_offer_the_bot_cannot_use_is_told_and_leaves_no_session(server: House) -> None:
    async with server.client() as client:
        starting = asyncio.create_task(client.post("/api/voice/session", json={"offer": OFFER}))
        order = await the_order(server)
        bot = await FakeBot.join(server, order)
        await bot.receive()
        await bot.send(
            OfferRefused(offer_id="offer-0001", code="bad_offer", message="The offer has no audio.")
        )
        response = await starting
        assert response.status_code == 400
        assert response.json()["code"] == "bad_offer"
        assert response.json()["message"] == response.json()["detail"] == "The offer has no audio."
        session = await server.session(order.session_id)
        assert (session.stage, session.reason) == (Stage.ENDING, EndReason.NO_SHOW)
        await bot.close()


async def test_a_bad_offer_into_a_running_session_leaves_it_alone(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        again = {"offer": {**OFFER, "id": "offer-0002"}}
        starting = asyncio.create_task(client.post("/api/voice/session", json=again))
        await bot.receive()
        await bot.send(OfferRefused(offer_id="offer-0002", code="bad_offer", message="No."))
        assert (await starting).status_code == 400
        assert (await server.session(body["session"]["sessionId"])).stage is Stage.ACTIVE
        await bot.close()


async def test_a_visitor_whose_first_call_fails_comes_back_as_the_same(server: House) -> None:
    async with server.client() as client:
        starting = asyncio.create_task(client.post("/api/voice/session", json={"offer": OFFER}))
        order = await the_order(server)
        bot = await FakeBot.join(server, order)
        await bot.receive()
        await bot.send(OfferRefused(offer_id="offer-0001", code="bad_offer", message="No."))
        assert (await starting).status_code == 400
        again = (await client.post("/api/voice/session", json={})).json()["session"]
        first, second = [await server.session(i) for i in (order.session_id, again["sessionId"])]
        assert first.user_id == second.user_id
        await bot.close()


async def test_a_bot_that_cannot_be_loaded_is_told_to_whoever_waits(server: House) -> None:
    """FAILURES 4."""
    async with server.client() as client:
        starting = asyncio.create_task(client.post("/api/voice/session", json={"offer": OFFER}))
        order = await the_order(server)
        await server.launcher.exit(order.launch_id, ExitCause.IMPORT_FAILED, 1)
        response = await starting
        assert response.status_code == 502
        assert response.json()["code"] == "launch_failed"
        assert response.json()["facts"]["reason"] == "launch_failed"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b'{"assistant": "nobody"}', 404, "not_found"),
        (
            b'{"offer": {"id": "short", "participant": "page-0001", "sdp": "v=0"}}',
            400,
            "bad_request",
        ),
        (b'{"offer": {"id": "offer-0001", "participant": "page-0001"}}', 400, "bad_request"),
        (b'{"body": "' + b"x" * 300_000 + b'"}', 413, "too_large"),
    ],
)
async def test_bad_starts_are_refused_and_leave_nothing(
    server: House, content: bytes, status: int, code: str
) -> None:
    async with server.client(**{"content-type": "application/json"}) as client:
        response = await client.post("/api/voice/session", content=content)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert await server.parts.store.unended() == []


@pytest.mark.parametrize(
    ("path", "content", "field", "words"),
    [
        ("/api/voice/session", b'{"wait": maybe}', None, "The body is not JSON"),
        ("/api/voice/session", b'{"limits": {"idle": 60}}', "limits.idle", "not permitted"),
        ("/api/voice/mute", b'{"sessionId": "x", "isMuted": 1}', "timestamp", "required"),
        ("/api/voice/estimate?minutes=-1", None, "minutes", "greater than 0"),
    ],
)
async def test_a_refusal_says_where_it_is_wrong(
    server: House, path: str, content: bytes | None, field: str | None, words: str
) -> None:
    async with server.client(**{"content-type": "application/json"}) as client:
        method = "GET" if content is None else "POST"
        body = (await client.request(method, path, content=content)).json()
        assert (body["code"], body.get("facts", {}).get("field")) == ("bad_request", field)
        assert words in body["message"]


async def test_a_megabyte_without_a_length_is_not_read(server: House) -> None:
    async def endless() -> Any:
        for _ in range(1024):
            yield b"x" * 1024

    async with server.client(**{"content-type": "application/json"}) as client:
        response = await client.post("/api/voice/session", content=endless())
        assert response.json()["code"] == "too_large"


async def test_a_foreign_host_name_is_refused(server: House) -> None:
    async with server.client(host="evil.example") as client:
        assert (await client.get("/healthz")).status_code == 400


async def test_without_anonymous_visitors_a_token_is_needed(server: House) -> None:
    strict = type(server.parts.identity)(server.parts.identity.secret, anonymous=False)
    token = strict.token_for("ada", 60)
    async with server.client() as client:
        app_client = {"Authorization": f"Bearer {token}"}
        assert (
            await client.get("/api/voice/session/current", headers=app_client)
        ).status_code == 204
        # {"alg":["HS256"]} and a header of brackets that never close are among them.
        hostile = (
            "eyJhbGciOlsiSFMyNTYiXX0.e30.",
            "W1tb" * 2_000 + ".e30.",
            ".",
            "..",
            "e30.e30.e30",
        )
        for bad in ("nonsense", strict.token_for("ada", -60), *hostile):
            refused = await client.get(
                "/api/voice/session/current", headers={"Authorization": f"Bearer {bad}"}
            )
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


async def test_health_readiness_metrics_and_description(server: House) -> None:
    async with server.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert "greenroom_sessions_started_total" in (await client.get("/metrics")).text
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert "/api/voice/session" in paths
        docs = (await client.get("/docs")).text
        assert "https://" not in docs, "the description must not load anything from elsewhere"
        server.launcher.broken = True
        refused = await client.get("/readyz")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("level", "status"), [("launched", 409), ("observed", 409), ("attached", 202), (None, 202)]
)
async def test_a_bot_that_cannot_read_is_not_written_to(
    server: House, level: str | None, status: int
) -> None:
    async with server.client() as client:
        started = (await client.post("/api/voice/session", json={})).json()["session"]
        bot = await FakeBot.join(server, await the_order(server))
        await bot.report(ReportKind.BOT_JOINED, **({"level": level} if level else {}))
        await bot.report(ReportKind.USER_JOINED, participant="page-0001")
        path = f"/api/voice/session/{started['sessionId']}"
        answer = await client.post(f"{path}/message", json={"text": "hello"})
        assert answer.status_code == status
        words = (await client.get(f"{path}/transcript")).json()
        assert ("hello" in str(words)) == (status == 202)
        if status == 409:
            assert answer.json()["code"] == "cannot_read"
        await bot.close()
