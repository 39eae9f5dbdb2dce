"""`README.md` beside this says how this parrot gets to Pipecat Cloud, and how to try it here.

`hosted` takes what Greenroom handed over in `runner_args.body`; the line with `attach` is the same
as on Greenroom's own machine. Under any other runner neither changes anything.
"""

import os
from typing import Any

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import Frame, TranscriptionFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import attach, hosted
from greenroom.bot.espeak import EspeakTTSService
from greenroom.bot.sphinx import Recogniser, SphinxSTTService

COLOURS = "red | green | yellow | orange | purple"
GRAMMAR = f"#JSGF V1.0;\ngrammar colours;\npublic <heard> = {COLOURS} | goodbye;\n"


class Parrot(FrameProcessor):
    """Says what it hears; at "goodbye" it calls an event handler."""

    def __init__(self) -> None:
        super().__init__()
        self._register_event_handler("on_goodbye")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Repeat final transcriptions; pass everything else on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, TranscriptionFrame):
            await self.push_frame(frame, direction)
        elif frame.text == "goodbye":
            await self._call_event_handler("on_goodbye")
        else:
            await self.push_frame(TTSSpeakFrame(f"You said {frame.text}."))


@hosted
async def bot(runner_args: Any) -> None:
    """One conversation."""
    # A secret of the agent's own (layer 2); what is one conversation's comes in the body.
    greeting = os.environ.get("GREETING", "Tell me a colour.")
    name = (runner_args.body or {}).get("name")
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    parrot = Parrot()
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                VADProcessor(vad_analyzer=SileroVADAnalyzer()),
                SphinxSTTService(grammar=GRAMMAR, recogniser=Recogniser(meaning=str)),
                parrot,
                EspeakTTSService(),
                transport.output(),
            ]
        )
    )
    attached = attach(worker)

    @transport.event_handler("on_client_connected")
    async def greet(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.queue_frame(TTSSpeakFrame(f"Hello {name}. {greeting}" if name else greeting))

    @parrot.event_handler("on_goodbye")
    async def part(parrot: Parrot) -> None:
        await attached.goodbye("See you!")

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
