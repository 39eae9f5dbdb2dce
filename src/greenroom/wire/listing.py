"""What a bot could call, as ``greenroom tools`` is told of it."""

from __future__ import annotations

from typing import Any

from greenroom.wire.base import WireModel
from greenroom.wire.tools import Where


class Listed(WireModel):
    """A function, the record's tool that it comes with, and who carries it out."""

    name: str
    tool: str
    kind: str
    where: Where
    description: str
    parameters: dict[str, Any]


class Listing(WireModel):
    """The functions of a record; ``problems``: tools of it that cannot be had, and why.

    ``folderProblems``: files of the folder of tools that cannot be used, whoever names them.
    """

    functions: list[Listed]
    problems: list[str]
    folder_problems: list[str]
