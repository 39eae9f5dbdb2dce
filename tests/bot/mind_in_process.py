"""A mind in this process: its model is the stand-in, its voice takes no time, its ears are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pipecat.frames.frames import (
    Frame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors import frame_processor
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.utils.time import time_now_iso8601

from greenroom.bot import context, hooks, mind
from greenroom.bot.manners import Manners
from greenroom.bot.overtaking import OrderlyQueue
from greenroom.bot.thinking import SIGN_WITHIN_S, Thinking
from greenroom.testing.openai import Asked, OpenAI, Rule, served
from greenroom.wire.link import CommandKind, ReportKind, RoomSpec, SessionSpec

WITHIN_S = 10.0
ANSWER = "It is sunny today. Very sunny indeed. And it will be so tomorrow."
TURNS = {"detection": "silence", "silenceS": 0.2}


class _Speaker(BaseOutputTransport):
    """Plays `speed` times as fast as anybody could listen."""

    def __init__(self, params: TransportParams, speed: float) -> None:
        super().__init__(params)
        self._speed = speed

    async def start(self, frame: StartFrame) -> None:
        """Be ready at once."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Take it."""
        await asyncio.sleep(frame.num_frames / frame.sample_rate / self._speed)
        return True


class _Microphone(BaseInputTransport):
    async def start(self, frame: StartFrame) -> None:
        """Be ready at once."""
        await super().start(frame)
        await self.set_transport_ready(frame)


class Transport(BaseTransport):
    """Takes the place of the one that WebRTC needs."""

    def __init__(self, params: TransportParams, speed: float) -> None:
        super().__init__()
        self.microphone = _Microphone(params)
        self.speaker = _Speaker(params, speed)
        self._register_event_handler("on_client_connected")

    def input(self) -> FrameProcessor:
        """Where the user's words come in."""
        return self.microphone

    def output(self) -> FrameProcessor:
        """Where the assistant's go out."""
        return self.speaker


