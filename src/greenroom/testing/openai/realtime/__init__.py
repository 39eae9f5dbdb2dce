"""OpenAI's Realtime API, played on this machine: a model that hears and speaks by itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import WebSocket
from starlette.websockets import WebSocketState

from greenroom.testing.openai.realtime.answering import Asked
from greenroom.testing.openai.realtime.connection import BROKE, GOES_AWAY, REFUSED, Connection
from greenroom.testing.openai.realtime.shapes import Wrong
from greenroom.testing.openai.realtime.sounds import Ears, Hear
from greenroom.testing.openai.shapes import Refused

if TYPE_CHECKING:
    from greenroom.testing.openai.stand_in import OpenAI

__all__ = ["Asked", "Connection", "Ears", "Realtime", "realtime_address"]


class Realtime:
    """What an `OpenAI` does at ``/v1/realtime``; what it says is in the same script and rules.

    Args:
        openai: The stand-in.
        hear: Understands speech, if it is not said beforehand (`hears`); by default PocketSphinx,
            on any English, roughly.
        wait: Waits, in seconds.

    Attributes:
        transcript_s: From what was said to its transcript; an answer may begin before it.
        sessions: All there ever were, in order; the last ones may still be there.
        asked: Every response that was asked for, in order.
        refused: What clients were told that they did wrong.
    """

    def __init__(
        self, openai: OpenAI, hear: Hear | None, wait: Callable[[float], Awaitable[None]]
    ) -> None:
        self.transcript_s = 0.0
        self.sessions: list[Connection] = []
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.wait = wait
        self._openai = openai
        self._hear = hear or Ears()
        self._to_hear: deque[str] = deque()
        self._open: set[Connection] = set()

    # ---- what a test orders

    def hears(self, *texts: str) -> None:
        """Understand what is said next as this, whatever it is."""
        self._to_hear.extend(texts)

    async def drop(self) -> None:
        """Break every connection that there is, without a word."""
        for connection in list(self._open):
            await connection.close(BROKE)

    async def expire(self) -> None:
        """End every session as after its hour, with the error that says so."""
        message = "Your session hit the maximum duration of 60 minutes."
        for connection in list(self._open):
            await connection.close(GOES_AWAY, Wrong(message, "session_expired"))

    # ---- what clients do

    async def understand(self, pcm: bytes) -> str:
        """What was said: int16, mono, 24 kHz."""
        if self._to_hear:
            return self._to_hear.popleft()
        return await asyncio.to_thread(self._hear, pcm)

    async def connect(self, socket: WebSocket) -> None:
        """``GET /v1/realtime``: one client, until it goes."""
        fault = self._openai.take_fault("connect")
        if fault is not None and fault.status is None:
            while socket.client_state is not WebSocketState.DISCONNECTED:
                await socket.receive()
            return
        try:
            if fault is not None:
                raise Refused(fault.status or 500)
            self._openai.check_key(socket)
        except Refused as refusal:
            await socket.send_denial_response(refusal.answer)
            return
        await socket.accept()
        model = socket.query_params.get("model")
        connection = Connection(self._openai, socket, model or "")
        if (wrong := self._wrong(socket, model)) is not None:
            await connection.close(REFUSED, wrong)
            return
        self.sessions.append(connection)
        self._open.add(connection)
        try:
            await connection.serve()
        finally:
            self._open.discard(connection)

    def _wrong(self, socket: WebSocket, model: str | None) -> Wrong | None:
        if "realtime=v1" in socket.headers.get("openai-beta", ""):
            message = "The Realtime Beta API is no longer supported. Please use the GA API."
            return Wrong(message, "beta_api_shape_disabled")
        if not model:
            return Wrong("You must provide a model parameter.", "missing_model", "model")
        try:
            self._openai.check_model(model)
        except Refused as refusal:
            return Wrong(str(refusal), "model_not_found", "model")
        return None


def realtime_address(base_url: str) -> str:
    """Where the Realtime API of a stand-in is: ``ws://127.0.0.1:…/v1/realtime``."""
    return base_url.replace("http", "ws", 1) + "/realtime"
