"""A bot as people have them for Daily, attached by its one line: it says what it is told.

What it has for Pipecat's `DailyTransport` is the double, in a room that it reaches over HTTP.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
from pipecat.frames.frames import Frame, TranscriptionFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import DailyRunnerArguments
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from greenroom.bot import attach
from greenroom.bot.espeak import EspeakTTSService
from tests.vapi import PEOPLE
from tests.vapi.transport import RoomTransport

# Louder than this somebody speaks; the SDK's own measure.
SPEAKS = 0.01


class HttpRoom:
    """A room of the stand-in's, by `tests.vapi.people`."""

    def __init__(self, url: str, token: str | None) -> None:
        self._name = url.rsplit("/", 1)[-1]
        self._token = token
        self._id = ""
        self._is_loud = False
        self._news: list[dict[str, Any]] = []
        # Proxies are for other machines.
        self._web = httpx.AsyncClient(base_url=os.environ[PEOPLE], timeout=10, trust_env=False)

    async def join(self, name: str) -> None:
        """Come in."""
        told = {"token": self._token, "userName": name}
        answer = (await self._web.post(f"/join/{self._name}", json=told)).raise_for_status().json()
        self._id = answer["me"]["id"]
        self._news = [{"joined": one} for one in answer["others"]]

    async def say(self, message: Any) -> None:
        """Send an app-message."""
        (await self._web.post(f"/say/{self._id}", json={"data": message})).raise_for_status()

    async def loudness(self, level: float) -> None:
        """Tell when one begins to be heard, and when no more."""
        is_loud = level > SPEAKS
        if is_loud != self._is_loud:
            self._is_loud = is_loud
            await self._web.post(f"/level/{self._id}", json={"level": 0.1 if is_loud else 0.0})

    async def happened(self) -> list[dict[str, Any]]:
        """Ask what has."""
        if self._news:
            news, self._news = self._news, []
            return news
        answer = await self._web.get(f"/happened/{self._id}")
        return [event for event in answer.json() if "levels" not in event and "out" not in event]

    async def leave(self) -> None:
        """Go."""
        await self._web.post(f"/leave/{self._id}")
        await self._web.aclose()


class Parrot(FrameProcessor):
    """Says what it hears."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Repeat final transcriptions; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            await self.push_frame(TTSSpeakFrame(f"You said {frame.text}."))
        else:
            await self.push_frame(frame, direction)


async def bot(runner_args: DailyRunnerArguments) -> None:
    """One conversation."""
    room = HttpRoom(runner_args.room_url, runner_args.token)
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    transport = RoomTransport(room, "Parrot", params)
    parts = [transport.input(), Parrot(), EspeakTTSService(), transport.output()]
    worker = PipelineWorker(Pipeline(parts))
    attach(worker)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
