"""The bots' door: fenced, numbered, acknowledged, and open again after any break."""

from __future__ import annotations

import asyncio

import pytest
from starlette.websockets import WebSocketState
from websockets.exceptions import ConnectionClosed

from greenroom.errors import Unavailable
from greenroom.session.model import Stage
from greenroom.wire.link import (
    LINK_FENCED,
    BotLevel,
    Candidates,
    Hello,
    Report,
    ReportAck,
    ReportKind,
)
from tests.api.fakebot import FakeBot
from tests.conftest import House


async def launched(server: House) -> str:
    session = (await server.sessions.start("ada", None)).session
    await server.until_true(lambda: session.launch_id in server.launcher.orders)
    return session.id


async def closed_with(bot: FakeBot) -> int | None:
    async with asyncio.timeout(10):
        try:
            while True:
                await bot.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def test_a_wrong_secret_is_fenced(server: House) -> None:
    """FAILURES 15."""
    session = await server.session(await launched(server))
    for secret in ("wrong", "d\xe9j\xe0"):
        bot = await FakeBot.dial(server, session.launch_id, secret=secret)
        assert await closed_with(bot) == LINK_FENCED


async def test_a_launch_without_session_is_fenced(server: House) -> None:
    bot = await FakeBot.dial(server, "lau_unknown")
    await bot.send(Hello(launch_id="lau_unknown", pid=1, level=BotLevel.ATTACHED))
    assert await closed_with(bot) == LINK_FENCED


async def test_the_secret_of_one_launch_opens_no_other(server: House) -> None:
    """FAILURES 15."""
    session = await server.session(await launched(server))
    other = await server.session((await server.sessions.start("bob", None)).session.id)
    bot = await FakeBot.dial(server, session.launch_id)
    await bot.send(Hello(launch_id=other.launch_id, pid=1, level=BotLevel.ATTACHED))
    assert await closed_with(bot) == LINK_FENCED


async def test_a_bot_of_an_ended_session_is_fenced(server: House) -> None:
    session_id = await launched(server)
    order = server.launcher.orders[(await server.session(session_id)).launch_id]
    await server.launcher.exit(order.launch_id)
    await server.until(lambda s: s.stage is Stage.ENDED, session_id)
    bot = await FakeBot.dial(server, order.launch_id)
    await bot.send(Hello(launch_id=order.launch_id, pid=1, level=BotLevel.ATTACHED))
    assert await closed_with(bot) == LINK_FENCED


async def test_a_second_connection_of_the_same_launch_replaces_the_first(server: House) -> None:
    session = await server.session(await launched(server))
    order = server.launcher.orders[session.launch_id]
    first = await FakeBot.join(server, order)
    second = await FakeBot.join(server, order)
    assert await closed_with(first) == LINK_FENCED
    await second.report(ReportKind.BOT_JOINED)
    await second.close()


async def test_reports_are_taken_once_and_in_order(server: House) -> None:
    """FAILURES 15."""
    session_id = await launched(server)
    order = server.launcher.orders[(await server.session(session_id)).launch_id]
    bot = await FakeBot.join(server, order)
    await bot.report(ReportKind.BOT_JOINED)
    again = Report(seq=1, at_ms=0, kind=ReportKind.BOT_JOINED)
    await bot.send(again)
    assert await bot.receive() == ReportAck(seq=1)
    await bot.close()
    back = await FakeBot.join(server, order)
    assert back.seq == 1, "the welcome says what is on record"
    await back.report(ReportKind.APP, type="app.answer", data={"value": 42})
    events = await server.parts.store.events_after(session_id, 0, 100)
    assert [e.type for e in events].count("app.answer") == 1
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    await back.close()


async def test_a_gap_in_the_numbers_breaks_the_link_so_that_it_is_sent_again(
    server: House,
) -> None:
    session = await server.session(await launched(server))
    order = server.launcher.orders[session.launch_id]
    bot = await FakeBot.join(server, order)
    await bot.send(Report(seq=5, at_ms=0, kind=ReportKind.BOT_JOINED))
    assert await closed_with(bot) == 1013
    assert (await FakeBot.join(server, order)).seq == 0


async def test_a_report_nobody_understands_does_not_stop_those_behind_it(server: House) -> None:
    session_id = await launched(server)
    order = server.launcher.orders[(await server.session(session_id)).launch_id]
    bot = await FakeBot.join(server, order)
    await bot.report(ReportKind.APP, type="voice.session.end", data={"reason": "forged"})
    await bot.report(ReportKind.TRANSCRIPT, role="nobody")
    await bot.report(ReportKind.BOT_JOINED)
    types = [e.type for e in await server.parts.store.events_after(session_id, 0, 100)]
    assert "voice.session.end" not in types
    await bot.close()


async def test_who_speaks_to_a_bot_whose_connection_breaks_is_told_so(server: House) -> None:
    session = await server.session(await launched(server))
    bot = await FakeBot.join(server, server.launcher.orders[session.launch_id])
    link = server.parts.links.get(session.launch_id)
    assert link is not None
    bot.socket.transport.abort()

    async def speak() -> None:
        while True:
            await link.trickle(Candidates(offer_id="offer-0001", candidates=[]))
            await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await asyncio.wait_for(speak(), 10)


async def test_a_link_that_broke_while_something_else_was_sent_is_simply_gone(
    server: House,
) -> None:
    """Two send at once: a command, whose failure breaks it, and then an answer to a report."""
    session = await server.session(await launched(server))
    bot = await FakeBot.join(server, server.launcher.orders[session.launch_id])
    link = server.parts.links.get(session.launch_id)
    assert link is not None
    door = getattr(link._send, "__self__")  # noqa: B009 - what a bound method is bound to
    door._websocket.application_state = WebSocketState.DISCONNECTED  # as Starlette leaves it
    await bot.send_report(ReportKind.BOT_JOINED)
    await server.until(lambda s: s.report_seq == 1, session.id)
    await server.until_true(lambda: server.parts.links.get(session.launch_id) is None)
    assert server.parts.metrics.uncaught.labels(place="link")._value.get() == 0
    await bot.close()


@pytest.mark.parametrize("noise", ["this is no message", b"nor this"])
async def test_noise_on_the_link_closes_it(server: House, noise: str | bytes) -> None:
    """FAILURES 15."""
    session = await server.session(await launched(server))
    bot = await FakeBot.join(server, server.launcher.orders[session.launch_id])
    await bot.socket.send(noise)
    assert await closed_with(bot) == 1002
