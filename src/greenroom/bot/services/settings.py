"""Puts a record's settings where a service's class takes them: its constructor, or its Settings."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from pipecat.services.ai_service import AIService
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from greenroom.bot.services.problems import Problem
from greenroom.wire.secrets import is_secret_name

# What a record never says: keys, and what others in the program make.
_NOT_FOR_RECORDS = {"self", "settings", "params", "name", "kwargs", "args"}
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclasses.dataclass(frozen=True)
class Placed:
    """A service's settings, sorted: for its constructor, and for its Settings."""

    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)


def place(
    cls: type[AIService], settings: Mapping[str, Any], path: str
) -> tuple[Placed, list[Problem]]:
    """Sort settings, by their names as they are in Python; ``camelCase`` is taken, too.

    Where both take a name, Settings get it: Pipecat is moving everything there that can change.

    Args:
        cls: The service's class.
        settings: As the record says.
        path: Where the record says so, for the problems.
    """
    placed, problems = Placed(), []
    fields, parameters = fields_of(cls), parameters_of(cls)
    for name, value in settings.items():
        at, plain = f"{path}.{name}", snake(name)
        try:
            if is_secret_name(plain):
                message = "keys come from the environment, never from a record."
                problems.append(Problem(at, "bad_setting", message))
            elif plain in fields:
                placed.fields[plain] = _as(fields[plain], value)
            elif plain in parameters:
                placed.arguments[plain] = _as(parameters[plain], value)
            else:
                near = get_close_matches(plain, [*fields, *parameters], n=1)
                hint = f" Did you mean {camel(near[0])}?" if near else ""
                message = f"there is no such setting.{hint}"
                problems.append(Problem(at, "bad_setting", message))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            problems.append(Problem(at, "bad_setting", f"{first['msg']}."))
    return placed, problems


def fields_of(cls: type[AIService]) -> dict[str, Any]:
    """The fields of a class's Settings, with their types."""
    settings = settings_class(cls)
    if settings is None:
        return {}
    hints = _hints(settings)
    return {
        field.name: hints.get(field.name, Any)
        for field in dataclasses.fields(settings)
        if field.init and field.name != "extra"
    }


def settings_class(cls: type[AIService]) -> Any:
    """A class's Settings; None if it has none."""
    settings = getattr(cls, "Settings", None)
    return settings if dataclasses.is_dataclass(settings) else None


def parameters_of(cls: type[AIService]) -> dict[str, Any]:
    """What a constructor takes by name, and those that it passes everything else on to.

    Returns:
        The names, with their types.
    """
    found: dict[str, Any] = {}
    for one in cls.__mro__:
        if "__init__" not in vars(one) or one is object:
            continue
        initialise = vars(one)["__init__"]
        hints = _hints(initialise)
        parameters = inspect.signature(initialise).parameters.values()
        for parameter in parameters:
            if parameter.name not in _NOT_FOR_RECORDS and parameter.kind not in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                found.setdefault(parameter.name, hints.get(parameter.name, Any))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def needed_by(cls: type[AIService]) -> list[str]:
    """The parameters without which the class itself cannot be made."""
    return [
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


def snake(name: str) -> str:
    """``baseUrl`` as ``base_url``."""
    return _CAPITAL.sub(r"_\1", name).lower()


def camel(name: str) -> str:
    """``base_url`` as ``baseUrl``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _as(hint: Any, value: Any) -> Any:
    """A JSON value as the type that is wanted, if it is a type that JSON can be read as."""
    adapter = _adapter(hint) if hint is not Any else None
    return value if adapter is None else adapter.validate_python(value)


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    try:
        # A class that Pydantic does not know is taken only as itself.
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError):
        return None
    except Exception:
        # A model or dataclass has a configuration of its own.
        return TypeAdapter(hint)


@cache
def _hints(of: Any) -> dict[str, Any]:
    """The types of a class's fields or a function's parameters, as far as they can be told.

    One by one: some name what only a type checker imports, and that takes nothing from the others.
    """
    found: dict[str, Any] = {}
    for one in reversed(of.__mro__) if inspect.isclass(of) else [of]:
        names = vars(sys.modules.get(getattr(one, "__module__", None) or "", typing))
        own = (
            vars(one) if inspect.isclass(one) else {"__annotations__": inspect.get_annotations(one)}
        )
        for name, annotation in own.get("__annotations__", {}).items():
            with contextlib.suppress(Exception):
                found[name] = _evaluated(annotation, names, own)
    return found


def _evaluated(annotation: Any, names: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    return eval(annotation, dict(names), dict(own))  # noqa: S307 - the source of installed code
