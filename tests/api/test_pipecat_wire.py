"""Pipecat's own wire, as a stock client speaks it, against the whole server with a bot by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from greenroom.api.identity import COOKIE
from greenroom.api.pipecat import STOCK_PERSISTENCE_S
from greenroom.session.model import DeadlineKind, EndReason, Session, Stage
from greenroom.wire.link import (
    MAX_SESSION_BODY_BYTES,
    Candidates,
    Offer,
    OfferRefused,
    ReportKind,
)
from greenroom.wire.pipecat import Peer
from tests.api.fakebot import FakeBot
from tests.api.test_voice import the_order
from tests.conftest import House

OFFER = {"sdp": "v=0 offer", "type": "offer", "pc_id": None, "restart_pc": False}
ELSEWHERE = "https://app.example"
Json = dict[str, Any]


async def start(client: httpx.AsyncClient, **request: Any) -> str:
    response = await client.post("/start", json={"transport": "webrtc", **request})
    assert response.status_code == 200, response.text
    return str(response.json()["sessionId"])


def offer_path(session_id: str) -> str:
    return f"/sessions/{session_id}/api/offer"


async def answered(
    client: httpx.AsyncClient, path: str, bot: FakeBot, **changes: Any
) -> tuple[Json, Offer]:
    """Offer, let the bot answer; returns what the client got and what the bot was asked."""
    asking = asyncio.create_task(client.post(path, json={**OFFER, **changes}))
    offer = await bot.answer_offer()
    response = await asking
    assert response.status_code == 200, response.text
    return response.json(), offer


async def joined(server: House, session_id: str, bot: FakeBot, participant: str) -> None:
    await bot.report(ReportKind.BOT_JOINED)
    await bot.report(ReportKind.USER_JOINED, participant=participant)
    assert (await server.session(session_id)).stage is Stage.ACTIVE


async def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code; every refusal is JSON whose `detail` the stock client shows."""
    body = response.json()
    assert body["detail"] == body["message"] != ""
    return response.status_code, body["code"]


async def test_start_and_offer_as_a_stock_client_does(server: House) -> None:
    async with server.client() as client:
        session_id = await start(client, body={"name": "Ada"}, unknown=1)
        bot = await FakeBot.dial(server, (await the_order(server)).launch_id)
        welcome = await bot.hello()
        assert welcome.session.body == {"name": "Ada"}
        answer, offer = await answered(client, offer_path(session_id), bot)
        assert answer == {"sdp": "v=0 answer", "type": "answer", "pc_id": answer["pc_id"]}
        assert offer.sdp == "v=0 offer"
        await joined(server, session_id, bot, offer.participant)
        await bot.close()


async def test_a_reconnecting_client_is_the_same_page_and_a_reloaded_one_is_not(
    server: House,
) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        path = offer_path(session_id)
        answer, first = await answered(client, path, bot)
        again = {"pc_id": answer["pc_id"], "restart_pc": True, "sdp": "v=0 again"}
        answer, second = await answered(client, path, bot, **again)
        changed = {"pc_id": answer["pc_id"], "restart_pc": False, "sdp": "v=0 changed"}
        _, third = await answered(client, path, bot, **changed)
        _, reloaded = await answered(client, path, bot, sdp="v=0 reloaded")
        assert first.participant == second.participant == third.participant
        assert [o.renegotiates for o in (first, second, third)] == [False, False, True]
        assert reloaded.participant != first.participant
        assert not reloaded.renegotiates
        assert len({o.offer_id for o in (first, second, third, reloaded)}) == 4
        await bot.close()


async def test_a_page_that_was_replaced_does_not_come_back(server: House) -> None:
    """FAILURES 10."""
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        path = offer_path(session_id)
        older, _ = await answered(client, path, bot)
        _, newer = await answered(client, path, bot, sdp="v=0 newer")
        await joined(server, session_id, bot, newer.participant)
        back = {**OFFER, "pc_id": older["pc_id"], "restart_pc": True, "sdp": "v=0 back"}
        assert await refusal(await client.post(path, json=back)) == (409, "offer_conflict")
        await bot.report(ReportKind.USER_LEFT, participant=newer.participant, why="closed")
        await answered(client, path, bot, **back)
        await bot.close()


