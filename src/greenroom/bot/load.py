"""Finds a bot: a dotted module or a ``.py`` file with ``async def bot(runner_args)``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from greenroom.bot import attach
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
    path = path.resolve()
    name = f"greenroom_bot_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise NoBot("There is no such bot file.", bot=path.name)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
