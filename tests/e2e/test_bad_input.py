"""Bad input from pages: refused with a code and a sentence, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import json
import uuid

import httpx
import psutil
import pytest

from greenroom.wire.http import MAX_SDP_CHARS
from tests.e2e.conftest import StartServer
from tests.e2e.server import Server, eventually
from tests.e2e.visitor import Json, Visitor, a_visitor, audio_offer

pytestmark = pytest.mark.e2e

# Long enough for the first bot of a server on a busy machine.
JOIN_S = 10.0
ENDED_WITHIN_S = JOIN_S + 10
VIDEO_ONLY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
    "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n"
)


async def test_bad_input_is_refused_and_leaves_nothing(start_server: StartServer) -> None:
    """FAILURES 6, among others: two offers are one bot."""
    good = await audio_offer()
    async with (
        start_server(GREENROOM_JOIN_S=str(JOIN_S)) as server,
        a_visitor(server.url) as ada,
        a_visitor(server.url) as bob,
    ):
        ports, processes = ports_of(server), len(server.family())
        await nothing_is_begun_by_nonsense(ada)
        assert server.bots() == []

        refused = await ada.http.post("/api/voice/session", json={"offer": offer(VIDEO_ONLY)})
        assert refusal(refused) == (400, "bad_offer")
        await eventually(lambda: not server.bots(), 8, "it leaves a bot behind")
        started = await ada.start()
        assert started["reused"] is False
        refused = await ada.offer("nonsense")
        assert refusal(refused) == (400, "bad_offer")

        first = await two_offers_are_one(ada, offer(good))
        assert len(server.bots()) == 1
        await a_stranger_is_refused(bob, ada.session_id, first)
        assert len(server.bots()) == 1

        # Nobody is behind that offer: the page never connects.
        end = await ada.follow_to_the_end(started["ticket"], ENDED_WITHIN_S)
        assert end["reason"] == "no_show"
        assert end["message"]
        for late in (await ada.offer(good), await ada.http.post(path(ada), json=first)):
            assert refusal(late) == (410, "session_ended")

        await eventually(lambda: not server.bots(), 8, "a bot still lives")
        assert len(server.family()) <= processes + 1, "the zygote of the bot stays, nobody else"
        assert ports_of(server) == ports
        for visitor in (ada, bob):
            current = await visitor.http.get("/api/voice/session/current")
            assert current.status_code == 204
        assert "Traceback" not in server.log


async def nothing_is_begun_by_nonsense(visitor: Visitor) -> None:
    """Broken JSON, what is no offer, and far too much of it."""
    megabyte = "x" * (1 << 20)
    for content, expected in [
        ("{", (400, "bad_request")),
        ("[]", (400, "bad_request")),
        (json.dumps({"offer": {"sdp": "v=0"}}), (400, "bad_request")),
        (json.dumps({"offer": offer("x" * (MAX_SDP_CHARS + 1))}), (400, "bad_request")),
        (json.dumps({"offer": offer(megabyte)}), (413, "too_large")),
    ]:
        answer = await visitor.http.post(
            "/api/voice/session", content=content, headers={"content-type": "application/json"}
        )
        assert refusal(answer) == expected, content[:80]
    current = await visitor.http.get("/api/voice/session/current")
    assert current.status_code == 204


async def two_offers_are_one(visitor: Visitor, body: Json) -> Json:
    """The same offer at the same time and again later: one answer."""
    twice = await asyncio.gather(
        *(visitor.http.post(path(visitor), json=body) for _ in range(2)),
    )
    again = await visitor.http.post(path(visitor), json=body)
    assert [answer.status_code for answer in (*twice, again)] == [200] * 3
    assert twice[0].json() == twice[1].json() == again.json()
    return body


async def a_stranger_is_refused(stranger: Visitor, session_id: str, body: Json) -> None:
    """Neither another's session nor one that never was can be told apart, or entered."""
    for unknown in (session_id, "ses_000000000000000000000000"):
        stranger.session_id = unknown
        for answer in (
            await stranger.http.get(f"/api/voice/session/{unknown}"),
            await stranger.stop(),
            await stranger.http.post(
                "/api/voice/mute", json={"sessionId": unknown, "isMuted": True, "timestamp": 1}
            ),
        ):
            assert refusal(answer) == (404, "not_found")
    stranger.session_id = session_id
    assert refusal(await stranger.http.post(path(stranger), json=body)) == (409, "offer_conflict")
    muteless = await stranger.http.post("/api/voice/mute", json={"isMuted": True, "timestamp": 1})
    assert refusal(muteless) == (400, "bad_request")


def offer(sdp: str) -> Json:
    return {"id": uuid.uuid4().hex, "participant": uuid.uuid4().hex, "sdp": sdp}


def path(visitor: Visitor) -> str:
    return f"/api/voice/session/{visitor.session_id}/offer"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that a person and a program can act on."""
    body = answer.json()
    assert len(body["message"].split()) >= 3, body
    return answer.status_code, body["code"]


def ports_of(server: Server) -> set[tuple[str, int]]:
    """Every port that any process of this server listens on or receives datagrams at."""
    found: set[tuple[str, int]] = set()
    for process in server.family():
        for connection in process.net_connections("inet"):
            if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                found.add((connection.type.name, connection.laddr.port))
    return found
