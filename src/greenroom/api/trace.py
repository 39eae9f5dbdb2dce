"""Whoever traces the click: the W3C header that a page or an application may send."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from greenroom.service.tracing import trace_id_of


def current_trace(request: Request) -> str | None:
    """Dependency: the trace that ``traceparent`` names; nonsense is as good as none."""
    return trace_id_of(request.headers.get("traceparent"))


Trace = Annotated[str | None, Depends(current_trace)]
