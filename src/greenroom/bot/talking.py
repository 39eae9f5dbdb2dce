"""A call without a model: the pipeline around a dialogue, and what it obeys; cards and scripts."""

from __future__ import annotations

import asyncio
import functools
import zlib
from typing import Any

import structlog
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import warm
from greenroom.bot.context import BotSession
from greenroom.bot.conversation import Conversation, Played
from greenroom.bot.dialogue import time_left
from greenroom.bot.espeak import Espeak, EspeakFailed, EspeakTTSService, Voice
from greenroom.bot.farewell import LAST_WORDS, leave, until_heard
from greenroom.bot.gate import Gate
from greenroom.bot.manner import VoiceWish, voice_of
from greenroom.bot.nudging import Nudging
from greenroom.bot.sphinx import Recogniser, SphinxSTTService
from greenroom.bot.turns import StopAfterSilence
from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import BotLevel, CommandKind

log = structlog.get_logger("greenroom.bot.talking")

usual_voice = functools.cache(Espeak)
ears = functools.cache(Recogniser)
"""The process's recogniser; whoever listens by it says what sentences mean."""


async def talk(
    runner_args: SmallWebRTCRunnerArguments,
    session: BotSession,
    record: BotRecord,
    recogniser: SphinxSTTService,
    conversation: Conversation,
) -> None:
    """Hold the conversation, until goodbye or until Greenroom ends it.

    Args:
        runner_args: Has the connection with the page.
        session: The session.
        record: Decides about the voice, and about prompts when the user is silent.
        recogniser: The ears.
        conversation: Answers what they understand.
    """
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    gate = _gate(session)
    played = Played(session.report)
    nudging = _nudging(session, conversation, record)
    voice = EspeakTTSService(espeak=_voice_for(record))
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                gate,
                VADProcessor(vad_analyzer=warm.vad()),
                recogniser,
                UserTurnProcessor(user_turn_strategies=_barge_in()),
                *([nudging] if nudging else []),
                conversation,
                voice,
                transport.output(),
                played,
            ]
        ),
        params=PipelineParams(enable_usage_metrics=True),
        enable_turn_tracking=False,
    )
    session.rise_to(BotLevel.ATTACHED)
    _obey(session, gate, conversation)
    _change_voices(session, voice)
    _say_last_words(session, gate, conversation, played)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport: Any, client: Any) -> None:
        await conversation.meet()

    await _run(session, worker, conversation, played, nudging)


def seed_of(session: BotSession) -> int:
    """Another order of the cards in every session, and the same after a restart of a test."""
    return zlib.crc32(session.spec.session_id.encode())


def _voice_for(record: BotRecord) -> Espeak:
    """The voice that a record wants, if espeak-ng has it; the usual one if not."""
    wish = voice_of(record)
    if wish == VoiceWish():
        return usual_voice()
    voice = Espeak(Voice(wish.name, wish.words_per_minute, wish.pitch))
    try:
        voice.prewarm(["Hello!"])
    except EspeakFailed:
        log.warning("record.voice_unknown", voice=wish.name)
        usual = Voice(words_per_minute=wish.words_per_minute, pitch=wish.pitch)
        return Espeak(usual)
    return voice


def _nudging(session: BotSession, conversation: Conversation, record: BotRecord) -> Nudging | None:
    """Asks again, if the record has words for it; a user who is muted is not expected to answer."""
    if record.idle_prompts is None:
        return None
    nudging = Nudging(record.idle_prompts, conversation.remark, may=lambda: not session.muted)
    session.on_command(CommandKind.MESSAGE, nudging.typed)
    return nudging


def _gate(session: BotSession) -> Gate:
    """Open, unless the session was muted or paused before this bot lived."""
    gate = Gate()
    if session.muted:
        gate.close_for("mute")
    if session.paused:
        gate.close_for("pause")
    return gate


def _barge_in() -> UserTurnStrategies:
    """The user's voice interrupts the bot; no model decides when a turn is over."""
    return UserTurnStrategies(
        start=[VADUserTurnStartStrategy()],
        # The bot answers when the user falls silent; a turn that stayed open for longer would
        # swallow the interruption of whoever speaks into the beginning of that answer.
        stop=[StopAfterSilence(user_speech_timeout=0, wait_for_transcript=False)],
    )


def _obey(session: BotSession, gate: Gate, conversation: Conversation) -> None:
    """Carry out Greenroom's commands, and notice a page that comes back."""

    async def mute(data: dict[str, Any]) -> None:
        (gate.close_for if data["muted"] else gate.open_for)("mute")

    async def pause(data: dict[str, Any]) -> None:
        (gate.close_for if data["paused"] else gate.open_for)("pause")
        await conversation.pause(data["paused"])

    async def say(data: dict[str, Any]) -> None:
        await conversation.say(data["text"], interrupt=bool(data.get("interrupt")))

    async def read(data: dict[str, Any]) -> None:
        await conversation.read(data["text"])

    async def warn(data: dict[str, Any]) -> None:
        await conversation.remark(time_left(data["ends_in_s"]))

    session.on_command(CommandKind.WARNING, warn)
    session.on_command(CommandKind.MUTE, mute)
    session.on_command(CommandKind.PAUSE, pause)
    session.on_command(CommandKind.SAY, say)
    session.on_command(CommandKind.MESSAGE, read)
    session.on_return(conversation.meet_again)


def _change_voices(session: BotSession, service: EspeakTTSService) -> None:
    """Speak as Greenroom says from now on; persona and personality are nothing to cards."""

    async def adjust(data: dict[str, Any]) -> None:
        if "voice" in data:
            # It is tried first, which takes espeak-ng some milliseconds.
            service.take(await asyncio.to_thread(_voice_for, session.record))

    session.on_command(CommandKind.ADJUST, adjust)


def _say_last_words(
    session: BotSession, gate: Gate, conversation: Conversation, played: Played
) -> None:
    """When Greenroom ends the session: say why, unless goodbye is being said already."""

    async def part(reason: str) -> None:
        if reason not in LAST_WORDS and not conversation.parting.is_set():
            return
        gate.close_for("end")
        await conversation.conclude(LAST_WORDS.get(reason, ""))
        await until_heard(session, played.farewell)

    session.on_parting(part)


async def _run(
    session: BotSession,
    worker: PipelineWorker,
    conversation: Conversation,
    played: Played,
    nudging: Nudging | None,
) -> None:
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    beside = [asyncio.create_task(_part(session, worker, conversation, played))]
    if nudging is not None:
        beside.append(asyncio.create_task(nudging.run()))
    try:
        await runner.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _part(
    session: BotSession, worker: PipelineWorker, conversation: Conversation, played: Played
) -> None:
    """After the farewell: see that it is heard, say so, and go if nobody ends us."""
    await conversation.parting.wait()
    await leave(session, worker, heard=await until_heard(session, played.farewell))
