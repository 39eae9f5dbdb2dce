"""A bot's part of its session's trace: on its log lines, and for whatever it calls itself."""

from __future__ import annotations

import os

from loguru import logger

from greenroom.wire.link import SessionSpec

LOG_FORMAT = (
    "{time:YYYY-MM-DDTHH:mm:ss.SSSZ} {level: <8} {name}:{function}:{line} "
    "session={extra[session]} launch={extra[launch]} trace={extra[trace]} {message}"
)
NOBODY = {"session": "-", "launch": "-", "trace": "-"}


def trace(spec: SessionSpec) -> None:
    """Say from now on whose session it is.

    Side effect: sets ``TRACEPARENT``, from which OpenTelemetry's SDK and the programs that a bot
    starts take up the trace.
    """
    parts = spec.traceparent.split("-")
    trace_id = parts[1] if len(parts) == 4 else "-"
    os.environ["TRACEPARENT"] = spec.traceparent
    ids = {"session": spec.session_id, "launch": spec.launch_id, "trace": trace_id}
    logger.configure(extra=ids)
