"""A peer on loopback that speaks when told to, and keeps what it hears."""

from __future__ import annotations

import asyncio
import fractions
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.e2e.speech import HEARD_HZ, Pcm, speech_wav

_SPOKEN_HZ = 48_000
_FRAME = _SPOKEN_HZ // 50


def resampled(wav: bytes, rate_hz: int) -> Pcm:
    """The samples of a WAV file at another rate: int16, mono."""
    resampler = av.AudioResampler("s16", "mono", rate_hz)
    with av.open(io.BytesIO(wav), "r") as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    parts += resampler.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.int16)


class Mouth(MediaStreamTrack):
    """An audio track: silence in real time, and speech when there is some."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._queue: Pcm = np.zeros(0, np.int16)
        self._sent = 0
        self._began_s: float | None = None

    def say(self, text: str) -> None:
        """Put a sentence behind whatever is still being said."""
        self._queue = np.concatenate([self._queue, resampled(speech_wav(text), _SPOKEN_HZ)])

    def hush(self) -> None:
        """Forget what is not yet said."""
        self._queue = self._queue[:0]

    async def recv(self) -> Any:
        """The next 20 ms, when they are due."""
        now_s = asyncio.get_running_loop().time()
        if self._began_s is None:
            self._began_s = now_s
        await asyncio.sleep(max(0.0, self._began_s + self._sent * _FRAME / _SPOKEN_HZ - now_s))
        samples = np.zeros(_FRAME, np.int16)
        said = self._queue[:_FRAME]
        samples[: len(said)] = said
        self._queue = self._queue[_FRAME:]
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "s16", "mono")
        frame.sample_rate = _SPOKEN_HZ
        frame.time_base = fractions.Fraction(1, _SPOKEN_HZ)
        frame.pts = self._sent * _FRAME
        self._sent += 1
        return frame


class Peer:
    """One page's other end. ``heard``: what came out of its microphone, 16 kHz, mono."""

    def __init__(self) -> None:
        self.url = ""
        self.mouth = Mouth()
        self.connected = asyncio.Event()
        self._pieces: list[Pcm] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._listening: asyncio.Task[None] | None = None

    @property
    def heard(self) -> Pcm:
        """What the page's microphone sent so far."""
        return np.concatenate([np.zeros(0, np.int16), *self._pieces])

    async def offer(self, request: web.Request) -> web.Response:
        """``POST /offer``: SDP in, SDP out."""
        connection = self._connection
        connection.on("track", self._listen)
        connection.addTrack(self.mouth)
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return web.Response(text=connection.localDescription.sdp)

    def _listen(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.create_task(self._record(track))

    async def _record(self, track: MediaStreamTrack) -> None:
        resampler = av.AudioResampler("s16", "mono", HEARD_HZ)
        try:
            while True:
                frame = await track.recv()
                if not isinstance(frame, av.AudioFrame):
                    raise TypeError("the page sent something else than audio")
                self.connected.set()
                self._pieces += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        except MediaStreamError:
            return

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)


@asynccontextmanager
async def a_peer() -> AsyncIterator[Peer]:
    """A page with a Talk button, served on loopback, and the peer behind it."""
    peer = Peer()
    page = (Path(__file__).parent / "peer.html").read_text()

    async def index(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", index), web.post("/offer", peer.offer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    peer.url = f"http://127.0.0.1:{port}"
    try:
        yield peer
    finally:
        await peer.close()
        await runner.cleanup()
