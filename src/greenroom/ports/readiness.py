"""Port: whether an assistant's services could be made where its bots run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that an assistant lacks.

    Attributes:
        path: Where in its record: ``stt.service``.
        code: ``unknown_service``, ``missing_extra``, ``missing_key``, ``bad_setting`` or
            ``service_failed``.
        message: What is missing, and what to do about it; never a secret's value.
    """

    path: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Workbench(Protocol):
    """Tries an assistant's services in the environment of its bots."""

    async def lacks(self, record: Mapping[str, Any], *, try_it: bool = False) -> list[Lack]:
        """Everything that the record's services lack; nothing if they could be made.

        Args:
            record: What the bot would be told (`greenroom.wire.assistants.BotRecord`), as JSON.
            try_it: Also ask its language models for a word.

        Raises:
            Unavailable: It cannot be told.
        """
        ...
