"""An agent that goes into its room on the stand-in and talks to the record: `hosted`, no audio.

It reports what a conversation would have made it report, drawn from the seed in its body, over the
link or by webhook as its body says.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from websockets.asyncio.client import connect

from greenroom.bot import current, hosted
from greenroom.bot.elsewhere import REPORTS_VARIABLE
from greenroom.wire.link import CommandKind
from tests.chaos.bot import fate, obey

MEDIA_ENV = "CHAOS_MEDIA"
_IN_WITHIN_S = 5.0


async def bot(runner_args: Any) -> None:
    """What Pipecat Cloud calls. The environment is this process's own: it was forked for it."""
    os.environ[REPORTS_VARIABLE] = runner_args.body["reports"]
    await _talk(runner_args)


@hosted
async def _talk(runner_args: Any) -> None:
    session, body = current(), runner_args.body
    rng = random.Random(body["seed"])
    session.on_command(CommandKind.MESSAGE, obey)
    room = session.spec.room
    headers = {"x-room": room.name, "x-token": room.token or ""}
    async with connect(
        os.environ[MEDIA_ENV], additional_headers=headers, open_timeout=_IN_WITHIN_S, proxy=None
    ) as seat:
        await seat.recv()  # raises if the room does not let us in
        session.joined()
        if await fate(session, body, rng) == "leave":
            return
        await asyncio.Event().wait()
