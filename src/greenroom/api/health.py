"""``/healthz``, ``/readyz`` and ``/metrics``: for whoever runs the server."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from greenroom.errors import GreenroomError, Unavailable

router = APIRouter(tags=["operations"])

CHECK_WITHIN_S = 2.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives and its loop turns."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "something needed does not answer"}})
async def readyz(request: Request) -> dict[str, str]:
    """New sessions can be taken: store and launcher answer."""
    state = request.app.state
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            await state.store.ping()
            await state.launcher.living()
    except GreenroomError:
        raise
    except (OSError, TimeoutError) as error:
        raise Unavailable("Something that Greenroom needs does not answer.") from error
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """All metrics, in Prometheus's text form."""
    body = generate_latest(request.app.state.metrics.registry)
    return Response(body, media_type=CONTENT_TYPE_LATEST)
