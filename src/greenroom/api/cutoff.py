"""Whoever still waits for an answer when the server has to go is told so, and to come again."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.api.errors import answer_to
from greenroom.errors import Draining


class CutOff:
    """Answers requests that are cancelled: uvicorn would say 500, and not in JSON.

    It cancels what is under way when its time to stop is up (``timeout_graceful_shutdown``), and
    for no other reason; whoever hangs up is not cancelled.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if not begun:
                error = Draining("The server is going down, and had to leave this. Try again.")
                headers = {"Retry-After": "1", "Connection": "close"}
                await answer_to(scope["path"], error, headers)(scope, receive, send)
            raise  # whoever cancels must find that it ends
