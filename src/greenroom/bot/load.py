"""Finds a bot: a dotted module or a ``.py`` file with ``async def bot(runner_args)``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from greenroom.bot import attach
from greenroom.bot.files import load_file
from greenroom.errors import GreenroomError
from greenroom.wire.link import BotLevel

Entry = Callable[[Any], Awaitable[None]]


class NoBot(GreenroomError):
    """The module exists and has no ``async def bot(runner_args)``."""

    code: ClassVar[str] = "no_bot"


def load(bot: str) -> ModuleType:
    """Import a bot's module, once per process.

    Args:
        bot: A dotted module, or a path that ends in ``.py``. A file is imported as Python would
            run it: its directory is the first place where its own imports are looked for.

    Raises:
        NoBot: It has no ``async def bot``.
        Exception: Whatever the import raises.
    """
    module = _load_file(Path(bot)) if bot.endswith(".py") else importlib.import_module(bot)
    entry(module)
    return module


def entry(module: ModuleType) -> Entry:
    """The module's ``bot``.

    Raises:
        NoBot: It has none, or it is not a coroutine function.
    """
    found = getattr(module, "bot", None)
    if not inspect.iscoroutinefunction(found):
        raise NoBot("The bot's module has no `async def bot(runner_args)`.", bot=module.__name__)
    return found


def level(module: ModuleType) -> BotLevel:
    """What the module promises; what the bot turns out to be is told when it has joined.

    Its ``GREENROOM_LEVEL``, if it has one; attached, if it has imported `attach`; and otherwise
    what hooks can see of any Pipecat bot.
    """
    attaches = any(value is attach for value in vars(module).values())
    seen = BotLevel.ATTACHED if attaches else BotLevel.OBSERVED
    return BotLevel(getattr(module, "GREENROOM_LEVEL", seen))


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NoBot("There is no such bot file.", bot=path.name)
    return load_file(path)
