"""``POST /daily/webhook``: what Daily tells of its rooms: signed, late, repeated, in any order."""

from __future__ import annotations

import json
from typing import Any

import structlog
from fastapi import APIRouter, Request
from pydantic import ValidationError

from greenroom.api.description import refusals
from greenroom.errors import (
    BadRequest,
    BadSignature,
    NotFound,
    StaleMessage,
    TooLarge,
    Unavailable,
)
from greenroom.ports.clock import Clock
from greenroom.service.attendance import Attendance, Heard
from greenroom.wire import daily as w

log = structlog.get_logger("greenroom.daily")
router = APIRouter(tags=["rooms"])


@router.post(
    "/daily/webhook",
    responses=refusals(BadRequest, BadSignature, StaleMessage, NotFound, TooLarge, Unavailable),
)
async def webhook(request: Request) -> dict[str, str]:
    """Take an event of Daily's.

    200 for all that Daily has signed, whatever we make of it: an endpoint that refuses three times
    is told nothing more. Its test is answered unsigned, and does nothing.
    """
    secret: str | None = request.app.state.daily_webhook_secret
    if secret is None:
        raise NotFound(
            "No webhook of Daily's is expected: GREENROOM_DAILY_WEBHOOK_SECRET is not set."
        )
    body = await request.body()
    if _is_test(body):
        return {"outcome": "test"}
    clock: Clock = request.app.state.clock
    _check_signature(secret, request, body, clock.now())
    attendance: Attendance = request.app.state.attendance
    outcome = await _take(attendance, body)
    attendance.count(outcome)
    return {"outcome": outcome.value}


def _is_test(body: bytes) -> bool:
    try:
        return len(body) < 64 and json.loads(body) == w.TEST_BODY
    except ValueError:
        return False


def _check_signature(secret: str, request: Request, body: bytes, now: float) -> None:
    at_s = w.signed_at_s(secret, request.headers, body)
    if at_s is None:
        log.info("webhook.refused", code=BadSignature.code)
        raise BadSignature("This is not signed with the secret of Daily's webhook.")
    if abs(now - at_s) > w.TOLERANCE_S:
        log.info("webhook.refused", code=StaleMessage.code)
        raise StaleMessage("This was signed too long ago, or by a clock that is wrong.")


async def _take(attendance: Attendance, body: bytes) -> Heard:
    try:
        event = w.DailyEvent.model_validate_json(body)
        if event.type not in (w.JOINED, w.LEFT):
            return Heard.OTHER
        who = w.DailyParticipant.model_validate(event.payload)
    except ValidationError as error:
        reason: Any = error.errors(include_input=False, include_context=False, include_url=False)[0]
        log.warning("daily.event.malformed", reason=reason["type"])
        return Heard.MALFORMED
    return await attendance.heard(
        who.room,
        who.session_id,
        who.user_id or "",
        here=event.type == w.JOINED,
        joined_at=who.joined_at,
    )
