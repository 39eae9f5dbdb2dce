"""The assistant with a mind: a language model that hears, speaks, and uses tools."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import structlog
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregatorParams,
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.services.ai_service import AIService
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.turns.user_mute import AlwaysUserMuteStrategy
from pipecat.turns.user_start import (
    TranscriptionUserTurnStartStrategy,
    VADUserTurnStartStrategy,
)
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies
from pipecat.utils.context.llm_context_summarization import (
    LLMAutoContextSummarizationConfig,
    LLMContextSummaryConfig,
)
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import attach, warm
from greenroom.bot.context import BotSession, current
from greenroom.bot.cut_off import CutOff
from greenroom.bot.manners import Manners
from greenroom.bot.nudging import Nudging
from greenroom.bot.own_voice import OwnVoice
from greenroom.bot.parting import EndPhrases, EndWords, Silencer
from greenroom.bot.persona import instruction_of, name_of
from greenroom.bot.services.builtin import reserve_voice
from greenroom.bot.services.failover import switching
from greenroom.bot.services.make import Maker, Services
from greenroom.bot.services.problems import NotReady
from greenroom.bot.sphinx import SphinxSTTService
from greenroom.bot.thinking import Thinking
from greenroom.bot.turns import AskAgain, StopAfterSilence, StopByModel
from greenroom.wire.assistants import BotRecord, ContextRecord, TurnRecord
from greenroom.wire.link import BotLevel, CommandKind, ReportKind

GREENROOM_LEVEL = BotLevel.ATTACHED

log = structlog.get_logger("greenroom.bot.mind")

# Pipecat's detector has waited for so long before it says that nobody speaks any more.
VAD_STOP_S = 0.2
SUMMARY_WITHIN_S = 30.0
# Of the bound on the context: what a summary may take. The newest messages are kept beside it.
SUMMARY_SHARE = 0.5
KEPT_MESSAGES = 4


def prewarm() -> None:
    """Import what most minds need, and open the model that knows when a turn is over."""
    with contextlib.suppress(ImportError):
        import pipecat.services.openai.llm
        import pipecat.services.openai.realtime.llm  # noqa: F401 - 50 ms, and 0.4 MB for all
    _turn_model()


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation, until goodbye or until Greenroom ends it."""
    session = current()
    record = session.record
    instruction = instruction_of(record, name_of(session.spec.body))
    try:
        services = await Maker(record, instruction=instruction).make()
    except NotReady as refusal:
        # It was asked before the session began; what has changed since is told here.
        error = {"code": refusal.code, "message": refusal.message[:500], "fatal": True}
        session.report(ReportKind.ERROR, error)
        return
    try:
        await _talk(session, record, services, runner_args)
    finally:
        await services.close()


async def _talk(
    session: BotSession,
    record: BotRecord,
    services: Services,
    runner_args: SmallWebRTCRunnerArguments,
) -> None:
    context = LLMContext()
    manners = Manners(session, record, services)
    speaks_itself = record.speech_to_speech is not None
    if speaks_itself:
        manners.own_voice = OwnVoice(manners.active_llm, context, reserve_voice(record))
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    user, assistant = LLMContextAggregatorPair(
        context,
        user_params=(
            _told_of_turns(record.turns)
            if speaks_itself
            else _listening(record.turns, _asking(session, manners, services, context))
        ),
        # It is asked with its own memory, and cannot be asked for a summary.
        assistant_params=None if speaks_itself else _remembering(record.context),
    )
    thinking = Thinking(manners.active_llm, manners.cannot_think, manners.answered_nothing)
    nudging = _nudging(session, record, manners, thinking)
    end_words = EndWords(EndPhrases(record.end_phrases), manners.end_by_user)
    voice = manners.own_voice
    model = _one_of(services.llm, manners)
    if voice is not None:
        # What such a model has heard comes back from it, against the stream.
        ears: list[FrameProcessor] = [voice.before, user, end_words]
        model = [voice.into, *model]
        mouth: list[FrameProcessor] = [voice.behind]
    else:
        hearing = [VADProcessor(vad_analyzer=warm.vad()), *_one_of(services.stt, manners)]
        ears = [*hearing, end_words, user]
        # What a tool has come to is asked from behind.
        mouth = [Silencer(manners.is_asked), *_one_of(services.tts, manners)]
    silencer = Silencer(manners.is_asked)
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                *ears,
                *([nudging] if nudging else []),
                silencer,
                thinking.before,
                *model,
                thinking,
                *mouth,
                transport.output(),
                *([CutOff(context)] if record.tools else []),
                assistant,
            ]
        ),
        params=PipelineParams(enable_usage_metrics=True),
        enable_turn_tracking=False,
    )
    manners.take(worker, attach, thinking)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport: Any, client: Any) -> None:
        await manners.meet()

    try:
        async with _tools(session, record, services, manners, context):
            await _run(worker, nudging)
    finally:
        await manners.close()


