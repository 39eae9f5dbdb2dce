"""The assistant's side of a VAPI call around a bot, over a double of Pipecat's Daily transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.daily.transport import DailyParams, DailyTransport

from greenroom.bot import attach, context, hooks, vapi
from greenroom.bot.attached import Attached
from greenroom.bot.vapi import ToolFailed
from greenroom.wire.link import CommandKind, ReportKind, RoomKind, RoomSpec, SessionSpec
from tests.bot.test_attached import Collector, running
from tests.vapi.transport import RoomTransport

WITHIN_S = 5.0
Told = list[tuple[str, dict[str, Any]]]


class Room:
    """A room in this process, with one page in it."""

    def __init__(self) -> None:
        self.name = ""
        self.said: list[str] = []
        self.levels: list[float] = []
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Condition()

    async def join(self, name: str) -> None:
        self.name = name

    async def leave(self) -> None:
        """Nobody is told."""

    async def say(self, message: Any) -> None:
        async with self._changed:
            self.said.append(message)
            self._changed.notify_all()

    async def loudness(self, level: float) -> None:
        self.levels.append(level)

    async def happened(self) -> list[dict[str, Any]]:
        return [await self._events.get()]

    # ---- what the page does, and waits for

    def comes(self) -> None:
        self._events.put_nowait({"joined": {"id": "page-1"}})

    def goes(self) -> None:
        self._events.put_nowait({"left": {"id": "page-1"}})

    def sends(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self._events.put_nowait({"message": text, "sender": "page-1"})

    async def until(self, holds: Callable[[list[Any]], bool]) -> list[Any]:
        """Wait until what was said is so; JSON is read."""

        def heard() -> list[Any]:
            return [text if text == "listening" else json.loads(text) for text in self.said]

        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(lambda: holds(heard()))
        return heard()


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def call() -> dict[str, Any]:
    """What the page asked for."""
    return {"assistant": {"firstMessage": "Hello Ada."}}


@pytest.fixture
def session(told: Told, call: dict[str, Any]) -> Iterator[context.BotSession]:
    room = RoomSpec(kind=RoomKind.DAILY, name="r", url="https://a.daily.co/r", token="t")
    spec = SessionSpec(
        session_id="s",
        launch_id="l",
        assistant="a",
        room=room,
        persistence_s=0,
        body={"vapi": call},
    )
    session = context.BotSession(
        spec,
        report=lambda kind, data: told.append((kind.value, data)),
        user_present=lambda: True,
        joined=lambda: None,
    )
    context.enter(session)
    yield session
    context.enter(None)


class Call:
    """A bot in a call: its room, its pipeline, and what reached the end of it."""

    def __init__(self, *parts: FrameProcessor) -> None:
        self.room = Room()
        params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        transport = RoomTransport(self.room, "Bot", params)
        self.collector = Collector()
        pipeline = Pipeline([transport.input(), *parts, self.collector, transport.output()])
        self.worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False)
        self.attached: Attached = attach(self.worker)

    async def spoken(self, text: str) -> TTSSpeakFrame:
        """Wait for words on their way to a voice."""

        def found() -> list[TTSSpeakFrame]:
            frames: list[Frame] = self.collector.frames
            return [f for f in frames if isinstance(f, TTSSpeakFrame) and f.text == text]

        async with asyncio.timeout(WITHIN_S):
            while not found():
                await asyncio.sleep(0.005)
        return found()[0]


@asynccontextmanager
async def a_call(*parts: FrameProcessor) -> AsyncIterator[Call]:
    made = Call(*parts)
    await hooks.setup_pipeline_worker(made.worker)
    async with running(made.worker):
        yield made


async def until(told: Told, kind: ReportKind) -> dict[str, Any]:
    """Wait for a report."""
    async with asyncio.timeout(WITHIN_S):
        while not (found := [data for name, data in told if name == kind.value]):
            await asyncio.sleep(0.005)
    return found[-1]


async def test_pipecats_own_transport_is_what_the_double_is_of(
    session: context.BotSession, told: Told
) -> None:
    transport = DailyTransport("https://a.daily.co/r", "t", "Bot", DailyParams())
    attach(PipelineWorker(Pipeline([transport.input(), transport.output()])))
    assert transport._client._bot_name == "Vapi Speaker"
    await transport._on_participant_joined({"id": "page-1"})
    assert await until(told, ReportKind.USER_JOINED) == {"participant": "page-1"}
    await transport._on_app_message('{"type":"end-call"}', "page-1")
    assert await until(told, ReportKind.USER_ENDED) == {}
    await transport._on_participant_left({"id": "page-1"}, "leftCall")
    assert await until(told, ReportKind.USER_LEFT) == {"participant": "page-1", "why": "left"}


async def test_a_page_is_answered_that_it_is_heard_and_greeted_once(
    session: context.BotSession, told: Told
) -> None:
    async with a_call() as call:
        call.room.comes()
        assert await until(told, ReportKind.USER_JOINED) == {"participant": "page-1"}
        assert call.room.name == "Vapi Speaker"
        call.room.sends("playable")
        heard = await call.room.until(lambda said: len(said) >= 2)
        assert heard == ["listening", {"type": "status-update", "status": "in-progress"}]
        await call.spoken("Hello Ada.")
        call.room.sends("playable")  # it came back
        await call.room.until(lambda said: said.count("listening") == 2)
        call.room.sends({"type": "control", "control": "say-first-message"})
        async with asyncio.timeout(WITHIN_S):
            while [f for f in call.collector.frames if isinstance(f, TTSSpeakFrame)][1:] == []:
                await asyncio.sleep(0.005)
        greetings = [f for f in call.collector.frames if isinstance(f, TTSSpeakFrame)]
        assert len(greetings) == 2, "once by itself, and once for the asking"
        call.room.goes()
        left = await until(told, ReportKind.USER_LEFT)
        assert left == {"participant": "page-1", "why": "left"}
    assert [name for name, _ in told].count(ReportKind.USER_JOINED.value) == 1


_WAITS = {"firstMessage": "Hi.", "firstMessageMode": "assistant-waits-for-user"}


@pytest.mark.parametrize("call", [{"assistant": _WAITS}, {"assistant": {}}])
async def test_an_assistant_that_waits_says_nothing_by_itself(
    session: context.BotSession,
) -> None:
    async with a_call() as call:
        call.room.sends("playable")
        await call.room.until(lambda said: "listening" in said)
        call.room.sends({"type": "say", "message": "Now."})
        await call.spoken("Now.")
        assert [f.text for f in call.collector.frames if isinstance(f, TTSSpeakFrame)] == ["Now."]


async def test_what_the_page_has_it_say_is_said_as_it_wants(session: context.BotSession) -> None:
    async with a_call() as call:
        call.room.sends({"type": "say", "message": "Stay.", "interruptionsEnabled": True})
        assert (await call.spoken("Stay.")).interruptible
        call.room.sends({"type": "say", "message": "Stop.", "interruptAssistantEnabled": True})
        words = await call.spoken("Stop.")
        assert not words.interruptible
        stop = await call.collector.first(InterruptionFrame)
        assert call.collector.frames.index(stop) < call.collector.frames.index(words)


async def test_said_with_an_end_it_is_the_end(session: context.BotSession, told: Told) -> None:
    async with a_call() as call:
        call.room.sends({"type": "say", "message": "Bye.", "endCallAfterSpoken": True})
        await call.spoken("Bye.")
        assert await until(told, ReportKind.APP) == {
            "type": "app.vapi.ended",
            "data": {"endedReason": "assistant-ended-call-after-message-spoken"},
        }
        await until(told, ReportKind.FAREWELL)
        await session.end("goodbye")
        ended = (await call.room.until(lambda said: said != [] and "status" in said[-1]))[-1]
        assert ended["endedReason"] == "assistant-ended-call-after-message-spoken"


async def test_an_added_message_is_answered_and_on_record(
    session: context.BotSession, told: Told
) -> None:
    async with a_call() as call:
        message = {"role": "user", "content": "orange"}
        call.room.sends({"type": "add-message", "message": message})
        heard = await call.collector.first(TranscriptionFrame)
        assert heard.text == "orange"
        assert (await until(told, ReportKind.TRANSCRIPT))["text"] == "orange"
        told_page = await call.room.until(lambda said: len(said) >= 2)
        assert [one["type"] for one in told_page] == ["transcript", "conversation-update"]
    transcripts = [data for kind, data in told if kind == ReportKind.TRANSCRIPT.value]
    assert len(transcripts) == 1, "once, although the pipeline heard it, too"


async def test_a_model_is_told_what_it_need_not_answer(session: context.BotSession) -> None:
    context_ = LLMContext()
    async with a_call(LLMContextAggregatorPair(context_).user()) as call:
        message = {"role": "system", "content": "Be brief."}
        added = {"type": "add-message", "message": message}
        call.room.sends({**added, "triggerResponseEnabled": False})
        async with asyncio.timeout(WITHIN_S):
            while not context_.get_messages():
                await asyncio.sleep(0.005)
        assert context_.get_messages() == [message]
        assert not [f for f in call.collector.frames if isinstance(f, LLMContextFrame)]


async def test_a_muted_assistant_goes_on_unheard(session: context.BotSession) -> None:
    loud = OutputAudioRawFrame(b"\x00\x40" * 8_000, 16_000, 1)
    async with a_call() as call:
        await call.worker.queue_frame(loud)
        async with asyncio.timeout(WITHIN_S):
            while not any(level > 0.1 for level in call.room.levels):
                await asyncio.sleep(0.005)
        call.room.sends({"type": "control", "control": "mute-assistant"})
        async with asyncio.timeout(WITHIN_S):
            while not session.hushed:
                await asyncio.sleep(0.005)
        heard = len(call.room.levels)
        async with asyncio.timeout(WITHIN_S):
            while len(call.room.levels) < heard + 3:
                await asyncio.sleep(0.005)
        assert not any(level > 0.01 for level in call.room.levels[heard + 1 :])
        call.room.sends({"type": "control", "control": "unmute-assistant"})
        async with asyncio.timeout(WITHIN_S):
            while session.hushed:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("call", [{"assistant": {"endCallPhrases": ["so long"]}}])
async def test_a_last_phrase_ends_the_call(session: context.BotSession, told: Told) -> None:
    async with a_call():
        words = {"role": "assistant", "text": "So long!", "final": True, "turn": 1}
        session.report(ReportKind.TRANSCRIPT, words)
        session.report(ReportKind.BOT_SPEECH, {"speaking": False, "interrupted": False})
        assert (await until(told, ReportKind.APP))["data"] == {
            "endedReason": "assistant-said-end-call-phrase"
        }
        assert await until(told, ReportKind.FAREWELL) == {"heard": True}


async def test_the_page_ends_the_call(session: context.BotSession, told: Told) -> None:
    async with a_call() as call:
        call.room.sends({"type": "end-call"})
        assert await until(told, ReportKind.USER_ENDED) == {}


async def test_an_assistant_that_keeps_its_user_waiting_is_told_of(
    session: context.BotSession, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapi, "HANGS_AFTER_S", 0.02)
    async with a_call() as call:
        session.report(ReportKind.USER_SPEECH, {"speaking": False})
        assert (await until(told, ReportKind.APP))["type"] == "app.vapi.hang"
        await call.room.until(lambda said: {"type": "hang"} in said)


async def test_a_tool_is_done_by_the_customers_server(
    session: context.BotSession, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_call() as call:
        for answer, result in (({"result": "sent"}, "sent"), ({"error": "no such user"}, None)):
            asking = asyncio.create_task(call.attached.call_tool("sendEmail", {"to": "ada"}))
            await asyncio.sleep(0)
            (wanted,) = (await until(told, ReportKind.APP))["data"]["toolCallList"]
            assert (wanted["name"], wanted["arguments"]) == ("sendEmail", {"to": "ada"})
            results = {"results": [{"toolCallId": wanted["id"], **answer}]}
            await session.carry_out(CommandKind.TOOL_RESULTS, results)
            if result is not None:
                assert await asking == result
            else:
                with pytest.raises(ToolFailed, match="no such user"):
                    await asking
        (first, *_) = await call.room.until(lambda said: len(said) >= 2)
        assert first["toolCallList"][0]["function"]["name"] == "sendEmail"
        monkeypatch.setattr(vapi, "TOOLS_WITHIN_S", 0.01)
        with pytest.raises(ToolFailed, match="in time"):
            await call.attached.call_tool("sendEmail", {})


async def test_what_means_nothing_disturbs_nobody(session: context.BotSession) -> None:
    async with a_call() as call:
        for odd in ("{", {"type": "fly"}, {"type": "say"}):
            call.room.sends(odd)
        call.room.sends("playable")
        await call.room.until(lambda said: "listening" in said)
