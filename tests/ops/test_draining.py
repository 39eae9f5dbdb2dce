"""FAILURES 23: SIGTERM on deploy. New sessions are refused, running ones have a bound."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime, timedelta

from tests.e2e.server import Server, eventually
from tests.e2e.visitor import Visitor, a_visitor
from tests.ops.conftest import PATIENCE_S, StartServer
from tests.ops.test_stop_all import a_bot_lives, the_server

# Two requests have to be answered in it, on a busy machine, too.
DRAIN_S = 3.0


async def test_sigterm_drains_up_to_a_bound_and_tells_the_page(start_server: StartServer) -> None:
    async with (
        start_server(GREENROOM_DRAIN_S=str(DRAIN_S), GREENROOM_LIVE_LIMIT="1") as server,
        a_visitor(server.url) as visitor,
        a_visitor(server.url) as late,
        a_visitor(server.url) as waiting,
    ):
        following = await _a_followed_call(server, visitor)
        in_the_queue = await _a_followed_place(waiting)
        (bot,) = server.bots()
        the_server(server).send_signal(signal.SIGTERM)
        assert (await in_the_queue)["reason"] == "server_drain", "nobody will come in any more"
        refused = await late.http.post("/api/voice/session", json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert refused.headers["retry-after"] == "1"
        found = await visitor.http.post("/api/voice/session", json={})
        assert (found.status_code, found.json()["reused"]) == (200, True), "it is not cut off"
        assert bot.is_running()
        end = await following
        assert end["reason"] == "server_drain"
        # By the server's own clock, however late we hear of it; it is told in milliseconds.
        waited = _ended_at(visitor) - _ended_at(waiting)
        assert waited >= timedelta(seconds=DRAIN_S - 0.01)
        await server.assert_nobody_lives(PATIENCE_S)


async def test_a_second_sigterm_hurries(start_server: StartServer) -> None:
    async with start_server(GREENROOM_DRAIN_S="60") as server, a_visitor(server.url) as visitor:
        following = await _a_followed_call(server, visitor)
        process = the_server(server)
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: "server.draining" in server.log, PATIENCE_S, "it does not drain")
        process.send_signal(signal.SIGTERM)
        assert (await following)["reason"] == "server_drain"
        await server.assert_nobody_lives(PATIENCE_S)


async def _a_followed_call(server: Server, visitor: Visitor) -> asyncio.Task[dict[str, object]]:
    ticket = await a_bot_lives(server, visitor)
    return asyncio.create_task(visitor.follow_to_the_end(ticket, PATIENCE_S))


def _ended_at(visitor: Visitor) -> datetime:
    return datetime.fromisoformat(visitor.events[-1]["time"])


async def _a_followed_place(visitor: Visitor) -> asyncio.Task[dict[str, object]]:
    started = (await visitor.http.post("/api/voice/session", json={"wait": True})).json()
    assert started["session"]["stage"] == "queued"
    visitor.session_id = started["session"]["sessionId"]
    return asyncio.create_task(visitor.follow_to_the_end(started["ticket"], PATIENCE_S))
