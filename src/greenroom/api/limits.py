"""Nothing larger than its limit is read: bodies are counted as they arrive."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = TooLarge(_MESSAGE)
    await JSONResponse(error.as_json(), status_code=error.status)(scope, receive, send)
