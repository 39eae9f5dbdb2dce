"""Takes out work that Pipecat does for every few milliseconds of audio and that nobody needs.

A silent call is nothing but audio frames, and they pass every processor of a pipeline. Each of
these three takes about a tenth off what the bot's process costs (``bench/cpu.py``).
"""

from __future__ import annotations

import asyncio
import fractions
import time
from typing import Any

import numpy as np
from av import AudioFrame
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.frames.frames import AudioRawFrame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.observers.turn_tracking_observer import TurnTrackingObserver
from pipecat.pipeline.worker import IdleFrameObserver, PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.frameworks.rtvi import RTVIObserver
from pipecat.transports.smallwebrtc import transport
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

from greenroom.bot.observe import Reporter

# Opus packets are of 20 ms; the transport cuts audio into chunks of 10 ms.
CHUNKS_PER_PACKET = 2
# The first packet waits so long for the first words. A page that is sent silence first buffers
# some before it plays (WebRTC's NetEq starts with a target of 80 ms, and stretches silence to it).
FIRST_WORDS_WITHIN_S = 0.2
# NetEq begins to play when it has half of that target: with the first two packets at once, and
# otherwise 20 ms later. What follows it plays no later than it would have.
FIRST_TOGETHER_CHUNKS = 2 * CHUNKS_PER_PACKET
# Later than this, what follows is late as well; less is what a timer may be late by.
MOST_LATE_S = 0.02


class SparingObserver(WorkerObserver):
    """Tells each observer what Pipecat's own would tell it, but for audio that it passes over.

    Pipecat queues every push of every frame, and every processing, for every observer, and wakes
    it. Of the observers known here it is known that they do nothing with audio; all others,
    also those derived from them, are told everything.
    """

    def __init__(self, observers: list[BaseObserver]) -> None:
        super().__init__(observers=observers)
        self._audio_wanted = any(map(wants_audio, observers))

    def add_observer(self, observer: BaseObserver) -> None:
        """Add an observer, at any time."""
        super().add_observer(observer)
        self._audio_wanted = any(map(wants_audio, self._observers))

    async def remove_observer(self, observer: BaseObserver) -> None:
        """Take an observer out again."""
        await super().remove_observer(observer)
        self._audio_wanted = any(map(wants_audio, self._observers))

    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Tell those who do anything with it; most observers do nothing."""
        for observer, proxy in (self._proxies or {}).items():
            if type(observer).on_process_frame is not BaseObserver.on_process_frame:
                await proxy.queue.put(data)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Tell all; of audio, only if anybody listens."""
        if self._audio_wanted or not isinstance(data.frame, AudioRawFrame):
            await super().on_push_frame(data)


def wants_audio(observer: BaseObserver) -> bool:
    """Whether this observer may do something when it is told of an audio frame."""
    if type(observer).on_push_frame is BaseObserver.on_push_frame:
        return False
    if type(observer) in (Reporter, TurnTrackingObserver):
        return False
    if type(observer) is RTVIObserver:
        params = observer._params
        return params.user_audio_level_enabled or params.bot_audio_level_enabled
    if type(observer) is IdleFrameObserver:
        kinds = observer._idle_timeout_frames
        return any(
            issubclass(kind, AudioRawFrame)
            or issubclass(InputAudioRawFrame, kind)
            or issubclass(OutputAudioRawFrame, kind)
            for kind in kinds
        )
    return True


def spare_observers(worker: PipelineWorker) -> None:
    """Have the worker's observers told of less; to be called before the worker is set up.

    Side effect: replaces the worker's proxy of its observers.
    """
    worker._observer = SparingObserver(worker._observer._observers)


class PacketTrack(RawAudioTrack):
    """What the bot says, a whole packet at a time.

    The stock track gives 10 ms, and so the sender wakes, resamples and hands over to the
    encoder's thread twice for each packet. What is said is sent no later than by the stock
    track: that waits for the second half of a packet before it sends the first.

    And it never hurries to make up for time that has passed. Time passes before a page is
    connected, and whenever the bot is busy with something else. A page that gets several packets
    at once keeps them, and hears everything after them later. Only the second packet of the first
    words goes with the first, because a page that has one packet waits for another.
    """

    def __init__(self, sample_rate: int, auto_silence: bool = True) -> None:
        super().__init__(sample_rate, auto_silence)
        self._due_s = 0.0
        self._filled = asyncio.Event()

    def add_audio_bytes(self, audio_bytes: bytes) -> asyncio.Future[bool]:
        """Take something to say; returns what is done when it is played."""
        self._filled.set()
        played: asyncio.Future[bool] = super().add_audio_bytes(audio_bytes)
        return played

    async def recv(self) -> AudioFrame:
        """The next 20 ms when it is time for them; silence if there is nothing to say.

        If there are only 10 ms to say, those alone: the rest is on its way.
        """
        await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
        await self._something_to_send()
        begins = not self._timestamp and len(self._chunk_queue) >= FIRST_TOGETHER_CHUNKS
        pcm = self._take() or bytes(CHUNKS_PER_PACKET * self._bytes_per_10ms)
        frame = AudioFrame.from_ndarray(np.frombuffer(pcm, np.int16)[None, :], layout="mono")
        frame.sample_rate = self._sample_rate
        frame.pts = self._timestamp
        frame.time_base = fractions.Fraction(1, self._sample_rate)
        self._timestamp += frame.samples
        self._plan(0.0 if begins else frame.samples / self._sample_rate)
        return frame

    async def _something_to_send(self) -> None:
        """Wait for something to say, where silence will not do or not yet."""
        if self._auto_silence and self._timestamp:
            return
        within_s = FIRST_WORDS_WITHIN_S if self._auto_silence else None
        while not self._chunk_queue:
            self._filled.clear()
            if not await _comes(self._filled, within_s):
                return

    def _plan(self, duration_s: float) -> None:
        """The next packet is due so long after this one; whoever is late is not hurried."""
        now_s = time.monotonic()
        if now_s - self._due_s > MOST_LATE_S:
            self._due_s = now_s
        self._due_s += duration_s

    def _take(self) -> bytes:
        """What is to be said now; lets go of whoever waits for it to be played."""
        pcm = b""
        for _ in range(min(CHUNKS_PER_PACKET, len(self._chunk_queue))):
            chunk, played = self._chunk_queue.popleft()
            pcm += chunk
            if played is not None and not played.done():
                played.set_result(True)
        return pcm


async def _comes(event: asyncio.Event, within_s: float | None) -> bool:
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


async def _analyze_here(self: SileroVADAnalyzer, buffer: bytes) -> VADState:
    """Look for speech on the event loop.

    The model takes less than half a millisecond for each 32 ms of audio; to hand every 20 ms to
    a thread and to wait for it costs as much again.
    """
    return self._run_analyzer(buffer)


def spare() -> None:
    """Play by the packet, and look for speech without a thread, in every bot.

    Side effect: replaces the transport's audio track and a method of Silero's analyser.
    """
    vars(transport)["RawAudioTrack"] = PacketTrack
    analyzer: Any = SileroVADAnalyzer
    analyzer.analyze_audio = _analyze_here
