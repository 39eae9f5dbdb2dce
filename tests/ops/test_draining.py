"""FAILURES 23: SIGTERM on deploy. New sessions are refused, running ones have a bound."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.e2e.server import Server, eventually
from tests.e2e.visitor import Visitor, a_visitor
from tests.ops.conftest import PATIENCE_S, StartServer
from tests.ops.test_stop_all import a_bot_lives, the_server


async def test_sigterm_drains_up_to_a_bound_and_tells_the_page(start_server: StartServer) -> None:
    async with (
        start_server(GREENROOM_DRAIN_S="1.5") as server,
        a_visitor(server.url) as visitor,
        a_visitor(server.url) as late,
    ):
        following = await _a_followed_call(server, visitor)
        (bot,) = server.bots()
        began_s = time.monotonic()
        the_server(server).send_signal(signal.SIGTERM)
        assert await _first_refusal(late) == (503, "draining", "1")
        found = await visitor.http.post("/api/voice/session", json={})
        assert (found.status_code, found.json()["reused"]) == (200, True), "it is not cut off"
        assert bot.is_running()
        end = await following
        assert end["reason"] == "server_drain"
        assert time.monotonic() - began_s >= 1.5
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


async def _first_refusal(late: Visitor) -> tuple[int, str, str | None]:
    """The signal takes a moment; a session that began before it is ended again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await late.http.post("/api/voice/session", json={})
            if answer.is_error:
                retry_after = answer.headers.get("retry-after")
                return answer.status_code, answer.json()["code"], retry_after
            await late.http.delete(f"/api/voice/session/{answer.json()['session']['sessionId']}")
