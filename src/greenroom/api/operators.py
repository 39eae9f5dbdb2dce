"""``/api/operator`` and ``/api/emergency``: for those who run the house, and on record."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import Operator
from greenroom.api.telling import TellingDep
from greenroom.api.voice import SessionsDep
from greenroom.errors import (
    BadOverride,
    BadRequest,
    Conflict,
    NotActive,
    NotFound,
    SessionEnded,
    StillQueued,
    VoiceFixed,
)
from greenroom.ports.audit import Act
from greenroom.ports.launcher import Launcher
from greenroom.ports.store import Store
from greenroom.service.audit import Audit
from greenroom.service.emergency import Emergency
from greenroom.service.listing import lines_of
from greenroom.service.policies import Outside, outside
from greenroom.service.sessions import Sessions
from greenroom.session.model import EndReason, Session
from greenroom.wire import operators as w
from greenroom.wire.http import AdjustBody, ContextBody, SayBody
from greenroom.wire.translate import rfc3339

log = structlog.get_logger("greenroom.operators")
router = APIRouter(prefix="/api", tags=["operators"])

_SESSION = "/operator/sessions/{session_id}"
_OF_TELLING = (*BY_THE_OPERATORS_DOOR, BadRequest, NotFound, Conflict, SessionEnded)


def _emergency(request: Request) -> Emergency:
    emergency: Emergency = request.app.state.emergency
    return emergency


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


AuditDep = Annotated[Audit, Depends(_audit)]
EmergencyDep = Annotated[Emergency, Depends(_emergency)]


@router.post("/emergency/shutdown", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def shutdown(
    operator: Operator,
    emergency: EmergencyDep,
    audit: AuditDep,
    body: w.ReasonBody | None = None,
) -> w.HaltAnswer:
    """Stop everything: every session ends, and none begins until ``/api/emergency/resume``."""
    log.warning("operator.stops_everything", operator=operator.name)
    reason = body.reason.strip() if body else ""
    async with audit.of(operator, Act.STOP_ALL, reason=reason):
        stopped = await emergency.stop(reason)
    return w.HaltAnswer(
        halted_at=rfc3339(stopped.halt.at),
        reason=stopped.halt.reason,
        ended=stopped.ended,
        left=stopped.left,
    )


@router.post("/emergency/resume", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def resume(operator: Operator, emergency: EmergencyDep, audit: AuditDep) -> w.ResumeAnswer:
    """Let sessions begin again."""
    log.warning("operator.resumes", operator=operator.name)
    async with audit.of(operator, Act.RESUME):
        return w.ResumeAnswer(resumed=await emergency.resume())


@router.get("/operator/sessions", responses=refusals(*BY_THE_OPERATORS_DOOR))
async def sessions(operator: Operator, emergency: EmergencyDep, request: Request) -> w.SessionLines:
    """Every session that has not ended."""
    store: Store = request.app.state.store
    launcher: Launcher = request.app.state.launcher
    halt = await emergency.halted()
    unended = await store.unended()
    living = await outside(Outside.LIVING, launcher.living)
    return lines_of(unended, living, halt, request.app.state.clock.now())


@router.delete(
    "/operator/sessions/{session_id}",
    responses=refusals(*BY_THE_OPERATORS_DOOR, NotFound, Conflict),
)
async def end(
    session_id: str,
    operator: Operator,
    audit: AuditDep,
    request: Request,
    body: w.ReasonBody | None = None,
) -> w.EndAnswer:
    """End a session (``kicked``). Said again, it hurries."""
    log.warning("operator.ends_session", operator=operator.name, session=session_id)
    sessions: Sessions = request.app.state.sessions
    note = body.reason.strip() if body else ""
    async with audit.of(operator, Act.END_SESSION, session_id, reason=note):
        ended = await sessions.stop(session_id, None, EndReason.KICKED, note=note or None)
    reason = ended.reason.value if ended.reason else None
    return w.EndAnswer(session_id=ended.id, stage=ended.stage.value, reason=reason)


# ---- telling an assistant that talks


@router.post(
    f"{_SESSION}/say", status_code=202, responses=refusals(*_OF_TELLING, NotActive, StillQueued)
)
async def say(
    session_id: str,
    body: SayBody,
    operator: Operator,
    audit: AuditDep,
    sessions: SessionsDep,
    tells: TellingDep,
) -> w.ToldAnswer:
    """Have the assistant of a session say something."""
    chars, interrupt = len(body.text), bool(body.interrupt)
    async with audit.of(operator, Act.SAY, session_id, chars=chars, interrupt=interrupt):
        session = await sessions.get(session_id)
        return _told(await tells.say(session, body.text, interrupt=interrupt))


@router.post(f"{_SESSION}/context", status_code=202, responses=refusals(*_OF_TELLING))
async def context(
    session_id: str,
    body: ContextBody,
    operator: Operator,
    audit: AuditDep,
    sessions: SessionsDep,
    tells: TellingDep,
) -> w.ToldAnswer:
    """Let the assistant of a session know something, which it does not say."""
    async with audit.of(operator, Act.CONTEXT, session_id, chars=len(body.text)):
        return _told(await tells.context(await sessions.get(session_id), body.text))


@router.post(
    f"{_SESSION}/adjust",
    status_code=202,
    responses=refusals(*_OF_TELLING, BadOverride, VoiceFixed),
)
async def adjust(
    session_id: str,
    body: AdjustBody,
    operator: Operator,
    audit: AuditDep,
    sessions: SessionsDep,
    tells: TellingDep,
) -> w.ToldAnswer:
    """Change persona, personality or voice of a session's assistant at once."""
    fields = sorted(body.changes)
    async with audit.of(operator, Act.ADJUST, session_id, fields=fields):
        return _told(await tells.adjust(await sessions.get(session_id), body.changes))


def _told(session: Session) -> w.ToldAnswer:
    return w.ToldAnswer(session_id=session.id, stage=session.stage.value)
