"""A model is watched while it thinks: what hangs is given up, what is cut off has not failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    ErrorFrame,
    InterruptionFrame,
    LLMContextFrame,
)
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
    watch: Thinking
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
async def thinking(openai: OpenAI, sign_within_s: float) -> AsyncIterator[Mind]:
    """A model that a stand-in serves, with a `Thinking` around it."""
    came: asyncio.Queue[str] = asyncio.Queue()

    async def failed(hopeless: bool) -> None:
        came.put_nowait("gave up" if hopeless else "failed")

    async def empty() -> None:
        came.put_nowait("empty")

    async with served(openai) as address:
        settings = OpenAILLMService.Settings(model="small")
        model = OpenAILLMService(api_key="x", base_url=address, settings=settings)
        watch = Thinking(lambda: model, failed, empty, sign_within_s)
        watch.listen_to(model)
        worker = PipelineWorker(Pipeline([watch.before, model, watch]), enable_rtvi=False)

        @worker.event_handler("on_pipeline_error")
        async def on_pipeline_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            await watch.reached_the_end(frame)

        async with running(worker), asyncio.timeout(WITHIN_S):
            yield Mind(worker, watch, openai, came)
            await model._client.close()  # Pipecat leaves it open


async def test_a_model_that_hangs_is_given_up(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None)
    playing.order(Fault(None))
    async with thinking(playing, sign_within_s=0.2) as mind:
        await mind.ask()
        assert await mind.came.get() == "failed"


async def test_who_speaks_on_while_it_thinks_gets_no_empty_answer(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None, first_token_s=WITHIN_S)
    async with thinking(playing, sign_within_s=WITHIN_S) as mind:
        for _ in range(MOST_FAILURES):
            await mind.ask()
            await mind.worker.queue_frame(InterruptionFrame())
        # An answer that is empty of itself is told as ever, and first of all.
        playing.first_token_s = 0.0
        playing.say("")
        await mind.ask()
        assert await mind.came.get() == "empty"
        assert mind.came.empty()


async def test_a_model_that_hangs_in_mid_answer_is_given_up(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None)
    playing.say("It is sunny today.")
    playing.order(Fault(None, after_tokens=2))
    async with thinking(playing, sign_within_s=0.2) as mind:
        await mind.ask()
        assert await mind.came.get() == "failed"


async def test_whoever_writes_a_long_page_is_not_given_up(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None, token_s=0.05)
    playing.call("html", {"html": "x" * 240})  # 20 pieces, a second in all
    async with thinking(playing, sign_within_s=0.4) as mind:
        await mind.ask()
        async with asyncio.timeout(WITHIN_S):
            while not playing.asked[0].finished:
                await asyncio.sleep(0.02)
        assert mind.came.empty()


async def test_answers_that_break_off_three_times_in_a_row_are_no_use(
    session: Any, told: Any
) -> None:
    playing = OpenAI(keys=None)
    playing.order(Fault(500, after_tokens=1, times=MOST_FAILURES))
    async with thinking(playing, sign_within_s=WITHIN_S) as mind:
        came = []
        for _ in range(MOST_FAILURES):
            playing.say("It is sunny today.")
            await mind.ask()
            came.append(await mind.came.get())
    assert came == ["failed", "failed", "gave up"]


async def test_an_answer_is_under_way_until_it_is_heard(session: Any, told: Any) -> None:
    playing = OpenAI(keys=None)
    playing.say("It is sunny today.")
    async with thinking(playing, sign_within_s=WITHIN_S) as mind:
        await mind.ask()
        await mind.worker.flush_pipeline()
        assert playing.asked[0].finished
        assert mind.watch.thinks  # of the words a voice has not made a sound yet
        await mind.worker.queue_frame(BotStartedSpeakingFrame())
        await mind.worker.flush_pipeline()
        assert not mind.watch.thinks
