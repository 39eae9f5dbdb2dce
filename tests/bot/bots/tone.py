"""A stock Pipecat bot that knows nothing of Greenroom: it sounds a tone of 60 s when greeted."""

from __future__ import annotations

from typing import Any

import numpy as np
from pipecat.frames.frames import Frame, TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.runner.types import SmallWebRTCRunnerArguments
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24_000
TONE_HZ = 440
LENGTH_S = 60


def tone() -> list[Frame]:
    """One second per frame."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    pcm = (12_000 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.int16).tobytes()
    sound = [TTSAudioRawFrame(pcm, RATE_HZ, 1, context_id="tone") for _ in range(LENGTH_S)]
    return [TTSStartedFrame(context_id="tone"), *sound, TTSStoppedFrame(context_id="tone")]


async def bot(runner_args: SmallWebRTCRunnerArguments) -> None:
    """Greet in ``on_client_connected`` and end in ``on_client_disconnected``, as stock bots do."""
    transport = SmallWebRTCTransport(
        runner_args.webrtc_connection,
        TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), transport.output()]),
        params=PipelineParams(audio_out_sample_rate=RATE_HZ),
    )

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport: Any, client: Any) -> None:
        await worker.queue_frames(tone())

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport: Any, client: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
