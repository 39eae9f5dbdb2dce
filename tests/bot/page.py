"""A stand-in for the browser: a real WebRTC peer that speaks what a test says and records."""

from __future__ import annotations

import asyncio
import fractions
import json
import math
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler

from greenroom.wire.link import Answer
from tests.bot.greenroom_server import FakeGreenroom

Pcm = npt.NDArray[np.int16]

RATE_HZ = 16_000
FRAME_S = 0.02
FRAME_SAMPLES = int(RATE_HZ * FRAME_S)
# Below this root mean square (of 32,768) a frame counts as silence.
AUDIBLE_RMS = 200.0


class Microphone(MediaStreamTrack):
    """Silence, until it is given something to say. 16 kHz, mono, 20 ms frames."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._to_say: deque[Pcm] = deque()
        self._sent = 0
        self._started_s = 0.0
        self.said = asyncio.Event()

    def say(self, pcm: Pcm) -> None:
        """Speak; pcm: int16, (samples,), 16 kHz."""
        padded = np.pad(pcm, (0, -len(pcm) % FRAME_SAMPLES))
        self._to_say.extend(padded.reshape(-1, FRAME_SAMPLES))
        self.said.clear()

    async def recv(self) -> AudioFrame:
        """The next 20 ms, in real time."""
        if self._sent == 0:
            self._started_s = time.monotonic()
        await asyncio.sleep(max(0.0, self._started_s + self._sent * FRAME_S - time.monotonic()))
        pcm = self._to_say.popleft() if self._to_say else np.zeros(FRAME_SAMPLES, np.int16)
        if not self._to_say:
            self.said.set()
        frame = AudioFrame.from_ndarray(pcm[None, :], layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = self._sent * FRAME_SAMPLES
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += 1
        return frame


class Page:
    """One open page: connects through Greenroom's link, pings once a second, listens.

    Attributes:
        heard: (time by the monotonic clock in seconds, pcm: int16 at 16 kHz), in order.
        messages: What came over the data channel, parsed.
    """

    def __init__(self, greenroom: FakeGreenroom, participant: str = "") -> None:
        self.participant = participant or f"page-{uuid.uuid4().hex[:12]}"
        self.microphone = Microphone()
        self.heard: list[tuple[float, Pcm]] = []
        self.messages: list[dict[str, Any]] = []
        self.connected_s = 0.0
        self.pinging = True
        self._greenroom = greenroom
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connected = asyncio.Event()
        self._closed = asyncio.Event()
        self._channel: RTCDataChannel = self._peer.createDataChannel("greenroom")
        self._channel.on("message", lambda text: self.messages.append(json.loads(text)))
        self._tasks: list[asyncio.Task[None]] = []
        self._peer.on("track", self._listen)
        self._peer.on("connectionstatechange", self._state_changed)

    async def connect(self, offer_id: str = "") -> Answer:
        """Offer, take the answer, and wait until media is connected."""
        sdp = await self.make_offer()
        answer = await self._greenroom.offer(
            offer_id or f"offer-{uuid.uuid4().hex[:12]}", self.participant, sdp
        )
        assert isinstance(answer, Answer), answer
        await self.accept(answer)
        return answer

    async def renegotiate(self) -> Answer:
        """Offer again with the same peer connection, as Pipecat's own client does when asked."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        sdp = str(self._peer.localDescription.sdp)
        answer = await self._greenroom.offer(
            f"offer-{uuid.uuid4().hex[:12]}", self.participant, sdp, renegotiates=True
        )
        assert isinstance(answer, Answer), answer
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return answer

    async def make_offer(self) -> str:
        """The SDP offer, with all candidates."""
        self._peer.addTrack(self.microphone)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def accept(self, answer: Answer) -> None:
        """Take the answer and wait until media is connected."""
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        async with asyncio.timeout(10):
            await self._connected.wait()
        self._tasks.append(asyncio.create_task(self._ping()))

    def say(self, pcm: Pcm) -> None:
        """Speak into the microphone."""
        self.microphone.say(pcm)

    def send(self, event: str) -> None:
        """Send a Greenroom event over the data channel."""
        self._channel.send(json.dumps({"type": "greenroom", "event": event}))

    def send_raw(self, text: str) -> None:
        """Send anything over the data channel."""
        self._channel.send(text)

    async def close(self) -> None:
        """Close the page as a browser does: the peer says good-bye on DTLS."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._peer.close()

    async def hears_sound(self, *, after_s: float = 0.0, within_s: float = 10.0) -> float:
        """Wait for the first audible frame after that time; returns its time."""
        return await self._first(lambda pcm: rms(pcm) >= AUDIBLE_RMS, after_s, within_s, 1)

    async def hears_silence(
        self, *, after_s: float = 0.0, within_s: float = 30.0, for_s: float = 0.5
    ) -> float:
        """Wait for so much silence on end; returns the time at which it began."""
        frames = round(for_s / FRAME_S)
        return await self._first(lambda pcm: rms(pcm) < AUDIBLE_RMS, after_s, within_s, frames)

    async def is_closed(self, within_s: float = 10.0) -> None:
        """Wait until the bot's end has closed the peer."""
        async with asyncio.timeout(within_s):
            await self._closed.wait()

    def pcm(self, *, from_s: float = 0.0, to_s: float = math.inf) -> Pcm:
        """All that was heard in that time; pcm: int16, (samples,), 16 kHz."""
        parts = [pcm for at_s, pcm in self.heard if from_s <= at_s <= to_s]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    async def _first(
        self, matches: Callable[[Pcm], bool], after_s: float, within_s: float, frames: int
    ) -> float:
        async with asyncio.timeout(within_s):
            index = 0
            run: list[float] = []
            while len(run) < frames:
                if index == len(self.heard):
                    await asyncio.sleep(FRAME_S / 2)
                    continue
                at_s, pcm = self.heard[index]
                index += 1
                run = [*run, at_s] if at_s > after_s and matches(pcm) else []
        return run[0]

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._record(track)))

    async def _record(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler("s16", "mono", RATE_HZ, frame_size=FRAME_SAMPLES)
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            for part in resampler.resample(frame):
                self.heard.append((time.monotonic(), part.to_ndarray()[0]))

    async def _ping(self) -> None:
        while self._channel.readyState != "closed":
            if self.pinging and self._channel.readyState == "open":
                self._channel.send(f"ping: {time.time()}")
            await asyncio.sleep(1.0 if self._channel.readyState == "open" else 0.05)

    def _state_changed(self) -> None:
        match self._peer.connectionState:
            case "connected":
                self.connected_s = time.monotonic()
                self._connected.set()
            case "closed" | "failed":
                self._closed.set()


def rms(pcm: Pcm) -> float:
    """Root mean square of a frame, 0 to 32,768."""
    return float(np.sqrt(np.mean(np.square(pcm.astype(np.float64))))) if len(pcm) else 0.0
