"""A call with nobody, inside one process: a page, a room and a pipeline meet once and part.

What Python code does for the first time it does slowly, and a forked child pays for what its
parent has not done. After this call a child answers an offer in 0.6 of the time, and has about
7 MB less of its own in a call, because more of what it needs is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.workers.runner import WorkerRunner

from greenroom.bot.context import BotSession, enter
from greenroom.bot.room import Room
from greenroom.wire.link import Answer, Offer, ReportKind, RoomSpec, SessionSpec

HEARD_WITHIN_S = 2.0
PARTS_WITHIN_S = 1.0
RATE_HZ = 24_000
_HUSH = bytes(2 * RATE_HZ // 5)
_NOBODY = "rehearsal"


async def call() -> None:
    """Hold it; whatever goes wrong in it is nobody's loss.

    On a machine where it cannot be held (without any network, say) it ends by its time limits.
    """
    logger.disable("pipecat")  # it would complain of a call that ends so soon
    spec = SessionSpec(
        session_id=_NOBODY,
        launch_id=_NOBODY,
        assistant=_NOBODY,
        room=RoomSpec(name=_NOBODY, ice_servers=[], allow_loopback=True),
        persistence_s=0.0,
        muted=False,
        paused=False,
        body={},
    )
    session = BotSession(spec, report=_nothing, user_present=lambda: False, joined=lambda: None)
    enter(session)
    room = Room(spec.room, report=_nothing, returned=session.returned)
    page = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    bot = asyncio.create_task(_speak(room))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARD_WITHIN_S):
                await _listen(page, room)
    finally:
        bot.cancel()
        await asyncio.wait({bot}, timeout=PARTS_WITHIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTS_WITHIN_S):
                await page.close()
                await room.close()
        enter(None)
        logger.enable("pipecat")


async def _listen(page: RTCPeerConnection, room: Room) -> None:
    """Be the page: offer, connect, and hear the first sound."""
    page.addTransceiver("audio", direction="sendrecv")
    page.createDataChannel("greenroom")
    await page.setLocalDescription(await page.createOffer())
    offer = Offer(offer_id=_NOBODY, participant=_NOBODY, sdp=page.localDescription.sdp)
    answer = await room.take_offer(offer)
    if isinstance(answer, Answer):
        await page.setRemoteDescription(RTCSessionDescription(sdp=answer.sdp, type="answer"))
        await page.getReceivers()[0].track.recv()


async def _speak(room: Room) -> None:
    """Be a bot that says nothing, for a fifth of a second."""
    transport = SmallWebRTCTransport(
        room.connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    )
    vad = VADProcessor(vad_analyzer=SileroVADAnalyzer())
    worker = PipelineWorker(Pipeline([transport.input(), vad, transport.output()]))

    @transport.event_handler("on_client_connected")
    async def speak(transport: SmallWebRTCTransport, client: object) -> None:
        await worker.queue_frame(TTSAudioRawFrame(_HUSH, RATE_HZ, 1))

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def _nothing(kind: ReportKind, data: dict[str, Any]) -> None:
    """Nobody is told."""