@dataclass
class Call:
    """A call with a mind in this process.

    Attributes:
        present: Whether a page is there.
    """

    openai: OpenAI
    present: bool = True
    told: list[tuple[ReportKind, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session: context.BotSession = cast(context.BotSession, None)
        self.transport: Transport = cast(Transport, None)
        self.context = LLMContext()

    def take(self, kind: ReportKind, data: dict[str, Any]) -> None:
        """Be the server that is told."""
        self.told.append((kind, data))

    async def until(self, true: Any, within_s: float = WITHIN_S) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(0.005)

    @property
    def said(self) -> list[str]:
        """What the assistant has said so far."""
        return [
            data["text"]
            for kind, data in self.told
            if kind is ReportKind.TRANSCRIPT and data["role"] == "assistant"
        ]

    @property
    def has_spoken(self) -> bool:
        """Whether the assistant was heard at all."""
        return any(kind is ReportKind.BOT_SPEECH for kind, _ in self.told)

    @property
    def speaks(self) -> bool:
        """Whether the assistant speaks just now."""
        told = [data["speaking"] for kind, data in self.told if kind is ReportKind.BOT_SPEECH]
        return bool(told) and bool(told[-1])

    async def hears(self, text: str, times: int = 1, within_s: float = WITHIN_S) -> None:
        """Wait until the assistant has said something with this in it, so often."""
        await self.until(lambda: sum(text in one for one in self.said) >= times, within_s)

    async def quiet(self) -> None:
        """Wait until the assistant has stopped speaking."""
        await self.until(lambda: self.has_spoken and not self.speaks)

    async def asked(self, times: int) -> Asked:
        """Wait until the model was asked so often."""
        await self.until(lambda: len(self.openai.asked) >= times)
        return self.openai.asked[times - 1]

    @property
    def tool_calls(self) -> list[str]:
        """The ids of the tools' calls so far."""
        calls = (data for kind, data in self.told if kind is ReportKind.TOOL_CALL)
        return [data["toolCallId"] for data in calls]

    def context_has(self, text: str) -> bool:
        """Whether the model would be told this if it were asked now."""
        return text in str(self.context.messages)

    async def uses_a_tool(self) -> None:
        """Wait until it does."""
        await self.until(lambda: self.tool_calls)

    async def command(self, kind: CommandKind, **data: Any) -> None:
        """Be the server that orders something."""
        await self.session.carry_out(kind, data)

    async def types(self, text: str) -> None:
        """Type something."""
        await self.command(CommandKind.MESSAGE, text=text)

    async def hear(self, frame: Frame) -> None:
        """Put a frame where the microphone is."""
        await self.transport.microphone.push_frame(frame)

    async def begins_to_speak(self) -> None:
        """The user's voice is noticed."""
        await self.hear(VADUserStartedSpeakingFrame(start_secs=0.2))

    async def says(self, text: str) -> None:
        """Speak, and fall silent."""
        await self.begins_to_speak()
        await self.hear(TranscriptionFrame(text, "", time_now_iso8601(), finalized=True))
        await self.ends()

    async def ends(self) -> None:
        """The user's voice is not noticed any more."""
        await self.hear(VADUserStoppedSpeakingFrame(stop_secs=0.2))


def sunny(**how: Any) -> OpenAI:
    """A model that has three sentences for whatever it is asked."""
    return OpenAI(keys=None, rules=[Rule("", say=ANSWER)], **how)


@asynccontextmanager
async def calling(
    monkeypatch: pytest.MonkeyPatch,
    openai: OpenAI | None = None,
    *,
    speed: float = 20.0,
    sign_within_s: float = SIGN_WITHIN_S,
    **record: Any,
) -> AsyncIterator[Call]:
    """A call with an assistant that has just greeted.

    Args:
        monkeypatch: Puts things back afterwards.
        openai: Its model; one that says that it is sunny.
        speed: How much faster than anybody could listen it speaks.
        sign_within_s: How long a model may be silent.
        record: What is not usual about the assistant.
    """
    call = Call(openai or sunny())

    def transport(connection: Any, params: TransportParams) -> Transport:
        call.transport = Transport(params, speed)
        return call.transport

    models: list[Any] = []

    class Observed(Manners):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            models.extend(self.models)

    monkeypatch.setattr(mind, "SmallWebRTCTransport", transport)
    monkeypatch.setattr(mind, "Manners", Observed)
    monkeypatch.setattr(mind, "LLMContext", lambda: call.context)
    monkeypatch.setattr(mind, "Thinking", partial(Thinking, sign_within_s=sign_within_s))
    # As `greenroom.bot.process` does it, for this process alone.
    monkeypatch.setattr(frame_processor, "FrameProcessorQueue", OrderlyQueue)
    monkeypatch.setenv("PIPECAT_SETUP_FILES", str(hooks.__file__))
    async with served(call.openai) as address:
        llm = {"service": "openai", "settings": {"model": "small", "baseUrl": address}}
        whole = {
            "name": "mary",
            "turns": TURNS,
            "firstMessage": "Hello.",
            "stt": {"service": "sphinx", "settings": {"phrases": ["yes"]}},
            "llm": llm,
            **record,
        }
        spec = SessionSpec(
            session_id="s",
            launch_id="l",
            assistant="mary",
            room=RoomSpec(name="r"),
            persistence_s=300,
            record=whole,
        )
        joined = asyncio.Event()
        call.session = context.BotSession(
            spec, report=call.take, user_present=lambda: call.present, joined=joined.set
        )
        context.enter(call.session)
        runner_args = SimpleNamespace(webrtc_connection=None)
        running = asyncio.create_task(mind.bot(cast(Any, runner_args)))
        try:
            async with asyncio.timeout(WITHIN_S):
                await joined.wait()
            await call.transport._call_event_handler("on_client_connected", None)
            await call.quiet()
            yield call
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            for model in models:
                await model._client.close()  # Pipecat leaves it open
            context.enter(None)
