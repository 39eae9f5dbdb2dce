"""What runs inside the bot's process; the only importer of Pipecat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from greenroom.bot.context import BotSession, current
from greenroom.bot.declare import ToolContext, tool

if TYPE_CHECKING:
    from pipecat.pipeline.worker import PipelineWorker

    from greenroom.bot.attached import Attached

__all__ = ["BotSession", "ToolContext", "attach", "current", "hosted", "tool"]


def attach(worker: PipelineWorker) -> Attached:
    """Let a Pipecat bot take part in mute, pause, typed text, goodbye and return: in one line.

    Call it in ``bot()``, once the worker is made and before it runs::

        attached = attach(worker)

    Under any other runner it logs one line and changes nothing.

    Args:
        worker: The worker whose pipeline has the transport's input and output.

    Returns:
        What the bot may use further: `goodbye`, `on_return` and `on_warning`.
    """
    # Pipecat takes a second to import, and whoever imports this package may not need it.
    from greenroom.bot import attached

    return attached.attach(worker)


def hosted(bot: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Let a bot that runs elsewhere take part as one on Greenroom's machine does: a decorator.

    In a container (on Pipecat Cloud, say) Greenroom hands the link's address and the launch's
    secret over in ``runner_args.body``; with them the bot has what `attach` gives, and with a local
    room its connection with the page, too::

        @hosted
        async def bot(runner_args): ...

    On Greenroom's own machine, and where somebody else started the bot, it changes nothing.

    Args:
        bot: The coroutine function that Pipecat's runner calls.

    Returns:
        The same, to be called in its place.
    """
    from greenroom.bot import elsewhere

    return elsewhere.hosted(bot)
