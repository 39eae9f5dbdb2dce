"""A bot in a group call on Daily: it greets whoever comes for the first time, and them once."""

from __future__ import annotations

import asyncio
from typing import Any

from greenroom.bot import current
from greenroom.bot.daily import params
from greenroom.wire.link import CommandKind, ReportKind


def _tell(**data: Any) -> None:
    current().report(ReportKind.APP, {"type": "app.told", "data": data})


async def bot(runner_args: Any) -> None:
    """Say how it would join, and then who comes."""

    async def presence(data: dict[str, Any]) -> None:
        if data.get("first"):
            _tell(greets=data["came"])

    async def back() -> None:
        _tell(returned=sorted((current().people or {}).values()))

    made = params()
    _tell(
        camera=made.camera_out_enabled and made.video_out_enabled,
        microphone=made.microphone_out_enabled and made.audio_out_enabled,
        people=current().people,
    )
    current().on_command(CommandKind.PRESENCE, presence)
    current().on_return(back)
    current().joined()
    await asyncio.Event().wait()
