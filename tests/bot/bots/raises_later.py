"""A bot without a pipeline that fails as soon as a page is connected."""

import asyncio

from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """Raise in mid-call."""
    connection = runner_args.webrtc_connection
    met = asyncio.Event()

    @connection.event_handler("connected")
    async def meet(connection: SmallWebRTCConnection) -> None:
        met.set()

    await connection.connect()
    await met.wait()
    raise LookupError("the bot's own mistake")
