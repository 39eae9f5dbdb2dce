"""One trace from the click to the end: the same id on spans, on log lines, and in the bot.

Spans go to OpenTelemetry's API, which does nothing without an SDK: install ``greenroom[tracing]``
and start by ``opentelemetry-instrument greenroom serve``, with OTEL_EXPORTER_OTLP_ENDPOINT set. The
id is on every log line of a session either way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from greenroom.session.model import Session

_tracer = trace.get_tracer("greenroom")
# https://www.w3.org/TR/trace-context/#traceparent-header, version 00; ids of zeros are invalid.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace that a W3C ``traceparent`` names; None if there is none, or none that is good."""
    found = _TRACEPARENT.fullmatch((traceparent or "").strip().lower())
    if found is None or traceparent is None or traceparent.startswith("ff"):
        return None
    trace_id, span_id = found.groups()
    return trace_id if trace_id.strip("0") and span_id.strip("0") else None


def traceparent_of(session: Session) -> str:
    """What a bot is told, so that its own spans are part of the session's trace."""
    return f"00-{session.trace_id}-{_root_span(session.id)}-01"


def ids_of(session: Session) -> dict[str, str]:
    """What every log line of a session says."""
    return {"session": session.id, "launch": session.launch_id, "trace": session.trace_id}


@contextmanager
def span(name: str, session: Session | None = None, **attributes: str | float) -> Iterator[None]:
    """A span, and a session's ids on every log line within it.

    Args:
        name: What is done.
        session: Whose trace it belongs to; None: to the span around it.
        attributes: Further facts, never what was said.
    """
    told = {f"greenroom.{key}": value for key, value in attributes.items()}
    ids = ids_of(session) if session is not None else {}
    told |= {f"greenroom.{key}": value for key, value in ids.items()}
    with (
        structlog.contextvars.bound_contextvars(**ids),
        _tracer.start_as_current_span(name, context=_parent(session), attributes=told),
    ):
        yield


def _parent(session: Session | None) -> Context | None:
    """The session's trace as a context; None: whatever span is current."""
    if session is None or not session.trace_id:
        return None
    current = trace.get_current_span().get_span_context()
    trace_id = int(session.trace_id, 16)
    if current.is_valid and current.trace_id == trace_id:
        return None
    root = SpanContext(
        trace_id, int(_root_span(session.id), 16), is_remote=True, trace_flags=TraceFlags(1)
    )
    return trace.set_span_in_context(NonRecordingSpan(root))


def _root_span(session_id: str) -> str:
    """A span id for a session as a whole: always the same, so that it need not be kept."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:16]
