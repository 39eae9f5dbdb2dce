"""What `greenroom.bot.attach` gives a Pipecat bot: it obeys the page, and says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    InterruptionFrame,
    LLMMessagesAppendFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import TTSSettings
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.utils.time import time_now_iso8601

from greenroom.bot.context import BotSession, ReturnHandler, current
from greenroom.bot.farewell import (
    LAST_WORDS,
    Failure,
    FarewellEndFrame,
    leave,
    until_heard,
)
from greenroom.bot.gate import CLOSING_SILENCE_S, FAR_CLOSING_SILENCE_S, Shutter, guard, hush
from greenroom.bot.observe import TYPED
from greenroom.bot.parts import message, parts_of
from greenroom.bot.vapi import caller
from greenroom.wire.link import BotLevel, CommandKind

_NO_CALL = "this session is no VAPI call, so there is no server that has tools"

WarningHandler = Callable[[float], Awaitable[None]]
AdjustHandler = Callable[[dict[str, Any]], Awaitable[None]]

# An answer that was interrupted is to be in the context before what the user typed.
INTERRUPTED_WITHIN_S = 1.0


class Attached(ABC):
    """What an attached bot may do beside obeying."""

    @abstractmethod
    def goodbye(self, text: str, failure: Failure | None = None) -> asyncio.Task[bool]:
        """Say a farewell, wait until it was heard to its end, and end the session.

        It begins at once, awaited or not. Await it wherever the pipeline is not kept waiting
        by that: in a tool or an event handler, but not in a processor's ``process_frame``.

        Args:
            text: What to say. It cannot be interrupted. Nothing is listened to any more. Empty
                if what is being said already is the farewell.
            failure: Why the bot cannot go on, if that is why it goes: the session has failed then
                (``bot_crashed``), and did not end by a goodbye.

        Returns:
            A task with whether somebody heard it to its end. A second call gets the same task.
        """

    @abstractmethod
    def on_return(self, handler: ReturnHandler) -> ReturnHandler:
        """Have `handler` awaited when a page is back, after a reload for example.

        Without one the bot says nothing, and goes on where it was. Works as a decorator.
        """

    @abstractmethod
    def on_warning(self, handler: WarningHandler) -> WarningHandler:
        """Have `handler` awaited with the seconds that are left when the hard limit is near.

        Again when a page comes back, or a pause ends, after that. Without one the bot says
        nothing; the page is told in any case. Works as a decorator.
        """

    @abstractmethod
    def on_adjust(self, handler: AdjustHandler) -> AdjustHandler:
        """Have `handler` awaited when the assistant is to be another from now on.

        With what changes: ``persona``, ``personality`` and ``voice``, as in its record; the whole
        record is ``current().spec.record``. Without a handler a bot with a language model is told
        the first two as a message, and its voice service a voice's new name. Works as a decorator.
        """

    @abstractmethod
    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """Have the customer's server of a VAPI call do something, and wait for what it answers.

        Args:
            name: The tool's name, as that server knows it.
            arguments: JSON values only.

        Raises:
            ToolFailed: It failed, did not answer in fifteen seconds, or there is no such server.
            RuntimeError: This is no VAPI call.
        """


class Inside(Attached):
    """A bot that Greenroom started."""

    def __init__(self, session: BotSession, worker: PipelineWorker) -> None:
        self._session = session
        self._worker = worker
        self._shutter = Shutter(_silence_for(worker))
        self._farewell: asyncio.Task[bool] | None = None
        self._leaving: asyncio.Task[None] | None = None
        for part in parts_of(worker.pipeline):
            if isinstance(part, BaseInputTransport):
                guard(part, self._shutter)
            elif isinstance(part, BaseOutputTransport):
                hush(part, lambda: session.paused or session.hushed)
        self._close("mute", session.muted)
        self._close("pause", session.paused)
        session.on_command(CommandKind.MUTE, self._mute)
        session.on_command(CommandKind.PAUSE, self._pause)
        session.on_command(CommandKind.SAY, self._say)
        session.on_command(CommandKind.MESSAGE, self._read)
        self._adjusting: AdjustHandler | None = None
        if self._has_mind:
            session.on_command(CommandKind.CONTEXT, self._know)
            session.on_command(CommandKind.ADJUST, self._adjust)
        session.on_parting(self._say_last)
        self._caller = caller(session, worker, self)

    def goodbye(self, text: str, failure: Failure | None = None) -> asyncio.Task[bool]:
        """See `Attached.goodbye`."""
        if self._farewell is None:
            self._farewell = asyncio.create_task(self._part(text, failure))
        return self._farewell

    def on_return(self, handler: ReturnHandler) -> ReturnHandler:
        """See `Attached.on_return`."""
        self._session.on_return(handler)
        return handler

    def on_warning(self, handler: WarningHandler) -> WarningHandler:
        """See `Attached.on_warning`."""

        async def warn(data: dict[str, Any]) -> None:
            await handler(float(data["ends_in_s"]))

        self._session.on_command(CommandKind.WARNING, warn)
        return handler

    def on_adjust(self, handler: AdjustHandler) -> AdjustHandler:
        """See `Attached.on_adjust`."""
        self._adjusting = handler
        return handler

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """See `Attached.call_tool`."""
        if self._caller is None:
            raise RuntimeError(_NO_CALL)
        return await self._caller.call_tool(name, arguments)

    # ---- what Greenroom tells the bot

    async def _mute(self, data: dict[str, Any]) -> None:
        self._close("mute", data["muted"])

    async def _pause(self, data: dict[str, Any]) -> None:
        self._close("pause", data["paused"])
        if data["paused"]:
            await self._worker.queue_frame(InterruptionFrame())

    async def _say(self, data: dict[str, Any]) -> None:
        if self._session.paused or self._farewell is not None:
            return
        if data.get("interrupt"):
            await self._worker.queue_frame(InterruptionFrame())
        await self._worker.queue_frame(TTSSpeakFrame(data["text"]))

    async def _know(self, data: dict[str, Any]) -> None:
        """What it is to know from now on; a page's word is its user's, and no more."""
        told = message("user" if data.get("by") == "page" else "developer", data["text"])
        await self._worker.queue_frame(LLMMessagesAppendFrame([told], run_llm=False))

    async def _adjust(self, data: dict[str, Any]) -> None:
        """Be another: as the bot says how, or else as far as any bot with a model can."""
        if self._adjusting is not None:
            await self._adjusting(data)
            return
        told = [data[name] for name in ("persona", "personality") if data.get(name)]
        if told:
            text = "From now on, be like this instead:\n\n" + "\n\n".join(told)
            change = LLMMessagesAppendFrame([message("developer", text)], run_llm=False)
            await self._worker.queue_frame(change)
        name = (data.get("voice") or {}).get("name")
        if name:
            await self._worker.queue_frame(TTSUpdateSettingsFrame(delta=TTSSettings(voice=name)))

    async def _read(self, data: dict[str, Any]) -> None:
        """What was typed is a turn of the user's: it interrupts, and is answered at once."""
        if self._session.paused or self._farewell is not None:
            return
        if self._has_mind:
            if not await self._interrupt():
                # It came before an answer that was asked for just before it: two messages at once.
                await self._interrupt()
            await self._worker.queue_frame(
                LLMMessagesAppendFrame([message("user", data["text"])], run_llm=True)
            )
        else:
            await self._worker.queue_frame(InterruptionFrame())
            heard = TranscriptionFrame(data["text"], "user", time_now_iso8601(), finalized=True)
            heard.metadata[TYPED] = True
            await self._worker.queue_frame(heard)

    async def _interrupt(self) -> bool:
        """Whether nothing more came out of the pipeline in good time."""
        await self._worker.queue_frame(InterruptionFrame())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(INTERRUPTED_WITHIN_S):
                return await self._worker.flush_pipeline()
        return False

    @property
    def _has_mind(self) -> bool:
        return any(isinstance(part, LLMUserAggregator) for part in parts_of(self._worker.pipeline))

    def _close(self, cause: str, closed: bool) -> None:
        (self._shutter.close_for if closed else self._shutter.open_for)(cause)

    # ---- goodbye

    async def _say_last(self, reason: str) -> None:
        """Greenroom ends the session: say why, unless goodbye is being said already."""
        if self._farewell is not None:
            await asyncio.shield(self._farewell)
        elif reason in LAST_WORDS:
            await self._worker.queue_frame(InterruptionFrame())
            await self._speak_to_the_end(LAST_WORDS[reason])

    async def _part(self, text: str, failure: Failure | None) -> bool:
        heard = await self._speak_to_the_end(text)
        self._leaving = asyncio.create_task(
            leave(self._session, self._worker, heard=heard, failure=failure)
        )
        return heard

    async def _speak_to_the_end(self, text: str) -> bool:
        """Whether somebody heard it. Nothing is listened to any more."""
        self._shutter.close_for("goodbye")
        watch = _Watch()
        self._worker.add_observer(watch)
        if text:
            words = TTSSpeakFrame(text)
            # As an argument it would raise, and the words would be lost.
            words.interruptible = False
            await self._worker.queue_frame(words)
        await self._worker.queue_frame(FarewellEndFrame())
        there = await until_heard(self._session, watch.played, text)
        sounded = watch.sounded or not text
        return there and sounded and not self._session.paused


