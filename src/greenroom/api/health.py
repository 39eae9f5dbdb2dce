"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever runs the server."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from greenroom.api.description import BY_THE_OPERATORS_DOOR, refusals
from greenroom.api.doors import operator_of
from greenroom.errors import GreenroomError, Unavailable
from greenroom.service.metrics import Metrics
from greenroom.service.policies import Outside, outside
from greenroom.wire.keys import Scope

router = APIRouter(tags=["operations"])

CHECK_WITHIN_S = 2.0
# Less room than this is none: a conversation's events, its bot's log and its journal go there.
ROOM_BYTES = 64 * 1024


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives and its loop turns."""
    return {"status": "ok"}


@router.get("/readyz", responses=refusals(Unavailable))
async def readyz(request: Request) -> dict[str, str]:
    """New sessions can be taken: store and launcher answer, and what they keep finds room."""
    state = request.app.state
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            await state.store.ping()
            if state.state_dir is not None:
                await asyncio.to_thread(_find_room, state.state_dir)
            await outside(Outside.LIVING, state.launcher.living)
    except GreenroomError:
        raise
    except (OSError, TimeoutError) as error:
        raise Unavailable("Something that Greenroom needs does not answer.") from error
    return {"status": "ready"}


def _find_room(folder: Path) -> None:
    """Write as much as there has to be room for: only that finds quotas and read-only disks."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
    except OSError as error:
        raise Unavailable(f"The state folder takes nothing more: {error.strerror}.") from error


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **refusals(*BY_THE_OPERATORS_DOOR),
    },
)
async def metrics(request: Request) -> Response:
    """All metrics, in Prometheus's text form.

    On a public address they are for operators, and for keys that may read them. What cannot be
    asked at this moment is left as it was.
    """
    state = request.app.state
    if not (state.identity.anonymous or state.metrics_open):
        await operator_of(request, Scope.METRICS)
    known: Metrics = state.metrics
    with contextlib.suppress(GreenroomError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_WITHIN_S):
            known.halted.set(await state.emergency.halted() is not None)
            sessions = await state.store.unended()
            known.look(sessions, await outside(Outside.LIVING, state.launcher.living))
    return Response(generate_latest(known.registry), media_type=CONTENT_TYPE_LATEST)
