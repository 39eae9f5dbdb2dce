"""A bot as people have them for Daily: Pipecat's transport, and nothing of Greenroom's.

Tests cannot reach Daily; so it makes its transport, and says how, instead of joining.
"""

from __future__ import annotations

import asyncio

from pipecat.runner.types import DailyRunnerArguments
from pipecat.transports.daily.transport import DailyParams, DailyTransport

from greenroom.bot import current
from greenroom.wire.link import ReportKind


async def bot(runner_args: DailyRunnerArguments) -> None:
    """Make the transport from what the runner gave, and wait for the end."""
    transport = DailyTransport(
        runner_args.room_url,
        runner_args.token,
        "Bot",
        DailyParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    made = {
        "arguments": type(runner_args).__name__,
        "roomUrl": transport.room_url,
        "token": runner_args.token,
        "body": runner_args.body,
        "sessionId": runner_args.session_id,
    }
    current().report(ReportKind.APP, {"type": "app.made", "data": made})
    current().joined()
    await asyncio.Event().wait()
