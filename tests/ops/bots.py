"""A bot that does what the session's body tells it to, once somebody is there."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from typing import Any

from tests.bot.bots import tone


async def bot(runner_args: Any) -> None:
    """Connect, meet the user, and then do it."""
    what = (runner_args.body or {}).get("do", "wait")
    if what == "speak":
        await tone.bot(runner_args)
        return
    connection = runner_args.webrtc_connection
    met = asyncio.Event()

    async def meet(connection: object) -> None:
        met.set()

    connection.event_handler("connected")(meet)
    await connection.connect()
    await met.wait()
    await asyncio.sleep(0.1)  # its coming is reported before the loop hangs
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"now: {what}", file=sys.stderr, flush=True)
    match what:
        case "hang":
            time.sleep(3600)  # noqa: ASYNC251 - that is the point
        case "cling":
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)
        case _:
            await asyncio.Event().wait()
