"""A model is watched while it thinks: what hangs is given up, what is cut off has not failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import ErrorFrame, InterruptionFrame, LLMContextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.openai.llm import OpenAILLMService

from greenroom.bot.thinking import MOST_FAILURES, Thinking
from greenroom.testing.openai import Fault, OpenAI, served
from tests.bot.test_attached import running
from tests.bot.test_observe import session, told

__all__ = ["session", "told"]

WITHIN_S = 10


@dataclass
class Mind:
    """What a watched model made its mind do, in order."""

    worker: PipelineWorker
    openai: OpenAI
    came: asyncio.Queue[str]

    async def ask(self) -> None:
        """Ask something, and wait until the model has been asked."""
        before = len(self.openai.asked)
        context = LLMContext([{"role": "user", "content": "hello"}])
        await self.worker.queue_frame(LLMContextFrame(context))
        while len(self.openai.asked) == before:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def thinking(openai: OpenAI, first_word_within_s: float) -> AsyncIterator[Mind]:
    """A model that a stand-in serves, with a `Thinking` around it."""
    came: asyncio.Queue[str] = asyncio.Queue()

    async def failed(hopeless: bool) -> None:
        came.put_nowait("gave up" if hopeless else "failed")

    async def empty() -> None:
        came.put_nowait("empty")

    async with served(openai) as address:
        settings = OpenAILLMService.Settings(model="small")
        model = OpenAILLMService(api_key="x", base_url=address, settings=settings)
        watch = Thinking(lambda: model, failed, empty, first_word_within_s)
        worker = PipelineWorker(Pipeline([watch.before, model, watch]), enable_rtvi=False)

        @worker.event_handler("on_pipeline_error")
        async def on_pipeline_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            await watch.reached_the_end(frame)

        async with running(worker), asyncio.timeout(WITHIN_S):
            yield Mind(worker, openai, came)
            await model._client.close()  # Pipecat leaves it open


async def test_a_model_that_hangs_is_given_up(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None)
    playing.order(Fault(None))
    async with thinking(playing, first_word_within_s=0.2) as mind:
        await mind.ask()
        assert await mind.came.get() == "failed"


async def test_who_speaks_on_while_it_thinks_gets_no_empty_answer(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None, first_token_s=WITHIN_S)
    async with thinking(playing, first_word_within_s=WITHIN_S) as mind:
        for _ in range(MOST_FAILURES):
            await mind.ask()
            await mind.worker.queue_frame(InterruptionFrame())
        # An answer that is empty of itself is told as ever, and first of all.
        playing.first_token_s = 0.0
        playing.say("")
        await mind.ask()
        assert await mind.came.get() == "empty"
        assert mind.came.empty()