async def test_the_same_offer_twice_is_one_page_and_one_bot(server: House) -> None:
    """FAILURES 6."""
    async with server.client() as client:
        path = offer_path(await start(client))
        bot = await FakeBot.join(server, await the_order(server))
        first, one = await answered(client, path, bot)
        second, two = await answered(client, path, bot)
        assert (first, one) == (second, two)
        assert len(server.launcher.orders) == 1
        await bot.close()


async def test_candidates_belong_to_the_offer_of_their_pc_id(server: House) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        answer, offer = await answered(client, offer_path(session_id), bot)
        line = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdp_mid": "0"}
        trickled = {
            "pc_id": answer["pc_id"],
            "candidates": [{**line, "sdp_mline_index": 0}],
        }
        for path in (offer_path(session_id), "/api/offer"):
            response = await client.patch(path, json=trickled)
            assert response.json() == {"status": "success"}
            told = await bot.receive()
            assert isinstance(told, Candidates)
            assert told.offer_id == offer.offer_id
            assert told.candidates[0].sdp_mline_index == 0
        for foreign in (
            "SmallWebRTCConnection#0",
            Peer("ses_" + "0" * 24, "1" * 24, "2" * 24).pc_id,
        ):
            response = await client.patch(
                offer_path(session_id), json={**trickled, "pc_id": foreign}
            )
            assert await refusal(response) == (404, "not_found")
        await bot.close()


async def test_the_flat_offer_starts_a_session_and_returns_to_it(server: House) -> None:
    async with server.client() as client:
        asking = asyncio.create_task(
            client.post("/api/offer", json={**OFFER, "requestData": {"name": "Ada"}})
        )
        bot = await FakeBot.dial(server, (await the_order(server)).launch_id)
        assert (await bot.hello()).session.body == {"name": "Ada"}
        offer = await bot.answer_offer()
        answer = (await asking).json()
        await joined(server, bot_session(server), bot, offer.participant)
        again = {"pc_id": answer["pc_id"], "restart_pc": True, "sdp": "v=0 again"}
        _, second = await answered(client, "/api/offer", bot, **again)
        assert second.participant == offer.participant
        assert len(server.launcher.orders) == 1
        await bot.close()


def bot_session(server: House) -> str:
    return next(iter(server.launcher.orders.values())).session_id


async def test_a_flat_offer_the_bot_cannot_use_leaves_no_session(server: House) -> None:
    async with server.client() as client:
        asking = asyncio.create_task(client.post("/api/offer", json=OFFER))
        bot = await FakeBot.join(server, await the_order(server))
        offer = await bot.receive()
        assert isinstance(offer, Offer)
        refused = OfferRefused(offer_id=offer.offer_id, code="bad_offer", message="No audio.")
        await bot.send(refused)
        assert await refusal(await asking) == (400, "bad_offer")
        session = await server.session(bot_session(server))
        assert (session.stage, session.reason) == (Stage.ENDING, EndReason.NO_SHOW)
        await bot.close()


async def test_a_bad_offer_of_a_second_page_does_not_hide_that_the_first_leaves(
    server: House,
) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        path = offer_path(session_id)
        _, first = await answered(client, path, bot)
        await joined(server, session_id, bot, first.participant)
        asking = asyncio.create_task(client.post(path, json={**OFFER, "sdp": "v=0 bad"}))
        offer = await bot.receive()
        assert isinstance(offer, Offer)
        refused = OfferRefused(offer_id=offer.offer_id, code="bad_offer", message="No audio.")
        await bot.send(refused)
        assert await refusal(await asking) == (400, "bad_offer")
        await bot.report(ReportKind.USER_LEFT, participant=first.participant, why="closed")
        assert (await server.session(session_id)).stage is Stage.LINGERING
        await bot.close()


async def test_a_second_start_of_the_same_visitor_finds_the_running_session(
    server: House,
) -> None:
    async with server.client() as client:
        assert await start(client) == await start(client, body={"other": True})
        assert len(await server.parts.store.unended()) == 1
        async with server.client() as another:
            assert await start(another) != await start(client)


