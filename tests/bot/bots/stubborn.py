"""A bot that swallows every cancellation."""

import asyncio


async def bot(runner_args: object) -> None:
    """Never end."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
