"""Whatever a bot says over its link: a defined end or none, and a record that is whole."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from greenroom.wire.link import LINK_FENCED
from tests.api.fakebot import FakeBot
from tests.conftest import House
from tests.fuzz.conftest import examples
from tests.fuzz.test_webhook import FIELDS, JSON, NEARLY_A_REPORT, REPORT, VALUES

# Protocol error, not UTF-8, too big, try again; and fenced.
DEFINED = {1002, 1003, 1007, 1009, 1013, LINK_FENCED}
WITHIN_S = 20.0
TYPES = ["hello", "report", "ephemeral", "answer", "offer_refused", "done"]
NEARLY_A_MESSAGE = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | JSON},
    optional={
        "launchId": VALUES,
        "offerId": VALUES,
        "commandId": VALUES,
        "event": VALUES,
        "data": st.dictionaries(FIELDS, VALUES, max_size=3) | JSON,
        "level": st.just("attached") | JSON,
    },
)
SAID = (
    (REPORT | NEARLY_A_REPORT).map(lambda report: {"type": "report", **report}) | NEARLY_A_MESSAGE
).map(json.dumps) | st.text(max_size=20)
_users = itertools.count()


@examples(40)
@given(said=st.lists(SAID | st.binary(max_size=20), max_size=6), greets=st.booleans())
async def test_whatever_a_bot_says(server: House, said: list[str | bytes], greets: bool) -> None:
    session = (await server.sessions.start(f"user-{next(_users)}", None)).session
    await server.until_true(lambda: session.launch_id in server.launcher.orders)
    bot = await FakeBot.dial(server, session.launch_id)
    async with asyncio.timeout(WITHIN_S):
        try:
            if greets:
                await bot.hello()
            for message in said:
                await bot.socket.send(message)
        except ConnectionClosed:
            pass
        # A well-mannered bot still gets in, and what it reports next is taken.
        again = await FakeBot.dial(server, session.launch_id)
        again.seq = (await again.hello()).report_seq
        await again.close()
        await bot.close()
    closed = bot.socket.protocol.close_rcvd
    assert closed is None or closed.code in DEFINED | {1000}
    await server.until_true(lambda: len(server.parts.links) == 0)
    await server.until_true(lambda: not server.connections)
    assert server.parts.metrics.uncaught.labels(place="link")._value.get() == 0
    events: list[Any] = await server.parts.store.events_after(session.id, 0, 100)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
