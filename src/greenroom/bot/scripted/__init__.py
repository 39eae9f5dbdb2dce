"""An assistant that follows a script: no model, no key, and tools all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.wire.link import BotLevel

if TYPE_CHECKING:
    from pipecat.runner.types import SmallWebRTCRunnerArguments

GREENROOM_LEVEL = BotLevel.ATTACHED


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation along the record's script, until goodbye or until Greenroom ends it."""
    from greenroom.bot.scripted import speaking

    await speaking.bot(runner_args)


def prewarm() -> None:
    """Load the recogniser, and the folder of tools. No loop, no thread."""
    from greenroom.bot.scripted import speaking

    speaking.prewarm()
