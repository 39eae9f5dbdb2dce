"""Structured logs: names of what happened, with session and launch ids, never what was said."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from typing import TextIO, cast

import structlog


def configure_logs(level: str, *, as_json: bool) -> None:
    """Set up logging for this process: to standard error, so that output stays for answers.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        as_json: One JSON object a line, for machines; otherwise lines for people.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # Not the renderer's own tracebacks: they show local variables, and with them secrets.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=24,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if as_json else _last_words_below,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _IfAnybodyReads())),
        cache_logger_on_first_use=True,
    )
    # Libraries that log by the standard library: only what somebody should act on.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


class _IfAnybodyReads(io.TextIOBase):
    """Standard error, as long as there is somebody who reads it.

    Whoever did may be gone (a closed terminal, ``| head``). That is no reason to go down, and least
    of all for a server that is about to say that it ends its bots.
    """

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _last_words_below(
    logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A process's last words are lines, mostly a traceback, and are set as such."""
    if last_words := str(event.pop("last_words", "")).strip():
        event["stack"] = last_words
    return event
