"""Any bot is observed and keeps running, whatever it was told; nobody edits it for that."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    TranscriptionFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData
from pipecat.observers.base_observer import FramePushed
from pipecat.pipeline.llm_switcher import LLMSwitcher
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.ollama.llm import OLLamaLLMService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.text.base_text_aggregator import TextType
from structlog.testing import capture_logs

from greenroom.bot import context, hooks
from greenroom.bot.failing import was_replaced
from greenroom.bot.observe import TYPED, Reporter
from greenroom.wire.link import BotLevel, ReportKind, RoomSpec, SessionSpec

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def told() -> Told:
    """What was reported: kinds and data, in order."""
    return []


@pytest.fixture
def session(told: Told) -> Iterator[context.BotSession]:
    spec = SessionSpec(
        session_id="s", launch_id="l", assistant="a", room=RoomSpec(name="r"), persistence_s=300
    )
    session = context.BotSession(
        spec,
        report=lambda kind, data: told.append((kind.value, data)),
        user_present=lambda: True,
        joined=lambda: told.append((ReportKind.BOT_JOINED.value, {})),
    )
    context.enter(session)
    yield session
    context.enter(None)


async def push(
    reporter: Reporter,
    frame: Frame,
    *,
    at_s: float = 0.0,
    first: bool = True,
    direction: FrameDirection = FrameDirection.DOWNSTREAM,
) -> None:
    """Show the reporter one push of a frame."""
    processor = FrameProcessor()
    at_ns = int(at_s * 1e9)
    await reporter.on_push_frame(
        FramePushed(processor, processor, frame, direction, at_ns, first_push=first)
    )


def test_nobody_is_current_outside_of_a_session() -> None:
    with pytest.raises(RuntimeError):
        context.current()


async def test_pipecat_s_own_idle_clock_is_switched_off(session: context.BotSession) -> None:
    worker = PipelineWorker(Pipeline([FrameProcessor()]))
    await hooks.setup_pipeline_worker(worker)
    assert worker._cancel_on_idle_timeout is False


async def test_every_bot_is_observed_and_metered(session: context.BotSession) -> None:
    worker = PipelineWorker(Pipeline([FrameProcessor()]))
    await hooks.setup_pipeline_worker(worker)
    assert session.level is BotLevel.OBSERVED
    assert worker.params.enable_usage_metrics is True


async def test_the_pipeline_is_reported_once_however_many_there_are(
    session: context.BotSession, told: Told
) -> None:
    await Reporter(session).on_pipeline_started()
    await Reporter(session).on_pipeline_started()
    assert told == [("bot.joined", {})]


async def test_a_frame_counts_once(session: context.BotSession, told: Told) -> None:
    reporter = Reporter(session)
    frame = TranscriptionFrame(text="forty two", user_id="", timestamp="")
    await push(reporter, frame)
    await push(reporter, frame, first=False)
    down, up = InterruptionFrame(), BotStartedSpeakingFrame()
    up.broadcast_sibling_id = down.id
    await push(reporter, up, direction=FrameDirection.UPSTREAM)
    expected = {"role": "user", "text": "forty two", "final": True, "turn": 1}
    assert told == [("transcript", expected)]


async def test_the_user_s_speech_is_whatever_announces_it_first(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    await push(reporter, VADUserStartedSpeakingFrame())
    await push(reporter, UserStartedSpeakingFrame())
    await push(reporter, VADUserStoppedSpeakingFrame())
    await push(reporter, UserStoppedSpeakingFrame())
    assert told == [("user.speech", {"speaking": True}), ("user.speech", {"speaking": False})]


@pytest.mark.parametrize(("later_s", "interrupted"), [(0.01, True), (2.0, False)])
async def test_only_a_stop_right_after_an_interruption_is_its_doing(
    session: context.BotSession, told: Told, later_s: float, interrupted: bool
) -> None:
    reporter = Reporter(session)
    await push(reporter, BotStartedSpeakingFrame())
    await push(reporter, InterruptionFrame(), at_s=5.0)
    await push(reporter, BotStoppedSpeakingFrame(), at_s=5.0 + later_s)
    await asyncio.sleep(0.2)
    assert told[-1] == ("bot.speech", {"speaking": False, "interrupted": interrupted})
    assert len(told) == 2


async def test_what_follows_in_the_same_breath_is_no_stop(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    await push(reporter, BotStartedSpeakingFrame())
    await push(reporter, BotStoppedSpeakingFrame(), at_s=1.0)
    await push(reporter, BotStartedSpeakingFrame(), at_s=1.0)
    await asyncio.sleep(0.2)
    assert told == [("bot.speech", {"speaking": True})]


async def test_tokens_are_metered(session: context.BotSession, told: Told) -> None:
    value = LLMTokenUsage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
    frame = MetricsFrame(data=[LLMUsageMetricsData(processor="llm", value=value)])
    reporter = Reporter(session)
    await push(reporter, frame)
    await reporter.cleanup()
    assert told == [
        ("usage", {"component": "llm", "quantity": 1, "unit": "calls"}),
        ("usage", {"component": "llm", "quantity": 7, "unit": "prompt_tokens"}),
        ("usage", {"component": "llm", "quantity": 3, "unit": "completion_tokens"}),
    ]


async def test_what_was_said_is_told_before_what_it_used(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    value = LLMTokenUsage(prompt_tokens=7, completion_tokens=0, total_tokens=7)
    await push(reporter, MetricsFrame(data=[LLMUsageMetricsData(processor="llm", value=value)]))
    await push(reporter, TranscriptionFrame(text="forty two", user_id="", timestamp=""))
    async with asyncio.timeout(5):
        while len(told) < 3:
            await asyncio.sleep(0.005)
    assert [kind for kind, _ in told] == ["transcript", "usage", "usage"]


async def test_an_error_is_told_without_its_words(session: context.BotSession, told: Told) -> None:
    await push(Reporter(session), ErrorFrame(error="the key sk-123 said: forty two"))
    assert told[0][0] == "error"
    assert told[0][1]["code"] == "pipeline_error"
    assert "sk-123" not in str(told)
    assert "forty" not in str(told)


async def test_an_error_says_which_kind_of_part_failed_and_what_to_do(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    models: list[LLMService[Any]] = [OpenAILLMService(api_key="k"), OLLamaLLMService()]
    switcher: LLMSwitcher[Any] = LLMSwitcher(models)
    with capture_logs() as logs:
        ears, voice = OpenAISTTService(api_key="k"), OpenAITTSService(api_key="k")
        for failed in (ears, voice, switcher, Pipeline([])):
            await push(reporter, ErrorFrame(error="no", processor=failed))
    messages = [data["message"] for _, data in told]
    kinds = ["speech recognition", "voice", "language model", "part of the assistant"]
    assert len(messages) == len(kinds)
    for message, kind in zip(messages, kinds, strict=True):
        assert f"{kind} failed." in message
        assert "start again" in message
    messages += [was_replaced(failed) for failed in (ears, voice, *models)]
    assert "The voice failed, and another took over." in str(messages)
    assert not re.search("STT|TTS|LLM|Switcher|Pipeline", str(messages))
    assert [line["processor"] for line in logs] == [
        "OpenAISTTService",
        "OpenAITTSService",
        "LLMSwitcher",
        "Pipeline",
    ]


async def test_a_part_that_fails_on_every_frame_is_told_of_now_and_then(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    ours, theirs = FrameProcessor(), Pipeline([])
    for at_s in (0.0, 0.02, 9.9, 10.1):
        await push(reporter, ErrorFrame(error="again", processor=ours), at_s=at_s)
    assert len(told) == 2
    await push(reporter, ErrorFrame(error="another", processor=theirs), at_s=10.2)
    last = ErrorFrame(error="the last", processor=theirs)
    last.fatal = True
    await push(reporter, last, at_s=10.3)
    assert [data["fatal"] for _, data in told] == [False, False, False, True]


async def test_a_model_that_speaks_by_itself_has_a_transcript_of_each_utterance(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    output = BaseOutputTransport(TransportParams())
    for text in ("Hello", " there", "."):
        frame = TTSTextFrame(text, text_type=TextType.SENTENCE)
        frame.includes_inter_frame_spaces = True
        for source in (FrameProcessor(), output):
            await reporter.on_push_frame(
                FramePushed(source, source, frame, FrameDirection.DOWNSTREAM, 0, first_push=False)
            )
    await push(reporter, BotStoppedSpeakingFrame())
    expected = {"role": "assistant", "text": "Hello there.", "final": True, "turn": 1}
    assert told == [("transcript", expected)]


async def test_words_of_an_announced_sentence_are_not_told_again(
    session: context.BotSession, told: Told
) -> None:
    reporter = Reporter(session)
    output = BaseOutputTransport(TransportParams())
    sentence = AggregatedTextFrame("Hello there.", TextType.SENTENCE)
    sentence.will_be_spoken = True
    for frame in (sentence, TTSTextFrame("Hello", text_type=TextType.WORD)):
        await reporter.on_push_frame(
            FramePushed(output, output, frame, FrameDirection.DOWNSTREAM, 0, first_push=False)
        )
    await push(reporter, BotStoppedSpeakingFrame())
    assert [data["text"] for _, data in told] == ["Hello there."]


async def test_what_was_typed_is_no_transcript(session: context.BotSession, told: Told) -> None:
    frame = TranscriptionFrame(text="orange", user_id="", timestamp="")
    frame.metadata[TYPED] = True
    await push(Reporter(session), frame)
    assert told == []
