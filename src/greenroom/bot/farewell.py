"""The end of a conversation in order: the farewell is heard, then told, then the bot goes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field

from pipecat.frames.frames import ControlFrame
from pipecat.pipeline.worker import PipelineWorker

from greenroom.bot.context import BotSession
from greenroom.wire.link import ReportKind

# From the farewell's first word to its end at the output, for a sentence or two and beside the
# time that a longer text takes at a slow pace; whoever hangs longer is not heard.
FAREWELL_WITHIN_S = 10.0
SLOW_CHARACTERS_PER_S = 8.0
# The browser falls silent 70 to 130 ms after the output says that it stopped, and on a busy
# machine, where its jitter buffer has grown, more than 300 ms after (both measured).
PLAYOUT_S = 0.8
# Greenroom ends the bot after the farewell; the bot waits so long for it.
END_WITHIN_S = 3.0

# What an assistant says when Greenroom ends the session for one of these reasons. It has four
# seconds for it, including the way to the page; espeak-ng takes 2.7 for these words.
LAST_WORDS = {"budget": "The budget is spent. Goodbye!"}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a bot cannot go on. ``code``: for programs; ``message``: for people."""

    code: str
    message: str


@dataclass
class FarewellEndFrame(ControlFrame):
    """The farewell has been played when this frame has passed the output."""

    interruptible: bool = field(default=False, init=False)


async def until_heard(session: BotSession, played: asyncio.Event, text: str = "") -> bool:
    """Wait until the farewell was played, and has reached the page; whether somebody is there."""
    try:
        async with asyncio.timeout(FAREWELL_WITHIN_S + len(text) / SLOW_CHARACTERS_PER_S):
            await played.wait()
    except TimeoutError:
        return False
    await asyncio.sleep(PLAYOUT_S)
    return session.user_present


async def leave(
    session: BotSession, worker: PipelineWorker, *, heard: bool, failure: Failure | None = None
) -> None:
    """Tell Greenroom, which ends this process; if it does not, go without being asked."""
    if failure is None:
        session.report(ReportKind.FAREWELL, {"heard": heard})
    else:
        session.report(ReportKind.ERROR, {**asdict(failure), "fatal": True})
    await asyncio.sleep(END_WITHIN_S)
    await worker.cancel(reason="nobody ended the bot after its farewell")
