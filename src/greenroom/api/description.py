"""What ``/openapi.json`` says of refusals: each by its status, with the codes that it may have.

FastAPI knows what a route answers when all is well, and of refusals only its own 422, which nobody
here gets. A route says by `refusals` what it may be refused with; what any request with a body or a
parameter may be refused with is added to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from greenroom.errors import (
    BadRequest,
    Forbidden,
    GreenroomError,
    IssuerUnavailable,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from greenroom.wire import cloud
from greenroom.wire.http import ErrorAnswer

_ERROR_ANSWER = "ErrorAnswer"
_REF = f"#/components/schemas/{_ERROR_ANSWER}"
# What FastAPI describes of its own refusals.
_NEVER = ("HTTPValidationError", "ValidationError")

Refusals = tuple[type[GreenroomError], ...]

BY_A_DOOR: Refusals = (
    BadRequest,
    Unauthorized,
    Forbidden,
    RateLimited,
    Unavailable,
    IssuerUnavailable,
)
"""What whoever goes through a user's or a server's door may be refused with."""

BY_THE_OPERATORS_DOOR: Refusals = (Unauthorized, Forbidden, RateLimited, Unavailable)


OUR_FIELD = "code"


def refusals(
    *errors: type[GreenroomError],
    field: str = OUR_FIELD,
    status_of: Callable[[type[GreenroomError]], int] = lambda error: error.status,
) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may be refused with these errors.

    Args:
        *errors: By which errors.
        field: Where in the answer their code stands.
        status_of: With which status a door answers an error.
    """
    by_status: dict[int | str, list[type[GreenroomError]]] = {}
    for error in sorted(set(errors), key=lambda error: (status_of(error), error.code)):
        by_status.setdefault(status_of(error), []).append(error)
    return {status: _response(of_status, field) for status, of_status in by_status.items()}


def _response(errors: Iterable[type[GreenroomError]], field: str) -> dict[str, Any]:
    told = {error.code: inspect.getdoc(error) or "" for error in errors}
    return {
        "description": "\n\n".join(f"`{code}`: {text}" for code, text in told.items()),
        "content": {"application/json": {"schema": _schema(list(told), field)}},
    }


def _schema(codes: list[str], field: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": _REF}, {"properties": {field: {"enum": codes}}}]}


def install_description(app: FastAPI) -> None:
    """Let the app describe itself truly; made once, when it is asked for."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    whole = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    for path, of_path in whole["paths"].items():
        field = cloud.CODE_FIELD if path.startswith(cloud.PREFIX) else OUR_FIELD
        for operation in of_path.values():
            _add_what_any_input_is_refused_with(operation, field)
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    for name in _NEVER:
        schemas.pop(name, None)
    schemas[_ERROR_ANSWER] = ErrorAnswer.model_json_schema(by_alias=True)
    return whole


def _add_what_any_input_is_refused_with(operation: dict[str, Any], field: str) -> None:
    responses = operation["responses"]
    checked = responses.pop("422", None) is not None
    missing = ((BadRequest, checked), (TooLarge, "requestBody" in operation))
    for error, may_be in missing:
        if may_be:
            _add(responses, error, field)


def _add(responses: dict[str, Any], error: type[GreenroomError], field: str) -> None:
    """Add an error to those of its status, if it is not among them."""
    new = _response([error], field)
    known = responses.setdefault(str(error.status), new)
    enum = known["content"]["application/json"]["schema"]["allOf"][1]["properties"][field]["enum"]
    if error.code not in enum:
        enum.append(error.code)
        known["description"] += "\n\n" + new["description"]
