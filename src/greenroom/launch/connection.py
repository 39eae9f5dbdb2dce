"""A connection to the supervisor: ask, be answered, and what refusals become."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

from greenroom.errors import (
    BadRequest,
    Draining,
    GreenroomError,
    Halted,
    LaunchFailed,
    Unavailable,
)
from greenroom.launch.protocol import MAX_LINE_BYTES, Refused, Reply, Request, reply
from greenroom.launch.state import StateDir

R = TypeVar("R", bound=Reply)

_ERRORS: dict[str, type[GreenroomError]] = {
    error.code: error for error in (BadRequest, Draining, Halted, LaunchFailed)
}


class ImportFailure(Exception):
    """What a bot's import wrote before it failed: for operators' logs, as an error's cause."""


class Connection:
    """One stream of requests and answers, in order. Every method may raise OSError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, state: StateDir) -> Connection:
        """Connect; raises OSError if nobody listens."""
        return cls(*await asyncio.open_unix_connection(state.socket, limit=MAX_LINE_BYTES))

    async def ask(self, asked: Request, expected: type[R]) -> R:
        """Send a request and wait for its answer.

        Raises:
            OSError: The connection broke.
            GreenroomError: The supervisor refused.
        """
        await self.say(asked)
        answer = await self.hear()
        if isinstance(answer, Refused):
            error = _ERRORS.get(answer.code, Unavailable)(answer.message)
            raise error from (ImportFailure(answer.last_words) if answer.last_words else None)
        if not isinstance(answer, expected):
            raise ConnectionError("The supervisor gave an answer to another question.")
        return answer

    async def say(self, message: Request) -> None:
        """Send a message."""
        self._writer.write(message.to_json().encode() + b"\n")
        await self._writer.drain()

    async def hear(self) -> Reply:
        """Wait for the next message."""
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("The supervisor closed the connection.")
        return reply.validate_json(line)

    async def close(self) -> None:
        """Let go."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
