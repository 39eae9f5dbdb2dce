"""The examples as a user starts them: each is heard, and each is gone after ``DELETE``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from greenroom.doctor.peer import a_peer
from tests.e2e.conftest import StartServer
from tests.e2e.server import eventually
from tests.e2e.visitor import a_visitor

# What each of them does in a call is in make test: tests/bot/test_examples.py.
pytestmark = [pytest.mark.e2e, pytest.mark.long]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("level", ["observed", "attached", "launched"])
async def test_an_example_is_heard_and_ended(start_server: StartServer, level: str) -> None:
    async with (
        start_server(
            str(EXAMPLES / level / "bot.py"), GREENROOM_ALLOW_LOOPBACK_MEDIA="true"
        ) as server,
        a_visitor(server.url) as visitor,
        a_peer(over_loopback=True) as peer,
    ):
        started = await visitor.call(peer)
        async with asyncio.timeout(15):
            await peer.first_sound()
        assert len(server.bots()) == 1
        (await visitor.stop()).raise_for_status()
        end = await visitor.follow_to_the_end(started["ticket"], within_s=10)
        assert end["reason"] == "user"
        assert visitor.told("voice.error") == []
        await eventually(lambda: not server.bots(), 8, "the bot still lives")
