"""``greenroom bot`` beside a real server: a real process comes, is named, and goes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import httpx

from tests.e2e.server import eventually
from tests.ops.conftest import PATIENCE_S, Done, StartServer

RunGreenroom = Callable[..., Awaitable[Done]]


async def test_a_bot_is_called_to_a_room_found_there_and_sent_away(
    start_server: StartServer, greenroom: RunGreenroom
) -> None:
    async with (
        start_server() as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as visitor,
    ):
        room = (await visitor.post("/api/voice/room")).json()["roomName"]
        words = ("bot", "--room", room, "--voice-only", "--session-persistence", "120")
        came = await greenroom(*words, "--json")
        assert came.code == 0, came.output
        told = json.loads(came.output)
        assert (told["reused"], told["room_url"], told["sessionPersistence"]) == (False, None, 120)
        # Its module may still be imported, on a busy machine.
        await eventually(lambda: bool(server.bots()), PATIENCE_S, "no bot came")
        (process,) = server.bots()
        # It is the visitor's own session, like any that their page has started.
        current = (await visitor.get("/api/voice/session/current")).json()
        assert (current["sessionId"], current["room"]["name"]) == (told["sessionId"], room)
        again = json.loads((await greenroom(*words, "--json")).output)
        assert (again["pid"], again["reused"]) == (process.pid, True)
        assert "is there already" in (await greenroom(*words)).output
        gone = await greenroom("bot", "--room", room, "--leave")
        assert told["sessionId"] in gone.output
        await eventually(lambda: not process.is_running(), 10, "the bot still lives")
        foreign = await greenroom("bot", "--room", "voice-x-000000000000")
        assert (foreign.code, "(--user)" in foreign.output) == (1, True)
