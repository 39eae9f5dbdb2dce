"""A tool call on the server: what is asked, what comes of it, and who carries such calls out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from greenroom.session.model import Session
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.base import WireModel, size_bytes
from greenroom.wire.tools import ToolAnswer, ToolOutcome


class ToolFailed(Exception):
    """A tool has not done what it was asked; the message is a sentence that the model may read."""

    outcome = ToolOutcome.FAILED


class ToolTooLate(ToolFailed):
    """Nobody waits for it any more, or it did not answer in time."""

    outcome = ToolOutcome.TIMEOUT


class ToolRefused(ToolFailed):
    """It was never tried: the assistant does not have it, or its arguments do not match."""

    outcome = ToolOutcome.REFUSED


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is to be carried out.

    Attributes:
        session: Whose assistant asks.
        tool: The tool, as the session's record has it.
        id: Which call.
        name: The function's name.
        arguments: As they came.
        checked: The same, as a built-in function's own model; None: it is no built-in.
        left_s: So long somebody waits for it yet.
    """

    session: Session
    tool: ToolRecord
    id: str
    name: str
    arguments: Mapping[str, Any]
    checked: WireModel | None
    left_s: float

    @property
    def key(self) -> str:
        """Names the call wherever it is to be carried out once: no other has the same.

        Standard Webhooks joins what it signs by full stops, so there is none in it.
        """
        return f"{self.session.id}_{self.id}"


# Type and data of an event.
Shown = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a call has come to: any JSON, and events that show the page what it did."""

    result: Any
    shown: tuple[Shown, ...] = ()


class Runner(Protocol):
    """Carries the calls of one kind of tool out."""

    async def __call__(self, call: Call) -> Done:
        """Carry it out; said again with the same key, nothing more happens.

        Raises:
            ToolFailed: It did not do what it was asked.
            Unavailable: The store is away; it may be said again.
        """
        ...


def answer_of(answer: ToolAnswer) -> dict[str, Any]:
    """An answer as the bot is told it.

    Raises:
        ValueError: It holds what JSON does not carry, or is nested too deeply.
    """
    size_bytes(answer.result)  # dumped, what is no number would be null
    data = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    size_bytes(data)
    return data
