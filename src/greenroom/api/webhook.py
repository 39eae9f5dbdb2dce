"""``POST /webhook``: reports of bots that keep no link: signed, numbered, bounded."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import structlog
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from greenroom.api.description import refusals
from greenroom.errors import (
    BadRequest,
    BadSignature,
    Conflict,
    GreenroomError,
    LaunchFenced,
    NotFound,
    RateLimited,
    ReportGap,
    StaleMessage,
    TooLarge,
    TooSlow,
    Unavailable,
)
from greenroom.ports.clock import Clock
from greenroom.service.metrics import Metrics
from greenroom.service.names import Keyring
from greenroom.service.rates import Rates
from greenroom.service.reports import Reports, Taken, Way
from greenroom.service.sessions import Sessions
from greenroom.service.tracing import ids_of
from greenroom.session.facts import Outcome
from greenroom.session.model import Session, Stage
from greenroom.session.rates import Rate
from greenroom.wire import reports as w
from greenroom.wire.link import Report

log = structlog.get_logger("greenroom.webhook")
router = APIRouter(tags=["bots"])

BODY_WITHIN_S = 10.0
_ID = re.compile(r"[A-Za-z0-9_]{1,64}")


def _described() -> dict[str, Any]:
    """The request as OpenAPI tells it: FastAPI does not see a body that is read as it is signed."""
    report = Report.model_json_schema()
    kinds = report.pop("$defs")["ReportKind"]["enum"]
    report["properties"]["kind"] = {"type": "string", "examples": kinds}
    batch = {
        "type": "object",
        "required": ["reports"],
        "properties": {"reports": {"type": "array", "items": report, "maxItems": w.MAX_REPORTS}},
    }
    names = (w.LAUNCH_HEADER, w.ID_HEADER, w.TIMESTAMP_HEADER, w.SIGNATURE_HEADER)
    return {
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [report, batch]}}},
        },
    }


@router.post(
    "/webhook",
    openapi_extra=_described(),
    responses=refusals(
        *(BadRequest, BadSignature, StaleMessage, TooSlow, TooLarge, RateLimited),
        *(LaunchFenced, ReportGap, Conflict, Unavailable),
    ),
)
async def webhook(request: Request) -> w.ReportsAnswer:
    """Take a bot's reports, each once. The answer says how its session stands."""
    metrics: Metrics = request.app.state.metrics
    launch_id = request.headers.get(w.LAUNCH_HEADER, "")
    # Whoever sent it: not believed yet, and logged only if it looks like one of ours.
    request.state.ids = {"launch": launch_id if _ID.fullmatch(launch_id) else None}
    try:
        return await _take(request, launch_id)
    except GreenroomError as error:
        metrics.webhooks_refused.labels(code=error.code).inc()
        log.info("webhook.refused", code=error.code, **request.state.ids)
        raise


async def _take(request: Request, launch_id: str) -> w.ReportsAnswer:
    state = request.app.state
    clock: Clock = state.clock
    body = await _body(request)
    _check_signature(request, state.keyring, launch_id, body, clock.now())
    reports = _read(body)
    rates: Rates = state.rates
    rates.take(Rate.REPORTS, launch_id, max(1, len(reports)))
    session = await _session_of(state.sessions, launch_id)
    request.state.ids = ids_of(session)
    taken = await _take_in_turn(state.reports, session, reports)
    return _answer(taken, taken[-1].session if taken else session, reports)


async def _body(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.body()
    except TimeoutError:
        raise TooSlow(f"The body did not come within {BODY_WITHIN_S:g} s.") from None
    except ClientDisconnect:
        raise BadRequest("The connection broke before all of the body had come.") from None


def _check_signature(
    request: Request, keyring: Keyring, launch_id: str, body: bytes, now: float
) -> None:
    """Before anything else is looked at: nobody learns here which launches there are."""
    at_s = w.signed_at_s(keyring.webhook_secret(launch_id), request.headers, body)
    if at_s is None:
        raise BadSignature("This is not signed by the launch that it names.")
    if abs(now - at_s) > w.TOLERANCE_S:
        raise StaleMessage(
            "This was signed too long ago, or by a clock that is wrong. Sign anew at each try.",
            toleranceS=w.TOLERANCE_S,
        )


def _read(body: bytes) -> list[Report]:
    """The reports of a message, by their numbers.

    Raises:
        BadRequest: It is none. Nothing of it is taken, and what stood there is not repeated.
    """
    try:
        message = w.from_webhook.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"] if part not in ("one", "batch"))
        what = f"“{path}” is not as it should be" if path else "This is no report in JSON"
        raise BadRequest(f"{what} ({first['type']}).", field=path) from None
    reports = message.reports if isinstance(message, w.ReportBatch) else [message]
    return sorted(reports, key=lambda report: report.seq)


async def _session_of(sessions: Sessions, launch_id: str) -> Session:
    try:
        return await sessions.by_launch(launch_id)
    except NotFound:
        raise _fenced() from None


def _fenced() -> LaunchFenced:
    return LaunchFenced("This launch has no session (any more). The bot must end.")


async def _take_in_turn(take: Reports, session: Session, reports: list[Report]) -> list[Taken]:
    """Take one after the other; what comes before a gap is on record, whatever comes after it.

    Raises:
        LaunchFenced: A newer launch has the session.
        ReportGap: One is missing, and the session is not over.
    """
    taken = []
    for report in reports:
        one = await take.take(Way.WEBHOOK, session.launch_id, session.id, report)
        if one.outcome is Outcome.FENCED:
            raise _fenced()
        # Once it is over, nobody waits for what is missing.
        if one.outcome is Outcome.GAP and one.session.stage is not Stage.ENDED:
            next_seq = one.session.report_seq + 1
            raise ReportGap(f"Reports are missing. Send from number {next_seq}.", nextSeq=next_seq)
        taken.append(one)
    return taken


def _answer(taken: list[Taken], session: Session, reports: list[Report]) -> w.ReportsAnswer:
    return w.ReportsAnswer(
        report_seq=session.report_seq,
        duplicate=bool(taken) and all(one.outcome is Outcome.DUPLICATE for one in taken),
        outcomes=[
            w.ReportOutcome(seq=report.seq, outcome=one.outcome)
            for report, one in zip(reports, taken, strict=True)
        ],
        muted=session.muted,
        paused=session.is_paused,
        ended=not session.stage.is_live,
    )