async def test_a_client_without_cookies_is_known_by_its_session(server: House) -> None:
    """A page elsewhere, a phone: the visitor's cookie never comes back."""
    async with server.client() as client:
        session_id = await start(client)
        client.cookies.clear()
        bot = await FakeBot.join(server, await the_order(server))
        answer, _ = await answered(client, offer_path(session_id), bot)
        client.cookies.clear()
        trickled = {"pc_id": answer["pc_id"], "candidates": []}
        assert (await client.patch("/api/offer", json=trickled)).status_code == 200
        await bot.close()


async def test_another_visitor_gets_no_answer(server: House) -> None:
    async with server.client() as client, server.client() as eve:
        session_id = await start(client)
        await eve.get("/api/voice/session/current")
        assert eve.cookies[COOKIE] != client.cookies[COOKIE]
        response = await eve.post(offer_path(session_id), json=OFFER)
        assert await refusal(response) == (409, "offer_conflict")
        unknown = await eve.post(offer_path("ses_unknown"), json=OFFER)
        assert await refusal(unknown) == (404, "not_found")


async def test_a_users_session_is_not_open_to_whoever_knows_its_id(server: House) -> None:
    token = server.parts.identity.token_for("ada", 60)
    async with server.client(authorization=f"Bearer {token}") as ada, server.client() as eve:
        session_id = await start(ada)
        response = await eve.post(offer_path(session_id), json=OFFER)
        assert await refusal(response) == (404, "not_found")


async def test_without_visitors_a_token_is_needed_at_each_door(server: House) -> None:
    app_state = server.parts.identity
    strict = type(app_state)(app_state.secret, anonymous=False)
    async with server.client(authorization="Bearer nonsense") as client:
        for path in ("/start", "/api/offer", offer_path("ses_1")):
            assert await refusal(await client.post(path, json=OFFER)) == (401, "unauthorized")
    assert not strict.is_visitor("guest-1"), "a token may call its user so"


async def test_an_offer_after_the_end_is_refused_for_good(server: House) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        answer, _ = await answered(client, offer_path(session_id), bot)
        await bot.close()
        await server.launcher.exit(bot.launch_id)
        await server.until(lambda s: s.stage is Stage.ENDED, session_id)
        for path in (offer_path(session_id), "/api/offer"):
            late = {**OFFER, "pc_id": answer["pc_id"], "restart_pc": True}
            assert await refusal(await client.post(path, json=late)) == (410, "session_ended")
            trickled = {"pc_id": answer["pc_id"], "candidates": []}
            gone = await client.patch(path, json=trickled)
            assert await refusal(gone) == (410, "session_ended")
        assert await server.parts.store.unended() == []


async def test_disconnect_bot_ends_the_session_as_the_user_wished(server: House) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        _, offer = await answered(client, offer_path(session_id), bot)
        await joined(server, session_id, bot, offer.participant)
        await bot.send_report(ReportKind.USER_ENDED)
        session = await server.until(lambda s: s.stage is Stage.ENDING, session_id)
        assert session.reason is EndReason.USER
        await bot.close()


async def test_a_closed_peer_is_a_leave_and_the_bot_waits_for_a_short_while(
    server: House,
) -> None:
    async with server.client() as client:
        session_id = await start(client)
        bot = await FakeBot.join(server, await the_order(server))
        _, offer = await answered(client, offer_path(session_id), bot)
        await joined(server, session_id, bot, offer.participant)
        await bot.report(ReportKind.USER_LEFT, participant=offer.participant, why="closed")
        session = await server.session(session_id)
        assert session.stage is Stage.LINGERING
        assert session.limits.persistence_s == STOCK_PERSISTENCE_S
        server.clock.advance(STOCK_PERSISTENCE_S + 1)
        await server.timekeeper.tick()
        ended = await server.session(session_id)
        assert (ended.stage, ended.reason) == (Stage.ENDING, EndReason.LEFT)
        await bot.close()


