"""What runs inside the bot's process; the only importer of Pipecat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.bot.context import BotSession, current

if TYPE_CHECKING:
    from pipecat.pipeline.worker import PipelineWorker

    from greenroom.bot.attached import Attached

__all__ = ["BotSession", "attach", "current"]


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
