"""What is paid for is told: in whose units, of which kind, and while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from pipecat.frames.frames import Frame, InputAudioRawFrame, MetricsFrame
from pipecat.metrics.metrics import LLMTokenUsage, STTUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService

from greenroom.bot import usage
from greenroom.bot.usage import Listening, llm_usage
from tests.bot.test_attached import Collector, running


@pytest.mark.parametrize(
    ("tokens", "prompt", "cached"),
    [
        # The cache inside the prompt's tokens (OpenAI), beside them (Anthropic), and no cache.
        ({"prompt_tokens": 100, "cache_read_input_tokens": 80, "total_tokens": 110}, 20, 80),
        ({"prompt_tokens": 20, "cache_read_input_tokens": 80, "total_tokens": 110}, 20, 80),
        ({"prompt_tokens": 100, "total_tokens": 110}, 100, 0),
        # What is written into a cache is paid for as a prompt.
        (
            {
                "prompt_tokens": 20,
                "cache_creation_input_tokens": 80,
                "cache_read_input_tokens": 0,
                "total_tokens": 110,
            },
            100,
            0,
        ),
        # A total that somebody forgot to fill in.
        ({"prompt_tokens": 100, "total_tokens": 0}, 100, 0),
    ],
)
def test_tokens_are_counted_once_whoever_counts_them(
    tokens: dict[str, int], prompt: int, cached: int
) -> None:
    assert llm_usage(LLMTokenUsage(completion_tokens=10, **tokens)) == {
        "calls": 1,
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "completion_tokens": 10,
    }


def test_what_a_model_hears_and_says_itself_is_counted_by_itself() -> None:
    tokens = LLMTokenUsage(
        prompt_tokens=100,
        completion_tokens=30,
        total_tokens=130,
        input_audio_tokens=60,
        output_audio_tokens=25,
        cache_read_input_tokens=50,
        cache_read_input_audio_tokens=20,
    )
    used = llm_usage(tokens)
    assert used == {
        "calls": 1,
        "prompt_tokens": 10,
        "cached_tokens": 30,
        "completion_tokens": 5,
        "audio_prompt_tokens": 40,
        "audio_cached_tokens": 20,
        "audio_completion_tokens": 25,
    }
    assert sum(used.values()) - 1 == tokens.total_tokens


class Listener(STTService):
    """A recogniser that streams everything and never hears a word."""

    def __init__(self) -> None:
        super().__init__(settings=STTSettings(model=None, language=None))

    def can_generate_metrics(self) -> bool:
        """It does."""
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Hear nothing; what was heard is counted by the class."""
        yield None


async def test_a_recogniser_that_hears_only_silence_is_paid_for_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a forgotten session nobody says a word that ends an utterance."""
    monkeypatch.setattr(usage, "TELL_EVERY_S", 0.02)
    collector = Collector()
    params = PipelineParams(enable_usage_metrics=True)
    worker = PipelineWorker(Pipeline([Listener(), collector]), params=params)
    worker._cancel_on_idle_timeout = False
    worker.add_observer(Listening(worker))
    silence = InputAudioRawFrame(audio=bytes(32_000), sample_rate=16_000, num_channels=1)
    async with running(worker):
        await worker.queue_frame(silence)
        async with asyncio.timeout(5):
            while not _told(collector):
                await collector.first(MetricsFrame)
                await asyncio.sleep(0.01)
        assert _told(collector) == [1.0]
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _told(collector: Collector) -> list[float]:
    return [
        item.value.audio_seconds
        for frame in collector.frames
        if isinstance(frame, MetricsFrame)
        for item in frame.data
        if isinstance(item, STTUsageMetricsData)
    ]
