"""A fresh interpreter that imports Pipecat and loads Silero and a recogniser: for bench/launch.py.

What one has who starts one process per call and keeps none; it says one thing, when it is ready.
"""

from __future__ import annotations

import asyncio
import sys

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner
from pocketsphinx import Decoder

# A bot names all of these.
PARTS = (Pipeline, PipelineWorker, VADProcessor, SmallWebRTCTransport, WorkerRunner)


async def main() -> None:
    """The loop runs and the models are loaded; wait for the end of standard input."""
    models = SileroVADAnalyzer(sample_rate=16_000), Decoder(lm=None, loglevel="FATAL")
    assert all((*models, *PARTS))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
