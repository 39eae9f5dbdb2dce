"""A bot in any container: what is handed over in ``runner_args.body`` makes it Greenroom's own.

The same machinery as on Greenroom's machine runs around ``bot()``: link, room, commands, farewell,
and a first report that it has joined. Where no connection can be kept, it reports by webhook.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from loguru import logger

from greenroom.bot.context import in_session
from greenroom.bot.load import Entry
from greenroom.wire.handover import Handover, handed_over
from greenroom.wire.process import BotSpec, ExitCode, Progress

# `link` (unless said otherwise) or `webhook`, in the container's environment.
REPORTS_VARIABLE = "GREENROOM_REPORTS"


class AgentFailed(RuntimeError):
    """``bot()`` raised; the traceback is on standard error."""


def hosted(bot: Entry) -> Entry:
    """See `greenroom.bot.hosted`."""

    @functools.wraps(bot)
    async def run(runner_args: Any) -> None:
        if in_session():
            await bot(runner_args)
            return
        told = handed_over(getattr(runner_args, "body", None))
        if told is None:
            logger.info("Greenroom did not start this agent: it runs by itself")
            await bot(runner_args)
            return
        await _serve(bot, runner_args, told)

    return run


async def _serve(bot: Entry, runner_args: Any, told: Handover) -> None:
    """Run one session to its end; cancellation ends it, and tells Greenroom."""
    # Pipecat takes a second to import, and whoever imports this package may not need it.
    from greenroom.bot import hooks, overtaking, rejoin, sparing
    from greenroom.bot.posting import WebhookLine
    from greenroom.bot.serve import Serving

    rejoin.adapt_transport()
    sparing.spare()
    overtaking.keep_order()
    hooks.install()
    spec = BotSpec(
        launch_id=told.session.launch_id,
        session_id=told.session.session_id,
        bot="bot",
        link_url=told.link_url,
        secret=told.secret,
    )
    by_webhook = os.environ.get(REPORTS_VARIABLE, "link") == "webhook"
    line = functools.partial(WebhookLine, told) if by_webhook else None
    serving = Serving(spec, _module_of(bot), _nobody_waits, line=line, given=runner_args)
    code = await serving.run()
    if code == ExitCode.BOT_RAISED:
        raise AgentFailed("the agent failed; what it raised stands above")
    if code in (ExitCode.LINK_REFUSED, ExitCode.LINK_LOST):
        logger.warning("Greenroom has no session for this agent (any more): it ends")


def _module_of(bot: Callable[..., Any]) -> ModuleType:
    """The bot as a module, which is how it is known where Greenroom loads it."""
    module = ModuleType(getattr(bot, "__module__", "bot"))
    vars(module).update(getattr(bot, "__globals__", {}))
    vars(module)["bot"] = bot
    return module


def _nobody_waits(progress: Progress) -> None:
    """No launcher watches this process from beside it."""
