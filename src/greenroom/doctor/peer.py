"""A caller without a browser: offers audio, sends silence, and notes the first sound it hears."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from av import AudioFrame

from greenroom.bot.ice import allow_loopback

# Of 32,767; the noise of a codec that plays silence stays below a few units.
AUDIBLE = 500


class Peer:
    """One peer connection, as a page makes it: audio both ways and a data channel.

    Attributes:
        heard_at_s: By `time.monotonic`: when the first sound came.
    """

    def __init__(self) -> None:
        # No servers named: aiortc would ask one of Google's otherwise.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._listening: asyncio.Task[float] | None = None
        self._connection.addTrack(AudioStreamTrack())
        self._connection.createDataChannel("greenroom")
        self._connection.on("track", self._on_track)

    async def offer(self) -> dict[str, str]:
        """The offer, in the shape of ``POST /api/voice/session``."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        sdp = str(self._connection.localDescription.sdp)
        return {"id": uuid.uuid4().hex, "participant": uuid.uuid4().hex, "sdp": sdp}

    async def take(self, answer_sdp: str) -> None:
        """Take the answer; the connection comes about from here on."""
        answer = RTCSessionDescription(sdp=answer_sdp, type="answer")
        await self._connection.setRemoteDescription(answer)

    async def first_sound(self) -> float:
        """When the first sound was heard, by `time.monotonic`. Waits for it."""
        assert self._listening is not None, "the answer has no audio"
        return await self._listening

    async def close(self) -> None:
        """Hang up."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._connection.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.create_task(_until_audible(track))


async def _until_audible(track: MediaStreamTrack) -> float:
    while True:
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        if np.abs(frame.to_ndarray().astype(np.int32)).max() > AUDIBLE:
            return time.monotonic()


@contextlib.asynccontextmanager
async def a_peer(*, over_loopback: bool) -> AsyncIterator[Peer]:
    """A peer for as long as the block lasts."""
    with _loopback(over_loopback):
        peer = Peer()
        try:
            yield peer
        finally:
            await peer.close()


@contextlib.contextmanager
def _loopback(allowed: bool) -> Iterator[None]:
    allow_loopback(allowed)
    try:
        yield
    finally:
        allow_loopback(False)
