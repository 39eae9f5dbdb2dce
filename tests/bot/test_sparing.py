"""What is spared is spared, and nobody who listens misses anything."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADState
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    SystemFrame,
    TranscriptionFrame,
    UserSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.observers.turn_tracking_observer import TurnTrackingObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import IdleFrameObserver, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIObserver, RTVIObserverParams
from pipecat.transports.smallwebrtc import transport
from pipecat.transports.smallwebrtc.transport import RawAudioTrack
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import sparing
from greenroom.bot.sparing import (
    FIRST_WORDS_WITHIN_S,
    PacketTrack,
    spare,
    spare_observers,
    wants_audio,
)
from greenroom.testing.clock import FakeClock
from tests.bot.speech import spoken

RATE_HZ = 24_000
CHUNK = RATE_HZ // 100
AUDIO = InputAudioRawFrame(audio=bytes(640), sample_rate=16_000, num_channels=1)


class Passes(FrameProcessor):
    """Hands everything on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Listens(BaseObserver):
    """Somebody's own observer."""

    def __init__(self) -> None:
        super().__init__()
        self.pushed: list[FramePushed] = []
        self.processed: list[FrameProcessed] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        self.pushed.append(data)

    async def on_process_frame(self, data: FrameProcessed) -> None:
        self.processed.append(data)


class Counts(TurnTrackingObserver):
    """One of Pipecat's own, and what was told to it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Frame] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        self.seen.append(data.frame)


class OnlyPushes(BaseObserver):
    """Leaves `on_process_frame` as Pipecat made it."""


def idles(*kinds: type[Frame]) -> IdleFrameObserver:
    return IdleFrameObserver(idle_event=asyncio.Event(), idle_timeout_frames=kinds)


@pytest.mark.parametrize(
    ("observer", "wants"),
    [
        (TurnTrackingObserver(), False),
        (RTVIObserver(), False),
        (RTVIObserver(params=RTVIObserverParams(user_audio_level_enabled=True)), True),
        (RTVIObserver(params=RTVIObserverParams(bot_audio_level_enabled=True)), True),
        (idles(UserSpeakingFrame), False),
        (idles(InputAudioRawFrame), True),
        (idles(UserSpeakingFrame, SystemFrame), True),
        (Listens(), True),
        (Counts(), True),
    ],
)
def test_whoever_may_listen_is_told(observer: BaseObserver, wants: bool) -> None:
    assert wants_audio(observer) is wants


async def run(*observers: BaseObserver) -> None:
    """A pipeline with these observers through which audio and a transcript pass."""
    worker = PipelineWorker(
        Pipeline([Passes(), Passes()]), observers=list(observers), enable_rtvi=False
    )
    spare_observers(worker)
    heard = TranscriptionFrame(text="forty two", user_id="", timestamp="")
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await worker.queue_frames([AUDIO, heard, EndFrame()])
    await runner.run()


async def test_an_observer_of_its_own_is_told_everything_as_before() -> None:
    listens, counts = Listens(), Counts()
    await run(listens, counts)
    pushes = [data for data in listens.pushed if data.frame is AUDIO]
    assert [data.first_push for data in pushes] == [True] + [False] * (len(pushes) - 1)
    assert len(pushes) >= 3, "at every hop"
    assert any(data.frame is AUDIO for data in listens.processed)
    assert AUDIO in counts.seen


async def test_observers_that_do_nothing_with_audio_are_not_woken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Frame] = []

    async def note(self: BaseObserver, data: FramePushed | FrameProcessed) -> None:
        told.append(data.frame)

    # On the class itself, so that the observer remains one that is known.
    monkeypatch.setattr(TurnTrackingObserver, "on_push_frame", note)
    await run()
    assert any(isinstance(frame, TranscriptionFrame) for frame in told)
    assert AUDIO not in told


def sound(chunks: int) -> bytes:
    return np.arange(1, chunks * CHUNK + 1, dtype=np.int16).tobytes()


async def test_a_track_gives_whole_packets_and_every_sample_in_its_order() -> None:
    track = PacketTrack(RATE_HZ)
    first, second = track.add_audio_bytes(sound(3)), track.add_audio_bytes(sound(2))
    frames = [await track.recv() for _ in range(4)]
    # 20 ms, 20 ms (across what was written apart), the 10 ms that are left, and silence.
    assert [frame.samples for frame in frames] == [2 * CHUNK, 2 * CHUNK, CHUNK, 2 * CHUNK]
    assert [frame.pts for frame in frames] == [0, 2 * CHUNK, 4 * CHUNK, 5 * CHUNK]
    given = b"".join(frame.to_ndarray().tobytes() for frame in frames)
    assert given == sound(3) + sound(2) + bytes(4 * CHUNK)
    assert first.done()
    assert second.done()


async def test_a_track_is_not_ahead_of_time() -> None:
    track = PacketTrack(RATE_HZ)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(6):
        await track.recv()
    assert loop.time() - began_s >= 0.095


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time of a track; whoever sleeps advances it, and lets others run."""
    clock = FakeClock(0.0)

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    async def comes(event: asyncio.Event, within_s: float) -> bool:
        until_s = clock.now() + within_s
        while not event.is_set() and clock.now() < until_s:
            await sleep(0.005)
        return event.is_set()

    monkeypatch.setattr(sparing, "time", SimpleNamespace(monotonic=clock.now))
    monkeypatch.setattr(sparing, "asyncio", SimpleNamespace(sleep=sleep, Event=asyncio.Event))
    monkeypatch.setattr(sparing, "_comes", comes)
    return clock


