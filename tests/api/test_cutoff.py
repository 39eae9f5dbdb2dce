"""A request that the server has to leave unanswered is answered all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from greenroom.api.cutoff import CutOff
from greenroom.api.server import server_config


class Slow:
    """An application whose answers never come, or never end."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        routes = [
            Route("/api/never", self._never),
            Route("/endless", self._endless),
            Route("/quick", lambda request: PlainTextResponse("done")),
        ]
        self.app = CutOff(Starlette(routes=routes))

    async def _never(self, request: Request) -> PlainTextResponse:
        self.waiting.set()
        await asyncio.Event().wait()
        return PlainTextResponse("unreached")

    async def _endless(self, request: Request) -> StreamingResponse:
        async def forever() -> AsyncIterator[str]:
            yield "begun"
            self.waiting.set()
            await asyncio.Event().wait()

        return StreamingResponse(forever())


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def asked_while_it_stops(slow: Slow, path: str) -> httpx.Response:
    """What a client gets who asks for this before the server is told to stop."""
    config = server_config(slow.app, port=0, timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    (port,) = [socket.getsockname()[1] for one in server.servers for socket in one.sockets]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert (await client.get("/quick")).text == "done"
        asking = asyncio.create_task(client.get(path))
        await asyncio.wait_for(slow.waiting.wait(), 5)
        server.should_exit = True
        await asyncio.wait_for(running, 10)
        return await asyncio.wait_for(asking, 5)


async def test_who_still_waits_is_told_to_come_again(slow: Slow) -> None:
    answer = await asked_while_it_stops(slow, "/api/never")
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert answer.headers["retry-after"] == "1"


async def test_an_answer_that_has_begun_is_cut(slow: Slow) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await asked_while_it_stops(slow, "/endless")


async def test_who_cancels_within_the_process_finds_that_it_ends(slow: Slow) -> None:
    transport = httpx.ASGITransport(slow.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        asking = asyncio.create_task(client.get("/api/never"))
        await asyncio.wait_for(slow.waiting.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asking, 5)
