"""A bot that was away is as its record says when it is linked again, whatever it has missed."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

from greenroom.bot import current
from greenroom.bot.serve import Serving
from greenroom.wire.link import CommandKind
from greenroom.wire.process import ExitCode
from tests.bot.greenroom_server import FakeGreenroom


async def test_what_was_switched_while_nobody_was_linked_is_carried_out_once(
    greenroom: FakeGreenroom,
) -> None:
    """FAILURES 11: the bot knows that it is muted, although the command was given up."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def bot(runner_args: object) -> None:
        current().on_command(CommandKind.MUTE, told.put)
        current().on_command(CommandKind.PAUSE, told.put)
        await asyncio.Event().wait()

    module = ModuleType("a_bot")
    module.bot = bot  # type: ignore[attr-defined]
    serving = Serving(greenroom.spec("a_bot"), module, lambda progress: None)
    running = asyncio.create_task(serving.run())
    await greenroom.linked()

    async def away_while(**switched: bool) -> None:
        await greenroom.vanish()
        greenroom.session = greenroom.session.model_copy(update=switched)
        links = len(greenroom.hellos)
        await greenroom.start()
        await greenroom.linked(links + 1)

    async with asyncio.timeout(10):
        await away_while(muted=True, paused=True)
        assert [await told.get(), await told.get()] == [{"muted": True}, {"paused": True}]
        await away_while()
        await away_while(paused=False)
        assert await told.get() == {"paused": False}, "and nothing twice"
        serving.stop()
        assert await running == ExitCode.OK
    assert told.empty()
