"""Nothing larger than its limit is read, and nothing faster: bodies and messages are counted."""

from __future__ import annotations

from collections import deque

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.api.errors import answer_to
from greenroom.errors import TooLarge

MAX_BODY_BYTES = 256 * 1024
_MESSAGE = f"The body is larger than {MAX_BODY_BYTES} bytes."


class BodyLimit:
    """Refuses request bodies above `MAX_BODY_BYTES` with 413, whatever their header says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counting."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
            await _refuse(scope, receive, send)
            return
        read_bytes = 0

        async def counted() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > MAX_BODY_BYTES:
                raise HTTPException(TooLarge.status, _MESSAGE)
            return message

        await self._app(scope, counted, send)


class Pace:
    """At most so many in so many seconds, over any stretch of time."""

    def __init__(self, most: int, in_s: float) -> None:
        self._in_s = in_s
        self._at_s: deque[float] = deque(maxlen=most)

    def keeps(self, now_s: float) -> bool:
        """Count one more at this moment; whether it was not one too many."""
        full = len(self._at_s) == self._at_s.maxlen
        if full and now_s - self._at_s[0] < self._in_s:
            return False
        self._at_s.append(now_s)
        return True


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await answer_to(scope["path"], TooLarge(_MESSAGE))(scope, receive, send)
