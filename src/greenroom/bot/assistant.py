"""The default bot: a mind, a script or the cards, as the session's record says."""

from __future__ import annotations

from typing import Any

from greenroom.bot import cards, mind, scripted
from greenroom.bot.context import current
from greenroom.wire.link import BotLevel

GREENROOM_LEVEL = BotLevel.ATTACHED


def prewarm() -> None:
    """What the cards need, and scripts, and what every mind does. No loop, no thread."""
    cards.prewarm()
    scripted.prewarm()
    mind.prewarm()


async def bot(runner_args: Any) -> None:
    """One conversation, by whom the record wants."""
    record = current().spec.record
    if record.get("llm") or record.get("speechToSpeech"):
        await mind.bot(runner_args)
    elif record.get("script"):
        await scripted.bot(runner_args)
    else:
        await cards.bot(runner_args)