def _one_of(services: list[AIService], manners: Manners) -> list[FrameProcessor]:
    return [switching(services, manners.switched)] if services else []


def _asking(
    session: BotSession, manners: Manners, services: Services, context: LLMContext
) -> AskAgain:
    """What is done about turns without words; only the built-in ears say that there were some."""
    return AskAgain(
        lambda: not (session.muted or session.paused or manners.parting),
        context,
        always=any(isinstance(ears, SphinxSTTService) for ears in services.stt),
    )


def _listening(turns: TurnRecord, asking: AskAgain) -> LLMUserAggregatorParams:
    """When a turn of the user's begins and ends, and whether it may interrupt."""
    may = turns.interruptible
    stop: BaseUserTurnStopStrategy
    if turns.detection == "model":
        stop = StopByModel(turn_analyzer=_turn_model())
    else:
        wait_s = max(0.0, turns.silence_s - VAD_STOP_S)
        stop = StopAfterSilence(user_speech_timeout=wait_s)
    return LLMUserAggregatorParams(
        user_turn_strategies=UserTurnStrategies(
            start=[
                VADUserTurnStartStrategy(enable_interruptions=may),
                TranscriptionUserTurnStartStrategy(enable_interruptions=may),
            ],
            stop=[stop],
        ),
        user_mute_strategies=[] if may else [AlwaysUserMuteStrategy()],
        empty_user_turn=asking,
    )


def _told_of_turns(turns: TurnRecord) -> LLMUserAggregatorParams:
    """The same for a model that hears by itself, which says when a turn begins and ends."""
    return LLMUserAggregatorParams(
        user_turn_strategies=ExternalUserTurnStrategies(enable_interruptions=turns.interruptible),
        user_mute_strategies=[] if turns.interruptible else [AlwaysUserMuteStrategy()],
    )


def _turn_model() -> Any:
    """A smart-turn analyzer; its model is opened once per process family (`warm`)."""
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    return LocalSmartTurnAnalyzerV3()


def _remembering(bounds: ContextRecord) -> LLMAssistantAggregatorParams:
    """The context stays within bounds: what is older is summarised by the model itself."""
    return LLMAssistantAggregatorParams(
        enable_auto_context_summarization=True,
        auto_context_summarization_config=LLMAutoContextSummarizationConfig(
            max_context_tokens=bounds.most_tokens,
            max_unsummarized_messages=bounds.most_messages,
            summary_config=LLMContextSummaryConfig(
                target_context_tokens=int(bounds.most_tokens * SUMMARY_SHARE),
                min_messages_after_summary=min(KEPT_MESSAGES, bounds.most_messages - 1),
                summarization_timeout=SUMMARY_WITHIN_S,
            ),
        ),
    )


def _nudging(
    session: BotSession, record: BotRecord, manners: Manners, thinking: Thinking
) -> Nudging | None:
    if record.idle_prompts is None:
        return None

    def may() -> bool:
        listens = session.user_present and not (session.muted or session.paused)
        return listens and not (manners.parting or thinking.thinks)

    nudging = Nudging(record.idle_prompts, manners.say, may)
    session.on_command(CommandKind.MESSAGE, nudging.typed)
    return nudging


@contextlib.asynccontextmanager
async def _tools(
    session: BotSession,
    record: BotRecord,
    services: Services,
    manners: Manners,
    context: LLMContext,
) -> AsyncIterator[None]:
    """The record's tools, connected as long as the block lasts."""
    if not record.tools:
        yield
        return
    from greenroom.bot import functions
    from greenroom.bot.tools import Toolbox

    toolbox = Toolbox.of(session, goodbye=manners.goodbye)
    try:
        await toolbox.open()
        offered = functions.offer(toolbox, manners.models, lambda: manners.parting)
        if offered is not None:
            context.set_tools(offered)
        yield
    finally:
        await toolbox.close()


async def _run(worker: PipelineWorker, nudging: Nudging | None) -> None:
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    prompting = asyncio.create_task(nudging.run()) if nudging is not None else None
    try:
        await runner.run()
    finally:
        if prompting is not None:
            prompting.cancel()
            await asyncio.gather(prompting, return_exceptions=True)
