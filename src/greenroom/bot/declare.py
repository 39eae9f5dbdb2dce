"""The decorator ``@tool``: makes of a typed function one that an assistant may call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypeVar, get_type_hints

import docstring_parser
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from greenroom.wire.link import ReportKind

if TYPE_CHECKING:
    from greenroom.bot.context import BotSession

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__greenroom_tool__"


class ToolContext:
    """What a tool may know of the conversation in which it is used, and do beside answering."""

    def __init__(self, session: BotSession) -> None:
        self._session = session

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._session.spec.session_id

    @property
    def user_id(self) -> str:
        """Who talks; empty where Greenroom did not say."""
        return self._session.spec.user_id

    @property
    def assistant(self) -> str:
        """The assistant's name."""
        return self._session.spec.assistant

    def show(self, event: str, data: dict[str, Any]) -> None:
        """Tell the page something of the application's own; never blocks, kept until told.

        Args:
            event: ``app.…`` or ``ui.…``.
            data: JSON values only.
        """
        self._session.report(ReportKind.APP, {"type": event, "data": data})


@dataclass(frozen=True, slots=True)
class Declared:
    """A function that was declared a tool.

    Attributes:
        name: The function's own.
        description: What tells a model when to use it.
        parameters: JSON Schema of its arguments: an object.
        arguments: Checks and reads them.
        function: Plain or async.
        takes_context: Whether its first parameter is a `ToolContext`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    arguments: TypeAdapter[dict[str, Any]]
    function: Callable[..., Any]
    takes_context: bool


def tool(function: _F) -> _F:
    """Let an assistant use a function, if its record names it: a decorator.

    The docstring tells a model when to use it; its section ``Args:`` describes the arguments. A
    plain function runs in a thread, an async one in the bot's own loop. It may take a
    `ToolContext` first. It returns anything that JSON carries::

        @tool
        def add_up(numbers: list[float]) -> float: ...

    Args:
        function: It stays as it is, and can be called as before.

    Raises:
        TypeError: An argument has no type, or there are ``*args`` or ``**kwargs``.
    """
    setattr(function, _MARK, _declared(function))
    return function


def declared(value: Any) -> Declared | None:
    """What `tool` made of a function; None for anything else."""
    found = getattr(value, _MARK, None)
    return found if isinstance(found, Declared) else None


def _declared(function: Callable[..., Any]) -> Declared:
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())
    takes_context = bool(parameters) and hints.get(parameters[0].name) is ToolContext
    described = docstring_parser.parse(inspect.getdoc(function) or "")
    said = {one.arg_name: one.description for one in described.params if one.description}
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for parameter in parameters[takes_context:]:
        hint = _hint(function, parameter, hints)
        if words := said.get(parameter.name):
            hint = Annotated[hint, Field(description=" ".join(words.split()))]
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
            hint = NotRequired[hint]
        fields[parameter.name] = hint
    # Not a model: an argument may be called ``json`` or ``copy`` without hiding a model's method.
    shape = TypedDict(function.__name__, fields)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(shape)  # type: ignore[arg-type]
    return Declared(
        name=function.__name__,
        description=_description(described, function),
        parameters=_schema(adapter, defaults),
        arguments=adapter,
        function=function,
        takes_context=takes_context,
    )


def _hint(function: Callable[..., Any], parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"{function.__name__}: a tool's arguments have names ({parameter})")
    if parameter.name not in hints:
        raise TypeError(f"{function.__name__}: the argument {parameter.name} has no type")
    return hints[parameter.name]


def _description(described: docstring_parser.Docstring, function: Callable[..., Any]) -> str:
    parts = (described.short_description, described.long_description)
    return "\n".join(part for part in parts if part) or function.__name__.replace("_", " ")


def _schema(adapter: TypeAdapter[dict[str, Any]], defaults: dict[str, Any]) -> dict[str, Any]:
    schema = adapter.json_schema()
    schema.pop("title", None)
    for name, default in defaults.items():
        schema["properties"][name]["default"] = to_jsonable_python(default, fallback=repr)
    return schema
