"""The folder of tools: files with functions that are declared by ``@tool``, read once a process."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from greenroom.bot.declare import Declared, ToolContext, declared
from greenroom.bot.files import load_file
from greenroom.bot.tools import threads
from greenroom.bot.tools.functions import BadTool, Check, Function, Run, mismatch_of
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.process import TOOLS_DIR
from greenroom.wire.tools import Where


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found.

    Attributes:
        tools: By the functions' names.
        problems: Files and functions that cannot be used, and why; for whoever wrote them.
    """

    tools: dict[str, Declared] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def function_of(self, tool: ToolRecord, context: Callable[[], ToolContext]) -> Function:
        """The function that a record names.

        Raises:
            BadTool: The folder has none of this name.
        """
        if (found := self.tools.get(tool.name)) is None:
            raise BadTool("the folder of tools has no function of this name")
        return Function(
            name=found.name,
            description=tool.description or found.description,
            parameters=found.parameters,
            tool=tool,
            where=Where.BOT,
            check=_checked(found),
            run=_runner(found, context),
        )


def folder() -> Folder:
    """The folder that the environment names (``GREENROOM_TOOLS_DIR``); empty if it names none.

    Imports its files the first time; they are code of the operator's, like the bot's own.
    """
    named = os.environ.get(TOOLS_DIR)
    return read(Path(named)) if named else Folder()


@functools.cache
def read(path: Path) -> Folder:
    """Import each ``.py`` file of a folder but those whose names begin with ``_``."""
    found = Folder()
    if not path.is_dir():
        found.problems.append(f"{path}: is no folder")
    for file in sorted(path.glob("[!_]*.py")):
        try:
            module = load_file(file)
        except (Exception, SystemExit) as error:
            found.problems.append(f"{file.name}: {type(error).__name__}: {error}")
            continue
        for value in vars(module).values():
            one = declared(value)
            # What a file has only imported belongs to another.
            if one is None or one.function.__module__ != module.__name__:
                continue
            if one.name in found.tools:
                found.problems.append(f"{file.name}: there is a tool “{one.name}” already")
            else:
                found.tools[one.name] = one
    return found


def _checked(found: Declared) -> Check:
    def check(given: dict[str, Any]) -> Any:
        try:
            return found.arguments.validate_python(given)
        except ValidationError as error:
            raise mismatch_of(error) from None

    return check


def _runner(found: Declared, context: Callable[[], ToolContext]) -> Run:
    async def run(arguments: dict[str, Any]) -> Any:
        first = (context(),) if found.takes_context else ()
        return await threads.call(functools.partial(found.function, *first, **arguments))

    return run