async def test_a_track_never_hurries_to_make_up_for_lost_time(clock: FakeClock) -> None:
    track = PacketTrack(RATE_HZ)
    sent_s = []
    for packet in range(6):
        if packet in (0, 3):
            clock.advance(0.5)  # nobody is connected yet; then the bot thinks
        await track.recv()
        sent_s.append(clock.now())
    pauses_s = [after - before for before, after in pairwise(sent_s)]
    assert pauses_s == pytest.approx([0.02, 0.02, 0.5, 0.02, 0.02])


async def test_the_second_packet_of_the_first_words_goes_with_the_first(clock: FakeClock) -> None:
    track = PacketTrack(RATE_HZ)
    track.add_audio_bytes(sound(10))
    sent_s, heard = [], b""
    for _ in range(4):
        heard += (await track.recv()).to_ndarray().tobytes()
        sent_s.append(clock.now())
    pauses_s = [after - before for before, after in pairwise(sent_s)]
    assert pauses_s == pytest.approx([0.0, 0.02, 0.02], abs=1e-6)
    assert heard == sound(10)[: len(heard)]


async def test_the_first_packet_waits_for_the_first_words(clock: FakeClock) -> None:
    track = PacketTrack(RATE_HZ)
    first = asyncio.create_task(track.recv())
    while clock.now() < FIRST_WORDS_WITHIN_S / 2:
        await asyncio.sleep(0)
    track.add_audio_bytes(sound(2))
    assert (await first).to_ndarray().tobytes() == sound(2)
    said_s = clock.now()
    assert not (await track.recv()).to_ndarray().any(), "from now on silence is sent at once"
    assert clock.now() - said_s == pytest.approx(0.02)


async def test_a_bot_that_says_nothing_sends_silence_after_a_while(clock: FakeClock) -> None:
    assert not (await PacketTrack(RATE_HZ).recv()).to_ndarray().any()
    assert clock.now() == pytest.approx(FIRST_WORDS_WITHIN_S, abs=0.01)


async def test_a_track_without_silence_of_its_own_waits_for_sound() -> None:
    track = PacketTrack(RATE_HZ, auto_silence=False)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    assert not waiting.done()
    track.add_audio_bytes(sound(2))
    assert (await waiting).to_ndarray().tobytes() == sound(2)


async def test_speech_is_found_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RawAudioTrack", RawAudioTrack)  # put back afterwards
    monkeypatch.setattr(
        SileroVADAnalyzer, "analyze_audio", SileroVADAnalyzer.analyze_audio, raising=True
    )
    spare()
    analyzer = SileroVADAnalyzer(sample_rate=16_000)
    analyzer.set_sample_rate(16_000)
    before = set(threading.enumerate())
    pcm = spoken("one two three four").tobytes()
    states = [await analyzer.analyze_audio(pcm[at : at + 640]) for at in range(0, len(pcm), 640)]
    assert VADState.SPEAKING in states
    assert set(threading.enumerate()) == before
    await analyzer.cleanup()
