"""The built-in bot: asks multiplications aloud, listens, and turns the cards."""

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
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import warm
from greenroom.bot.context import BotSession, current
from greenroom.bot.conversation import Conversation, Played
from greenroom.bot.deck import DECK, meaning
from greenroom.bot.dialogue import Dialogue, Say, ask, time_left
from greenroom.bot.espeak import Espeak, EspeakFailed, EspeakTTSService, Voice
from greenroom.bot.farewell import LAST_WORDS, leave, until_heard
from greenroom.bot.gate import Gate
from greenroom.bot.manner import Manner, VoiceWish, manner_of, voice_of
from greenroom.bot.nudging import Nudging
from greenroom.bot.sphinx import Recogniser, SphinxSTTService
from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import BotLevel, CommandKind

GREENROOM_LEVEL = BotLevel.ATTACHED

log = structlog.get_logger("greenroom.bot.cards")

_voice = functools.cache(Espeak)
_recogniser = functools.cache(functools.partial(Recogniser, meaning))


def prewarm() -> None:
    """Load the recogniser and synthesise greeting and questions. No loop, no thread.

    The rest takes espeak-ng about 20 ms a sentence while the bot speaks or listens anyway; all
    of it together would hold up the first launch.
    """
    _recogniser()
    greeting = Dialogue(DECK, seed=0).greet()
    _voice().prewarm(action.text for action in greeting if isinstance(action, Say))
    _voice().prewarm(ask(card) for card in DECK)


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation, until goodbye or until Greenroom ends it."""
    session = current()
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    record = _record(session)
    manner = manner_of(record).heard_by(_recogniser().knows)
    _recogniser().take_meaning(manner.meaning)
    dialogue = Dialogue(DECK, _seed(session.spec.session_id), manner)
    recogniser = SphinxSTTService(grammar=dialogue.grammar, recogniser=_recogniser())
    gate = _gate(session)
    conversation = Conversation(dialogue, set_grammar=recogniser.set_grammar, paused=session.paused)
    played = Played(session.report)
    nudging = _nudging(session, conversation, manner)
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


def _record(session: BotSession) -> BotRecord:
    """The assistant's record; one that says nothing if it has none."""
    return BotRecord.model_validate(session.spec.record or {"name": "cards"})


def _voice_for(record: BotRecord) -> Espeak:
    """The voice that a record wants, if espeak-ng has it; the usual one if not."""
    wish = voice_of(record)
    if wish == VoiceWish():
        return _voice()
    voice = Espeak(Voice(wish.name, wish.words_per_minute, wish.pitch))
    try:
        voice.prewarm(["Hello!"])
    except EspeakFailed:
        log.warning("record.voice_unknown", voice=wish.name)
        usual = Voice(words_per_minute=wish.words_per_minute, pitch=wish.pitch)
        return Espeak(usual)
    return voice


def _nudging(session: BotSession, conversation: Conversation, manner: Manner) -> Nudging | None:
    """Asks again, if the record has words for it; a user who is muted is not expected to answer."""
    if manner.idle is None:
        return None
    return Nudging(manner.idle, conversation.remark, may=lambda: not session.muted)


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
        stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0, wait_for_transcript=False)],
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
            service.take(await asyncio.to_thread(_voice_for, _record(session)))

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


def _seed(session_id: str) -> int:
    """Another order of the cards in every session, and the same after a restart of a test."""
    return zlib.crc32(session_id.encode())
