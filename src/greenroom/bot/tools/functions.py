"""A function as an assistant has it: its name, its arguments, and who carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from greenroom.wire import schemas
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.base import WireModel
from greenroom.wire.tools import ToolOutcome, Where

# A model reads these; three are enough to see what is wrong.
_MOST_PROBLEMS = 3
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}


class ToolError(Exception):
    """A call came to nothing.

    Attributes:
        outcome: How.
        sentence: What a model, or whoever reads, is told.
    """

    def __init__(self, outcome: ToolOutcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.sentence = sentence


class BadTool(Exception):
    """The assistant cannot have this tool; the argument says why."""


Check = Callable[[dict[str, Any]], Any]
Run = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Function:
    """What an assistant may call.

    Attributes:
        name: As it is called.
        description: What tells a model when to use it.
        parameters: JSON Schema of its arguments: an object.
        tool: The tool of the record that it comes with.
        where: Who carries it out.
        check: Reads the arguments; raises `ToolError` (refused) if they do not match.
        run: Carries it out with what `check` returned; None: whoever ``where`` says is asked.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    tool: ToolRecord
    where: Where
    check: Check
    run: Run | None = None


def checked_by_model(arguments: type[WireModel]) -> Check:
    """Arguments that a built-in function's model reads."""

    def check(given: dict[str, Any]) -> Any:
        try:
            return arguments.model_validate(given)
        except ValidationError as error:
            raise mismatch_of(error) from None

    return check


def checked_by_schema(schema: Mapping[str, Any]) -> Check:
    """Arguments that a JSON Schema describes; it reaches for no address that it mentions.

    Raises:
        BadTool: It is no JSON Schema.
    """
    if (problem := schemas.problem_of(schema)) is not None:
        raise BadTool(f"its parameters are no JSON Schema: {problem[1]}")

    def check(given: dict[str, Any]) -> Any:
        try:
            problems = [
                (".".join(map(str, path)), what) for path, what in schemas.mismatches(schema, given)
            ]
        except schemas.LeadsNowhere:
            raise ToolError(ToolOutcome.FAILED, "The tool's schema leads nowhere.") from None
        if problems:
            raise mismatch(problems)
        return given

    return check


def mismatch_of(error: ValidationError) -> ToolError:
    """What pydantic found, told by field."""
    return mismatch([(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()])


def mismatch(problems: list[tuple[str, str]]) -> ToolError:
    """Arguments that do not match; a call that was never tried."""
    told = [f"{field}: {what}" if field else what for field, what in problems[:_MOST_PROBLEMS]]
    sentence = f"The arguments do not match. {'; '.join(told)}"[:500]
    return ToolError(ToolOutcome.REFUSED, sentence)
