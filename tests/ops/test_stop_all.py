"""FAILURES 24: the stop button on real processes, while server and database answer or do not."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psutil

from greenroom.commands.operate import os_user
from tests.e2e.server import Server, eventually
from tests.e2e.visitor import Json, Visitor, a_visitor
from tests.ops.conftest import PATIENCE_S, Done, StartServer

# What the supervisor is given to answer and to end, and a look or two at all processes.
FORCED_WITHIN_S = 15.0

Greenroom = Callable[..., Awaitable[Done]]


async def a_bot_lives(server: Server, visitor: Visitor) -> str:
    """A session whose bot runs; returns the ticket of its events."""
    started = await visitor.start()
    await eventually(lambda: bool(server.bots()), PATIENCE_S, "no bot came")
    return str(started["ticket"])


def the_server(server: Server) -> psutil.Process:
    (process,) = [p for p in server.family() if "serve" in p.cmdline()]
    return process


async def test_the_button_holds_over_a_restart_until_resume(
    start_server: StartServer, greenroom: Greenroom
) -> None:
    async with start_server() as server, a_visitor(server.url) as visitor:
        ticket = await a_bot_lives(server, visitor)
        following = asyncio.create_task(visitor.follow_to_the_end(ticket, PATIENCE_S))
        done = await greenroom("stop-all", "--reason", "Back at noon.")
        assert (done.code, server.bots()) == (0, []), done.output
        assert "Sessions ended: 1" in done.output
        end = await following
        assert end["reason"] == "emergency"
        assert end["message"].endswith(": Back at noon.")

        await server.kill9()
        await server.start()
        await server.ready()
        refused = await visitor.http.post("/api/voice/session", json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "halted")
        assert "Back at noon." in refused.json()["message"]
        assert "Back at noon." in (await greenroom("sessions")).output

        assert "may begin again" in (await greenroom("resume")).output
        await a_bot_lives(server, visitor)
        assert "Nothing had been stopped" in (await greenroom("resume")).output
        lines = json.loads((await greenroom("audit", "--json")).output)["lines"]
        assert [line["act"] for line in lines] == ["house.resume", "house.resume", "house.stop"]
        # The server did it, and knows who asked it to.
        assert {(line["actorKind"], line["actor"], line["address"]) for line in lines} == {
            ("command", os_user(), "127.0.0.1")
        }


async def test_force_works_while_neither_server_nor_database_answers(
    start_server: StartServer, greenroom: Greenroom, state_dir: Path
) -> None:
    async with start_server() as server, a_visitor(server.url) as visitor:
        await a_bot_lives(server, visitor)
        process = the_server(server)
        # Locked first: a server that is stopped in mid-transaction would never let us have it.
        database = sqlite3.connect(state_dir / "greenroom.db", isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        process.send_signal(signal.SIGSTOP)

        politely = await greenroom("stop-all")
        assert politely.code == 1
        assert "greenroom stop-all --force" in politely.output

        began_s = time.monotonic()
        forced = await greenroom("stop-all", "--force", "--reason", "Pulled the plug.")
        assert forced.code == 0, forced.output
        assert time.monotonic() - began_s < FORCED_WITHIN_S
        assert server.bots() == []

        database.execute("ROLLBACK")
        database.close()
        process.send_signal(signal.SIGCONT)
        await until_halted(visitor)
        assert (await the_end_of(visitor))["reason"] in (
            "emergency",
            "bot_crashed",
            "launch_failed",
        )
        assert server.bots() == []
        assert (await greenroom("resume")).code == 0
        assert (await visitor.http.post("/api/voice/session", json={})).status_code == 201


async def until_halted(visitor: Visitor) -> None:
    """The server has found the brake that was pulled beside it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await visitor.http.post("/api/voice/session", json={})
            if answer.status_code == 503 and "Pulled the plug." in answer.json()["message"]:
                return
            await asyncio.sleep(0.1)


async def the_end_of(visitor: Visitor) -> Json:
    """The session, once it has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await visitor.http.get(f"/api/voice/session/{visitor.session_id}")
            session: Json = answer.json()
            if session.get("endedAt"):
                return session
            await asyncio.sleep(0.05)


async def test_without_a_server_everything_is_listed_and_stopped(
    start_server: StartServer, greenroom: Greenroom
) -> None:
    async with start_server() as server, a_visitor(server.url) as visitor:
        await a_bot_lives(server, visitor)
        await server.kill9()
        assert len(server.bots()) == 1, "the voice goes on"
        assert visitor.session_id[:12] in (await greenroom("sessions")).output
        done = await greenroom("stop-all", "--reason", "fire")
        assert done.code == 0, done.output
        assert "Sessions ended: 1" in done.output
        assert server.bots() == []
        assert "Nobody talks" in (await greenroom("sessions")).output
        await server.start()
        await server.ready()
        refused = await visitor.http.post("/api/voice/session", json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "halted")
        assert (await the_end_of(visitor))["reason"] == "emergency"


async def test_who_is_no_proxy_of_ours_cannot_say_from_where_they_ask(
    start_server: StartServer, greenroom: Greenroom
) -> None:
    """What is put on record, and what is counted by address, is where the connection comes from."""
    token = (await greenroom("token", "ops", "--operator")).output.split()[-1]
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.7"}
    async with (
        start_server(GREENROOM_TRUSTED_PROXIES="192.0.2.0/24") as server,
        httpx.AsyncClient(base_url=server.url, headers=headers) as client,
    ):
        assert (await client.post("/api/emergency/resume")).status_code == 200
        lines = (await client.get("/api/operator/audit")).json()["lines"]
    assert lines[0]["address"] == "127.0.0.1"
