"""What nobody expected is counted, logged with its session, and takes no other session with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from greenroom.serving import _guarded
from greenroom.session.model import Stage
from greenroom.wire.link import ReportKind
from tests.api.fakebot import FakeBot
from tests.conftest import House


class _Bug(Exception):
    """Something that nobody has thought of."""


@contextlib.contextmanager
def broken_for(owner: Any, name: str, session_id: str) -> Iterator[list[EventDict]]:
    """A method raises when this session is among its arguments; what is logged meanwhile."""
    works = getattr(owner, name)

    async def broken(*args: Any, **kwargs: Any) -> Any:
        if any(session_id in str(value) for value in args):
            raise _Bug("on purpose")
        return await works(*args, **kwargs)

    with pytest.MonkeyPatch().context() as patch, capture_logs() as logs:
        patch.setattr(owner, name, broken)
        yield logs


def assert_counted(house: House, place: str, logs: list[EventDict], session_id: str) -> None:
    assert house.parts.metrics.uncaught.labels(place=place)._value.get() >= 1
    uncaught = [log for log in logs if log["event"].endswith(".uncaught")]
    assert uncaught
    assert {log["session"] for log in uncaught} == {session_id}
    assert all(log.get("exc_info") for log in uncaught)


async def test_in_http(server: House) -> None:
    async with server.client() as ada, server.client() as bob:
        started = (await ada.post("/api/voice/session", json={})).json()
        session_id = started["session"]["sessionId"]
        with broken_for(server.sessions, "seen_by", session_id) as logs:
            answer = await ada.get(f"/api/voice/session/{session_id}")
            assert (answer.status_code, answer.json()["code"]) == (500, "internal")
            assert "on purpose" not in answer.text
            assert (await bob.post("/api/voice/session", json={})).status_code == 201
        assert_counted(server, "api", logs, session_id)


async def test_in_an_event_socket(server: House) -> None:
    ada = (await server.sessions.start("ada", None)).session
    bob = (await server.sessions.start("bob", None)).session
    with broken_for(server.parts.store, "events_after", ada.id) as logs:
        assert await _events(server, await server.sessions.ticket(ada)) == []
        assert "voice.session.start" in await _events(server, await server.sessions.ticket(bob))
    assert_counted(server, "events", logs, ada.id)


async def _events(server: House, ticket: str) -> list[str]:
    """The first two events' types, or none if the socket is closed before."""
    found: list[str] = []
    with contextlib.suppress(ConnectionClosed):
        async with connect(server.address.replace("http", "ws") + "/ws", proxy=None) as socket:
            await socket.send(json.dumps({"type": "subscribe", "ticket": ticket, "after": 0}))
            while len(found) < 2:
                message = json.loads(await socket.recv())
                if message["type"] == "event":
                    found.append(message["event"]["type"])
    return found


async def test_in_a_bots_link(server: House) -> None:
    ada = (await server.sessions.start("ada", None)).session
    bob = (await server.sessions.start("bob", None)).session
    await server.until_true(lambda: len(server.launcher.orders) == 2)
    bots = [await FakeBot.join(server, server.launcher.orders[s.launch_id]) for s in (ada, bob)]
    with broken_for(server.parts.reports, "take", ada.id) as logs:
        await bots[0].send_report(ReportKind.BOT_JOINED)
        with pytest.raises(ConnectionClosed):
            await bots[0].receive()
        await bots[1].report(ReportKind.BOT_JOINED)
    assert_counted(server, "link", logs, ada.id)
    again = await FakeBot.join(server, server.launcher.orders[ada.launch_id])
    await again.report(ReportKind.BOT_JOINED)  # it dials again and is heard
    for bot in (again, bots[1]):
        await bot.close()


async def test_in_dispatching(house: House) -> None:
    house.launcher.broken = True
    ada = (await house.sessions.start("ada", None)).session
    bob = (await house.sessions.start("bob", None)).session
    failed = house.parts.metrics.effects_failed.labels(kind="launch_bot")
    await house.until_true(lambda: failed._value.get() == 2)
    house.launcher.broken = False
    with broken_for(house.launcher, "start", ada.id) as logs:
        house.clock.advance(15)
        house.parts.hub.publish("effects")
        await house.until_true(lambda: bob.launch_id in house.launcher.orders)
        await house.until_true(lambda: failed._value.get() == 3)
    assert_counted(house, "dispatch", logs, ada.id)
    house.clock.advance(15)
    house.parts.hub.publish("effects")
    await house.until_true(lambda: ada.launch_id in house.launcher.orders)  # tried again


async def test_in_a_deadline(house: House) -> None:
    ada = (await house.sessions.start("ada", None)).session
    bob = (await house.sessions.start("bob", None)).session
    house.clock.advance(60)
    with broken_for(house.sessions, "apply", ada.id) as logs:
        await house.timekeeper.tick()
    assert_counted(house, "deadlines", logs, ada.id)
    assert (await house.session(bob.id)).stage is Stage.ENDING
    await house.timekeeper.tick()
    assert (await house.session(ada.id)).stage is Stage.ENDING, "it is due until it is done"


async def test_in_stopping_everything(house: House) -> None:
    ada = (await house.sessions.start("ada", None)).session
    bob = (await house.sessions.start("bob", None)).session
    with broken_for(house.sessions, "stop", ada.id) as logs:
        await house.emergency._end_sessions("fire")
    assert_counted(house, "emergency", logs, ada.id)
    assert (await house.session(bob.id)).stage is not Stage.CONNECTING


async def test_in_the_background(house: House) -> None:
    """A part that fails is begun again, a second later; nobody else notices."""
    begun = asyncio.Event()
    tries: list[int] = []

    async def part() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise _Bug("on purpose")
        begun.set()

    with capture_logs() as logs:
        async with asyncio.timeout(10):
            await _guarded(part, house.whole)
    assert begun.is_set()
    assert house.parts.metrics.uncaught.labels(place="background")._value.get() == 1
    assert [log["event"] for log in logs] == ["background.uncaught"]
