"""A double of Pipecat's `DailyTransport`: its names and events, over a room that a test brings.

Like the real one it joins in the output's set-up under the name that its client has then, sends
strings and objects as app-messages, and broadcasts those that come. Its audio takes as long as it
would, and goes nowhere.
"""

from __future__ import annotations

import asyncio
import math
import struct
from typing import Any, Protocol

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.daily.transport import DailyInputTransportMessageFrame


class Room(Protocol):
    """Where the transport is."""

    async def join(self, name: str) -> None:
        """Come in under this name."""
        ...

    async def say(self, message: Any) -> None:
        """Send an app-message to the others."""
        ...

    async def loudness(self, level: float) -> None:
        """How loud one is from now on, 0 … 1."""
        ...

    async def happened(self) -> list[dict[str, Any]]:
        """Wait for what happens: ``{joined|left: participant}`` or ``{message, sender}``."""
        ...

    async def leave(self) -> None:
        """Go."""
        ...


class _Client:
    """What the two halves share; `greenroom.bot.daily_parts` knows its private name."""

    def __init__(self, transport: RoomTransport, room: Room, bot_name: str) -> None:
        self._transport = transport
        self._bot_name = bot_name
        self.room = room
        self._following: asyncio.Task[None] | None = None

    async def join(self) -> None:
        await self.room.join(self._bot_name)
        self._following = asyncio.create_task(self._follow())

    async def leave(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
            await self.room.leave()

    async def _follow(self) -> None:
        while True:
            for event in await self.room.happened():
                await self._transport.on_event(event)


class _Input(BaseInputTransport):
    def __init__(
        self, transport: RoomTransport, client: _Client, params: TransportParams, **more: Any
    ) -> None:
        super().__init__(params, **more)
        self._transport = transport
        self._client = client

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def push_app_message(self, message: Any, sender: str) -> None:
        await self.broadcast_frame(
            DailyInputTransportMessageFrame, message=message, participant_id=sender
        )


class _Output(BaseOutputTransport):
    def __init__(
        self, transport: RoomTransport, client: _Client, params: TransportParams, **more: Any
    ) -> None:
        super().__init__(params, **more)
        self._transport = transport
        self._client = client

    async def setup(self, setup: Any) -> None:
        await super().setup(setup)
        await self._client.join()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def stop(self, frame: EndFrame) -> None:
        await super().stop(frame)
        await self._client.leave()

    async def cancel(self, frame: CancelFrame) -> None:
        await super().cancel(frame)
        await self._client.leave()

    async def send_message(
        self, frame: OutputTransportMessageFrame | OutputTransportMessageUrgentFrame
    ) -> None:
        await self._client.room.say(frame.message)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await self._client.room.loudness(_loudness(frame.audio))
        await asyncio.sleep(frame.num_frames / frame.sample_rate)
        return True


class RoomTransport(BaseTransport):
    """See the module."""

    def __init__(self, room: Room, bot_name: str, params: TransportParams) -> None:
        super().__init__()
        self._params = params
        self._client = _Client(self, room, bot_name)
        self._input: _Input | None = None
        self._output: _Output | None = None
        for event in ("on_participant_joined", "on_participant_left", "on_app_message"):
            self._register_event_handler(event)

    def input(self) -> _Input:
        """The half that hears."""
        self._input = self._input or _Input(self, self._client, self._params)
        return self._input

    def output(self) -> _Output:
        """The half that speaks."""
        self._output = self._output or _Output(self, self._client, self._params)
        return self._output

    async def on_event(self, event: dict[str, Any]) -> None:
        """Something happened in the room."""
        if "joined" in event:
            await self._call_event_handler("on_participant_joined", event["joined"])
        elif "left" in event:
            await self._call_event_handler("on_participant_left", event["left"], "leftCall")
        else:
            await self.input().push_app_message(event["message"], event["sender"])
            await self._call_event_handler("on_app_message", event["message"], event["sender"])


def _loudness(audio: bytes) -> float:
    """The root mean square of 16-bit samples, 0 … 1."""
    samples = struct.unpack(f"<{len(audio) // 2}h", audio[: len(audio) // 2 * 2])
    return math.sqrt(sum(s * s for s in samples) / max(1, len(samples))) / 32_768
