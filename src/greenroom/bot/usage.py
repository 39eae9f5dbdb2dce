"""What a bot has used, in the units that are paid for; told in time, not only at the end."""

from __future__ import annotations

import asyncio

from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.worker import PipelineWorker
from pipecat.services.stt_service import STTService

from greenroom.bot.parts import parts_of

# A recogniser that streams is paid for silence too, and Pipecat tells of it with the next final
# transcript: in a forgotten session, never. So it is asked as often as sessions are billed.
TELL_EVERY_S = 10.0


def llm_usage(tokens: LLMTokenUsage) -> dict[str, int]:
    """One call of a model, by unit.

    Providers count their cache inside the prompt's tokens or beside them; the total has it in
    either case. What came from the cache is told by itself, since it has a price of its own; and
    so is what was heard and spoken, by models that do so themselves.
    """
    gross = max(tokens.prompt_tokens, tokens.total_tokens - tokens.completion_tokens)
    cached = min(gross, tokens.cache_read_input_tokens or 0)
    heard = min(gross, tokens.input_audio_tokens or 0)
    heard_cached = min(heard, cached, tokens.cache_read_input_audio_tokens or 0)
    spoken = min(tokens.completion_tokens, tokens.output_audio_tokens or 0)
    used = {
        "calls": 1,
        "prompt_tokens": (gross - heard) - (cached - heard_cached),
        "cached_tokens": cached - heard_cached,
        "completion_tokens": tokens.completion_tokens - spoken,
    }
    if heard or spoken:
        used |= {
            "audio_prompt_tokens": heard - heard_cached,
            "audio_cached_tokens": heard_cached,
            "audio_completion_tokens": spoken,
        }
    return used


class Listening(BaseObserver):
    """Has recognisers tell how much they have listened to, while they do."""

    def __init__(self, worker: PipelineWorker) -> None:
        super().__init__(observe_every_push=False)
        self._worker = worker
        self._telling: asyncio.Task[None] | None = None

    async def on_pipeline_started(self) -> None:
        """From now on, every ten seconds."""
        recognisers = [p for p in parts_of(self._worker.pipeline) if isinstance(p, STTService)]
        if recognisers and self._telling is None:
            self._telling = asyncio.create_task(_tell(recognisers))

    async def cleanup(self) -> None:
        """The pipeline is over."""
        await super().cleanup()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            self._telling = None


async def _tell(recognisers: list[STTService]) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        for recogniser in recognisers:
            await recogniser.emit_stt_usage_metrics()
