"""`make run ARGS=examples/launched/bot.py` starts a metronome without a pipeline.

Greenroom launches it, keeps its time and its memory within limits, and ends it. It has joined
once it uses its connection; what it says to the page, Greenroom does not know.
"""

import asyncio
import fractions
import time

import numpy as np
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

RATE_HZ = 16_000
FRAME_SAMPLES = RATE_HZ // 50
FRAMES_PER_BEAT = 25


class Metronome(MediaStreamTrack):
    """Two beats a second."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._started_s = time.monotonic()
        self._frames = 0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when it is time for them."""
        due_s = self._started_s + self._frames * FRAME_SAMPLES / RATE_HZ
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        loudness = 12_000 if self._frames % FRAMES_PER_BEAT == 0 else 0
        wave = np.sin(2 * np.pi * 880 * np.arange(FRAME_SAMPLES) / RATE_HZ)
        frame = AudioFrame.from_ndarray((loudness * wave).astype(np.int16)[None, :], layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = self._frames * FRAME_SAMPLES
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._frames += 1
        return frame


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """Beat until somebody ends it."""
    connection = runner_args.webrtc_connection

    @connection.event_handler("connected")
    async def play(connection: SmallWebRTCConnection) -> None:
        connection.replace_audio_track(Metronome())

    await connection.connect()
    await asyncio.Event().wait()
