"""`attach` outside of Greenroom, with a language model, and what it costs whoever needs it not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import attach, context, load
from greenroom.bot.observe import TYPED
from greenroom.wire.link import BotLevel, CommandKind, ReportKind
from tests.bot.test_observe import Told, session, told

__all__ = ["session", "told"]

F = TypeVar("F", bound=Frame)
WITHIN_S = 5.0


class Collector(FrameProcessor):
    """Keeps every frame that reaches it; stands last."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self._arrived = asyncio.Condition()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note a frame and pass it on."""
        await super().process_frame(frame, direction)
        async with self._arrived:
            self.frames.append(frame)
            self._arrived.notify_all()
        await self.push_frame(frame, direction)

    async def first(self, kind: type[F]) -> F:
        """Wait for the first frame of a kind."""

        def found() -> list[F]:
            return [frame for frame in self.frames if isinstance(frame, kind)]

        async with asyncio.timeout(WITHIN_S), self._arrived:
            await self._arrived.wait_for(lambda: bool(found()))
        return found()[0]


@asynccontextmanager
async def running(worker: PipelineWorker) -> AsyncIterator[asyncio.Task[None]]:
    """The worker runs in this block, and has ended after it."""
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    run = asyncio.create_task(runner.run())
    try:
        yield run
    finally:
        await worker.cancel()
        async with asyncio.timeout(WITHIN_S):
            await run


def test_whoever_only_needs_the_package_does_not_import_pipecat() -> None:
    look = "import sys, greenroom.bot; sys.exit('pipecat' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], timeout=20, check=False).returncode == 0


async def test_outside_of_greenroom_it_says_so_once_and_says_goodbye_all_the_same() -> None:
    collector = Collector()
    worker = PipelineWorker(Pipeline([collector]), cancel_on_idle_timeout=False)
    lines: list[str] = []
    sink = logger.add(lines.append, level="INFO", format="{message}")
    attached = attach(worker)
    logger.remove(sink)
    assert len(lines) == 1
    assert "Greenroom did not start this bot" in lines[0]

    @attached.on_return
    async def never() -> None:
        raise AssertionError

    @attached.on_warning
    async def never_warned(ends_in_s: float) -> None:
        raise AssertionError

    async with running(worker) as run:
        assert attached.goodbye("See you!") is attached.goodbye("See you!")
        assert await attached.goodbye("See you!") is False
        assert (await collector.first(TTSSpeakFrame)).text == "See you!"
        await collector.first(EndFrame)
        async with asyncio.timeout(WITHIN_S):
            await asyncio.shield(run)


async def test_a_language_model_is_told_what_was_typed_after_it_was_interrupted(
    session: context.BotSession,
) -> None:
    aggregators = LLMContextAggregatorPair(LLMContext())
    collector = Collector()
    worker = PipelineWorker(Pipeline([aggregators.user(), collector]), cancel_on_idle_timeout=False)
    attach(worker)
    async with running(worker):
        await session.carry_out(CommandKind.MESSAGE, {"text": "two tickets"})
        asked = await collector.first(LLMContextFrame)
        interrupted = await collector.first(InterruptionFrame)
        assert asked.context.get_messages() == [{"role": "user", "content": "two tickets"}]
        assert collector.frames.index(interrupted) < collector.frames.index(asked)


async def test_any_other_bot_takes_what_was_typed_for_what_was_said(
    session: context.BotSession, told: Told
) -> None:
    collector = Collector()
    worker = PipelineWorker(Pipeline([collector]), cancel_on_idle_timeout=False)
    attach(worker)
    assert session.level is BotLevel.ATTACHED
    async with running(worker):
        await session.carry_out(CommandKind.MESSAGE, {"text": "orange"})
        heard = await collector.first(TranscriptionFrame)
    assert (heard.text, heard.finalized) == ("orange", True)
    assert TYPED in heard.metadata


async def test_a_bot_that_wants_to_know_is_told_how_long_is_left(
    session: context.BotSession,
) -> None:
    worker = PipelineWorker(Pipeline([Collector()]), cancel_on_idle_timeout=False)
    attached = attach(worker)
    await session.carry_out(CommandKind.WARNING, {"ends_in_s": 120})  # nobody asked; nothing said
    left_s: list[float] = []

    @attached.on_warning
    async def warned(ends_in_s: float) -> None:
        left_s.append(ends_in_s)

    await session.carry_out(CommandKind.WARNING, {"ends_in_s": 60})
    assert left_s == [60.0]


class Speaker(BaseOutputTransport):
    """An output whose audio goes nowhere."""

    async def start(self, frame: StartFrame) -> None:
        """Be ready at once."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Take it."""
        return True


async def test_a_goodbye_that_makes_no_sound_was_not_heard(
    session: context.BotSession, told: Told
) -> None:
    pipeline = Pipeline([Speaker(TransportParams(audio_out_enabled=True))])  # no voice in it
    worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False)
    attached = attach(worker)
    async with running(worker):
        async with asyncio.timeout(WITHIN_S):
            assert await attached.goodbye("See you!") is False
        await asyncio.sleep(0)
        assert told == [(ReportKind.FAREWELL.value, {"heard": False})]


async def test_a_goodbye_that_is_never_played_was_not_heard(
    session: context.BotSession, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.bot.farewell.FAREWELL_WITHIN_S", 0.1)
    worker = PipelineWorker(Pipeline([Collector()]), cancel_on_idle_timeout=False)
    attached = attach(worker)
    async with running(worker):
        assert await attached.goodbye("!") is False
        await asyncio.sleep(0)
        assert told == [(ReportKind.FAREWELL.value, {"heard": False})]


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("", BotLevel.OBSERVED),
        ("from greenroom.bot import attach", BotLevel.ATTACHED),
        ("from greenroom.bot import attach as join", BotLevel.ATTACHED),
        ("from greenroom.bot import attach\nGREENROOM_LEVEL = 'launched'", BotLevel.LAUNCHED),
    ],
)
def test_a_module_promises_what_it_imports(tmp_path: Path, lines: str, level: BotLevel) -> None:
    path = tmp_path / "bot.py"
    path.write_text(f"{lines}\n\nasync def bot(runner_args): ...\n")
    assert load.level(load.load(str(path))) is level


def test_a_level_never_sinks(session: context.BotSession) -> None:
    session.rise_to(BotLevel.ATTACHED)
    session.rise_to(BotLevel.OBSERVED)
    assert session.level is BotLevel.ATTACHED