async def test_a_start_without_an_offer_ends_by_its_deadline(server: House) -> None:
    async with server.client() as client:
        session_id = await start(client)
        due = await server.parts.store.due(server.clock.now() + 30, 10)
        assert {deadline.kind for deadline in due} == {DeadlineKind.JOIN, DeadlineKind.METER}
        server.clock.advance(31)
        await server.timekeeper.tick()
        session: Session = await server.session(session_id)
        assert (session.stage, session.reason) == (Stage.ENDING, EndReason.NO_SHOW)


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/start", b"{", 400, "bad_request"),
        ("/start", b"[]", 400, "bad_request"),
        ("/start", b'{"body": 7}', 400, "bad_request"),
        ("/start", b'{"body": {"x": NaN}}', 400, "bad_request"),
        ("/start", b'{"body": {"x": "\\ud800"}}', 400, "bad_request"),
        ("/start", b'{"body": {"x": ' + b"[" * 220 + b"]" * 220 + b"}}", 400, "bad_request"),
        ("/start", b'{"transport": "daily"}', 400, "unsupported_transport"),
        ("/start", b'{"createDailyRoom": true}', 400, "unsupported_transport"),
        ("/start", b'{"transport": "pigeon"}', 400, "unsupported_transport"),
        (
            "/start",
            b'{"body": {"x": "' + b"y" * MAX_SESSION_BODY_BYTES + b'"}}',
            413,
            "too_large",
        ),
        ("/api/offer", b"{", 400, "bad_request"),
        ("/api/offer", b'{"sdp": "v=0"}', 400, "bad_request"),
        ("/api/offer", b'{"sdp": "v=0", "type": "answer"}', 400, "bad_request"),
        ("/api/offer", b'{"sdp": "", "type": "offer"}', 400, "bad_request"),
        (
            "/api/offer",
            b'{"type": "offer", "sdp": "' + b"x" * 100_000 + b'"}',
            400,
            "bad_request",
        ),
        (
            "/api/offer",
            b'{"type": "offer", "sdp": "' + b"x" * (1 << 20) + b'"}',
            413,
            "too_large",
        ),
    ],
)
async def test_bad_requests_are_refused_and_leave_nothing(
    server: House, path: str, content: bytes, status: int, code: str
) -> None:
    async with server.client(**{"content-type": "application/json"}) as client:
        response = await client.post(path, content=content)
        assert await refusal(response) == (status, code)
        assert await server.parts.store.unended() == []


async def test_status_names_the_transports_and_start_needs_no_body(server: House) -> None:
    async with server.client() as client:
        status = (await client.get("/status")).json()
        assert status == {"status": "ready", "transports": ["webrtc"]}
        response = await client.post("/start")
        assert list(response.json()) == ["sessionId"]
        asked = await client.post("/start", json={"enableDefaultIceServers": True})
        assert asked.json()["iceConfig"] == {"iceServers": []}, "nobody else's server"


async def test_a_page_of_a_named_origin_may_ask_and_others_may_not(server: House) -> None:
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,authorization",
    }
    async with server.client(origin=ELSEWHERE) as client:
        asked = await client.options("/start", headers=preflight)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == ELSEWHERE
        assert asked.headers["access-control-allow-credentials"] == "true"
        started = await client.post("/start", json={})
        assert started.headers["access-control-allow-origin"] == ELSEWHERE
        refused = await client.post("/start", json={"transport": "daily"})
        assert refused.headers["access-control-allow-origin"] == ELSEWHERE, "or nobody sees why"
    async with server.client(origin="https://evil.example") as eve:
        assert (await eve.options("/start", headers=preflight)).status_code == 400
        refused = await eve.post("/start")
        assert await refusal(refused) == (403, "forbidden")
        assert "access-control-allow-origin" not in refused.headers
    assert len(await server.parts.store.unended()) == 1


async def test_the_doors_have_a_place_of_their_own_in_the_description(server: House) -> None:
    async with server.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path in ("/start", "/status", "/api/offer", "/sessions/{session_id}/api/offer"):
            assert all(operation["tags"] == ["pipecat"] for operation in paths[path].values())
