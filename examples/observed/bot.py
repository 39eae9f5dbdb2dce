"""`make run ARGS=examples/observed/bot.py` starts a parrot that knows nothing of Greenroom.

It repeats the colours it hears. Greenroom reports its transcript, who speaks and what it uses.
Ears and voice are Greenroom's own, so that no key is needed; any of Pipecat's services will do.
"""

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import Frame, TranscriptionFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from greenroom.bot.espeak import EspeakTTSService
from greenroom.bot.sphinx import Recogniser, SphinxSTTService

COLOURS = "red | green | yellow | orange | purple"
GRAMMAR = f"#JSGF V1.0;\ngrammar colours;\npublic <colour> = {COLOURS};\n"


class Parrot(FrameProcessor):
    """Says what it hears."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Repeat final transcriptions; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            await self.push_frame(TTSSpeakFrame(f"You said {frame.text}."))
        else:
            await self.push_frame(frame, direction)


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """One conversation."""
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                VADProcessor(vad_analyzer=SileroVADAnalyzer()),
                SphinxSTTService(grammar=GRAMMAR, recogniser=Recogniser(meaning=str)),
                Parrot(),
                EspeakTTSService(),
                transport.output(),
            ]
        )
    )

    @transport.event_handler("on_client_connected")
    async def greet(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.queue_frame(TTSSpeakFrame("Tell me a colour."))

    @transport.event_handler("on_client_disconnected")
    async def end(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
