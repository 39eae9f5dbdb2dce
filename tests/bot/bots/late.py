"""The built-in bot, which says at its end what was imported since the zygote was ready to fork."""

from __future__ import annotations

import sys

from pipecat.runner.types import SmallWebRTCRunnerArguments

from greenroom.bot import cards

GREENROOM_LEVEL = cards.GREENROOM_LEVEL

_known: set[str] = set()


def prewarm() -> None:
    """The last that the zygote does."""
    cards.prewarm()
    _known.update(sys.modules)


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation."""
    try:
        await cards.bot(runner_args)
    finally:
        print("late:", sorted(set(sys.modules) - _known), file=sys.stderr, flush=True)
