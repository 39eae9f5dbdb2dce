"""Every error as JSON of one shape, whoever raised it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from greenroom.api.doors import address_of, network_of
from greenroom.api.identity import bearer_of
from greenroom.errors import (
    BadRequest,
    Forbidden,
    GreenroomError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
)
from greenroom.service.keys import is_key
from greenroom.service.metrics import Metrics
from greenroom.service.rates import Rates
from greenroom.session.rates import Rate
from greenroom.wire import cloud
from greenroom.wire.vapi import refusals as vapi

log = structlog.get_logger("greenroom.api")

_BY_STATUS: dict[int, type[GreenroomError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
}


# What may be tried again, and nobody knows when.
_SOON_S = 1.0


def install_errors(app: FastAPI, metrics: Metrics) -> None:
    """Make every refusal and failure of the app an `ErrorAnswer`."""

    async def greenroom_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GreenroomError)
        if isinstance(error, Unauthorized) and bearer_of(request):
            error = _refused_login(request, error, metrics)
        headers = _retry_after(error)
        if greeting := getattr(request.state, "greeting", None):
            # Else a visitor whose first call fails comes back as somebody else, to a second bot.
            headers["Set-Cookie"] = greeting
        return answer_to(request.url.path, error, headers)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        refusal = _refusal_of(error.errors()[0])
        return answer_to(request.url.path, refusal)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = _BY_STATUS.get(error.status_code, BadRequest)
        answer = answer_to(request.url.path, kind(str(error.detail)), error.headers)
        answer.status_code = error.status_code
        return answer

    async def uncaught(request: Request, error: Exception) -> JSONResponse:
        metrics.uncaught.labels(place="api").inc()
        # What a door has found out, or else what stands in the path.
        ids = getattr(request.state, "ids", {"session": request.path_params.get("session_id")})
        log.error("api.uncaught", path=request.url.path, **ids, exc_info=error)
        return answer_to(
            request.url.path, GreenroomError("Something went wrong here. It was logged.")
        )

    app.add_exception_handler(GreenroomError, greenroom_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, uncaught)


def answer_to(
    path: str, error: GreenroomError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error as those who ask at this path understand it."""
    status, body = error.status, error.as_json()
    if path.startswith(cloud.PREFIX):
        status, body = cloud.refusal(error)
    elif vapi.is_ours(path):
        status, body = vapi.refusal(error)
    return JSONResponse(body, status_code=status, headers=headers)


def _refusal_of(first: dict[str, Any]) -> BadRequest:
    """What is wrong with a request, in its sender's own words; values are never repeated."""
    if first["type"] == "json_invalid":
        what = first.get("ctx", {}).get("error", "it cannot be read")
        return BadRequest(f"The body is not JSON: {what}, at character {first['loc'][-1]}.")
    # The first part says where the field stands: in the body, the query …
    path = ".".join(str(part) for part in first["loc"][1:])
    where = f"“{path}”: " if path else ""
    return BadRequest(f"{where}{first['msg']}.", field=path)


def _refused_login(
    request: Request, error: Unauthorized, metrics: Metrics
) -> Unauthorized | RateLimited:
    """What is answered to a token or key that is not good.

    Nobody is locked out: whoever shows a good one from the same address gets in. Who keeps showing
    bad ones is told to slow down, and is not worth a line in the log each time.
    """
    kind = "key" if is_key(bearer_of(request)) else "token"
    metrics.tokens_refused.labels(kind=kind).inc()
    rates: Rates = request.app.state.rates
    try:
        rates.take(Rate.BAD_LOGINS, network_of(request))
    except RateLimited as limited:
        return limited
    log.info("login.refused", kind=kind, address=address_of(request), path=request.url.path)
    return error


def _retry_after(error: GreenroomError) -> dict[str, str]:
    """In whole seconds, and never too early."""
    if not error.retryable:
        return {}
    after_s = _SOON_S if error.retry_after_s is None else error.retry_after_s
    return {"Retry-After": str(max(1, math.ceil(after_s)))}
