"""A bot that swallows every cancellation."""

import asyncio
import contextlib


async def bot(runner_args: object) -> None:
    """Never end."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
