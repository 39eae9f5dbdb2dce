"""The built-in bot as it is, which notes when it reaches each step of the goodbye."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from pipecat.frames.frames import Frame, TranscriptionFrame
from websockets.asyncio.client import ClientConnection

from greenroom.bot.cards import GREENROOM_LEVEL, bot, prewarm
from greenroom.bot.link import LinkClient
from greenroom.bot.sphinx import SphinxSTTService
from greenroom.wire.link import ReportKind

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.chain.notes import note

__all__ = ["GREENROOM_LEVEL", "bot", "prewarm"]

_run_stt, _report, _send = SphinxSTTService.run_stt, LinkClient.report, ClientConnection.send


async def _noting_the_word(
    self: SphinxSTTService, audio: bytes
) -> AsyncGenerator[Frame | None, None]:
    async for frame in _run_stt(self, audio):
        if isinstance(frame, TranscriptionFrame) and "bye" in frame.text:
            note("word")
        yield frame


def _noting_what_is_reported(self: LinkClient, kind: ReportKind, data: dict[str, Any]) -> None:
    if kind is ReportKind.TRANSCRIPT and data["role"] == "user" and "bye" in data["text"]:
        note("reported")
    if kind is ReportKind.FAREWELL:
        note("farewell told")
    _report(self, kind, data)


async def _noting_what_is_sent(self: ClientConnection, message: Any, **more: Any) -> None:
    await _send(self, message, **more)
    if '"transcript"' in message and '"user"' in message and "bye" in message:
        note("sent")


SphinxSTTService.run_stt = _noting_the_word  # type: ignore[method-assign]
LinkClient.report = _noting_what_is_reported  # type: ignore[method-assign]
ClientConnection.send = _noting_what_is_sent  # type: ignore[method-assign,assignment]
