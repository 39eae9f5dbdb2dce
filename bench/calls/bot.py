"""The bot that every server of `bench/talk.py` runs: an ordinary Pipecat file, offline.

It greets, and answers whatever it understands. It knows nothing of Greenroom as a server; its
ears and mouth are Greenroom's, because they need no network and no key. If ``BENCH_MARKS`` names
a file, it notes there when each step of a call was reached. If ``BENCH_LLM`` names an
OpenAI-compatible server, a model of that answers instead, through Pipecat's own service.
"""

from __future__ import annotations

import json
import os
import time

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from greenroom.bot.espeak import EspeakTTSService
from greenroom.bot.sphinx import Recogniser, SphinxSTTService

GREETING = "Hello there."
QUESTION = "tell me more"
ANSWER = "There is no more."
# A model is loaded once per process, on import; ``BENCH_MODEL=call`` measures one in each call.
_shared = None if os.environ.get("BENCH_MODEL") == "call" else Recogniser(meaning=str)
GRAMMAR = f"#JSGF V1.0;\ngrammar talk;\npublic <talk> = {QUESTION} | good bye;\n"

_NOTED = {
    VADUserStoppedSpeakingFrame: "silence noticed",
    TranscriptionFrame: "understood",
    LLMContextFrame: "model asked",
    LLMTextFrame: "first token",
    TTSAudioRawFrame: "voice made",
}


class Notes:
    """Writes down when steps were reached: one line of JSON each, in the file of all calls."""

    def __init__(self, session_id: str | None) -> None:
        self._session_id = session_id
        self._path = os.environ.get("BENCH_MARKS")

    def note(self, step: str) -> None:
        """This step was reached now."""
        if self._path:
            line = {"session": self._session_id, "step": step, "at_ms": time.time() * 1000}
            with open(self._path, "a") as file:  # noqa: PTH123 - an ordinary bot's own few lines
                file.write(json.dumps(line) + "\n")


class Watch(FrameProcessor):
    """Notes the frames that pass; of a run of the same kind the first."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self._last = ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass everything on."""
        await super().process_frame(frame, direction)
        step = _NOTED.get(type(frame))
        if step and step != self._last:
            self._last = step
            self._notes.note(step)
        await self.push_frame(frame, direction)


class Answers(FrameProcessor):
    """Answers what it understands."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """A transcription becomes an answer; everything else passes."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            await self.push_frame(TTSSpeakFrame(ANSWER))
        await self.push_frame(frame, direction)


def answering(notes: Notes) -> list[FrameProcessor]:
    """What makes an answer of what was understood: a fixed sentence, or a language model."""
    address = os.environ.get("BENCH_LLM")
    if not address:
        return [Answers()]
    strategies = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()],
        stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0)],
    )
    listening, _ = LLMContextAggregatorPair(
        LLMContext([{"role": "system", "content": "Answer in one short sentence."}]),
        user_params=LLMUserAggregatorParams(user_turn_strategies=strategies),
    )
    settings = OpenAILLMService.Settings(model="stand-in")
    model = OpenAILLMService(api_key="sk-stand-in", base_url=address, settings=settings)
    return [Watch(notes), listening, Watch(notes), model, Watch(notes)]


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation."""
    notes = Notes(runner_args.session_id)
    notes.note("bot begun")
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                VADProcessor(vad_analyzer=SileroVADAnalyzer()),
                SphinxSTTService(grammar=GRAMMAR, recogniser=_shared or Recogniser(meaning=str)),
                *answering(notes),
                EspeakTTSService(),
                Watch(notes),
                transport.output(),
            ]
        )
    )

    @transport.event_handler("on_client_connected")
    async def greet(transport: SmallWebRTCTransport, client: object) -> None:
        notes.note("bot connected")
        await worker.queue_frame(TTSSpeakFrame(GREETING))

    @transport.event_handler("on_client_disconnected")
    async def end(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    notes.note("bot ready")
    await runner.run()
    notes.note("bot ended")


if __name__ == "__main__":
    from pipecat.runner.run import main

    main()
