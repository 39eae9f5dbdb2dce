"""Ears and mouth as services in a real Pipecat pipeline."""

from __future__ import annotations

import numpy as np
import pytest
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    STTMuteFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.worker import PipelineParams
from pipecat.tests.utils import run_test

from greenroom.bot.deck import Card, listening_grammar, meaning
from greenroom.bot.dialogue import Heard
from greenroom.bot.espeak import Espeak, EspeakTTSService
from greenroom.bot.sphinx import (
    RATE_HZ,
    NotUnderstoodFrame,
    Recogniser,
    SphinxSTTService,
    heard_in,
)
from tests.ears.audio import utterance

GRAMMAR = listening_grammar(Card(6, 7))


def spoken_frames(text: str, *, vad_late_s: float = 0.7) -> list[Frame]:
    """Audio in frames of 20 ms; the VAD notices 0.2 s late, after half a second of silence."""
    pcm = utterance(text)
    chunks = [pcm[start : start + 640] for start in range(0, len(pcm), 640)]
    frames: list[Frame] = [InputAudioRawFrame(chunk, RATE_HZ, 1) for chunk in chunks]
    frames.insert(int(vad_late_s * 50), VADUserStartedSpeakingFrame())
    return [*frames, VADUserStoppedSpeakingFrame()]


async def heard_by(service: SphinxSTTService, frames: list[Frame]) -> list[Frame]:
    params = PipelineParams(audio_in_sample_rate=RATE_HZ)
    down, _ = await run_test(
        service, frames_to_send=frames, pipeline_params=params, start_timeout=10
    )
    return [frame for frame in down if heard_in(frame) is not None]


async def test_an_utterance_becomes_one_final_transcript() -> None:
    service = SphinxSTTService(grammar=GRAMMAR, recogniser=Recogniser(meaning))
    [frame] = await heard_by(service, spoken_frames("forty two"))
    assert isinstance(frame, TranscriptionFrame)
    assert (frame.text, frame.finalized) == ("forty two", True)
    heard = heard_in(frame)
    assert heard is not None
    assert heard.text == "forty two"


async def test_what_is_not_understood_is_said_so_without_an_empty_transcript() -> None:
    service = SphinxSTTService(grammar=GRAMMAR)
    [frame] = await heard_by(service, spoken_frames("hello there how are you"))
    assert isinstance(frame, NotUnderstoodFrame)
    assert heard_in(frame) == Heard("", 0.0)


async def test_it_listens_with_the_grammar_that_was_set() -> None:
    service = SphinxSTTService(grammar=GRAMMAR)
    service.set_grammar("#JSGF V1.0;\ngrammar g;\npublic <g> = skip | repeat;\n")
    [frame] = await heard_by(service, spoken_frames("skip"))
    assert isinstance(frame, TranscriptionFrame)
    assert frame.text == "skip"


async def test_while_muted_it_hears_nothing() -> None:
    service = SphinxSTTService(grammar=GRAMMAR)
    frames = await heard_by(service, [STTMuteFrame(mute=True), *spoken_frames("forty two")])
    assert [frame for frame in frames if isinstance(frame, TranscriptionFrame)] == []


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
async def test_a_sentence_becomes_sound_at_the_rate_of_the_transport(rate_hz: int) -> None:
    text = "Right! What is six times seven?"
    down, _ = await run_test(
        EspeakTTSService(),
        frames_to_send=[TTSSpeakFrame(text)],
        pipeline_params=PipelineParams(audio_out_sample_rate=rate_hz),
        start_timeout=10,
    )
    kinds = [type(frame) for frame in down]
    audio = [frame for frame in down if isinstance(frame, TTSAudioRawFrame)]
    assert kinds.index(TTSStartedFrame) < kinds.index(TTSAudioRawFrame)
    assert kinds.index(TTSStoppedFrame) == len(kinds) - 1 - kinds[::-1].index(TTSStoppedFrame)
    assert [frame.text for frame in down if isinstance(frame, TTSTextFrame)] == [text]
    assert {frame.sample_rate for frame in audio} == {rate_hz}
    samples = np.frombuffer(b"".join(frame.audio for frame in audio), dtype="<i2")
    assert 1.5 < len(samples) / rate_hz < 4.0
    assert np.abs(samples).max() > 3000


async def test_a_broken_voice_is_reported_and_the_pipeline_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    espeak = Espeak()
    monkeypatch.setattr(espeak, "_command", ("false",))
    _, up = await run_test(
        EspeakTTSService(espeak=espeak),
        frames_to_send=[TTSSpeakFrame("Hello!")],
        start_timeout=10,
    )
    assert any("espeak-ng ended" in frame.error for frame in up if isinstance(frame, ErrorFrame))