class Outside(Attached):
    """A bot that somebody else started: nobody tells it anything."""

    def __init__(self, worker: PipelineWorker) -> None:
        self._worker = worker
        self._farewell: asyncio.Task[bool] | None = None

    def goodbye(self, text: str, failure: Failure | None = None) -> asyncio.Task[bool]:
        """Say it, and end the pipeline as Pipecat does; whether it was heard is not known."""
        if self._farewell is None:
            self._farewell = asyncio.create_task(self._part(text))
        return self._farewell

    def on_return(self, handler: ReturnHandler) -> ReturnHandler:
        """Nobody returns."""
        return handler

    def on_warning(self, handler: WarningHandler) -> WarningHandler:
        """Nobody limits the session."""
        return handler

    def on_adjust(self, handler: AdjustHandler) -> AdjustHandler:
        """Nobody adjusts anything."""
        return handler

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """Nobody is called."""
        raise RuntimeError(_NO_CALL)

    async def _part(self, text: str) -> bool:
        if text:
            await self._worker.queue_frame(TTSSpeakFrame(text))
        await self._worker.stop_when_done()
        return False


def attach(worker: PipelineWorker) -> Attached:
    """See `greenroom.bot.attach`."""
    try:
        session = current()
    except RuntimeError:
        logger.info("Greenroom did not start this bot: attach() changes nothing")
        return Outside(worker)
    session.rise_to(BotLevel.ATTACHED)
    return Inside(session, worker)


class _Watch(BaseObserver):
    """Sees that the farewell makes a sound, and that its end passes the output."""

    def __init__(self) -> None:
        super().__init__()
        self.sounded = False
        self.played = asyncio.Event()

    async def on_push_frame(self, data: FramePushed) -> None:
        """Look at one push of a frame."""
        if isinstance(data.frame, TTSAudioRawFrame):
            self.sounded = True
        elif isinstance(data.frame, FarewellEndFrame) and _is_output(data.source):
            self.played.set()


def _silence_for(worker: PipelineWorker) -> float:
    """How much silence a detector needs to notice that the user was cut off, wherever it is."""
    models = (part for part in parts_of(worker.pipeline) if isinstance(part, LLMService))
    far = any(model.service_metadata_frame().is_realtime_service for model in models)
    return FAR_CLOSING_SILENCE_S if far else CLOSING_SILENCE_S


def _is_output(processor: FrameProcessor) -> bool:
    return isinstance(processor, BaseOutputTransport)
