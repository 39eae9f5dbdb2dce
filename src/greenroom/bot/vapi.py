"""The assistant's side of a VAPI call, around any attached bot: what the page's SDK waits for.

The words are `greenroom.wire.vapi.room`'s; this carries them, over the app-messages of whatever
transport the bot has, and carries out what the page asks for by the bot's own hooks.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from typing import Any, Protocol

from loguru import logger
from pipecat.frames.frames import (
    InterruptionFrame,
    LLMMessagesAppendFrame,
    OutputTransportMessageUrgentFrame,
    TTSSpeakFrame,
)
from pipecat.observers.base_observer import BaseObserver
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport

from greenroom.bot.context import BotSession
from greenroom.bot.daily_parts import call_themselves, listen_in, transport_of, without_rtvi
from greenroom.bot.farewell import leave
from greenroom.bot.parts import parts_of
from greenroom.wire.link import CommandKind, ReportKind
from greenroom.wire.vapi import messages as m
from greenroom.wire.vapi import room as r

# VAPI tells of an assistant that keeps its user waiting after five seconds.
HANGS_AFTER_S = 5.0
# A message that Daily does not take in this time is lost, and those behind it are not.
SEND_WITHIN_S = 2.0
# The customer's server has ten seconds; the rest is the way there and back.
TOOLS_WITHIN_S = 15.0


class ToolFailed(Exception):
    """The customer's server did not do what it was asked to; the argument says what it said."""


class SaysGoodbye(Protocol):
    """What is needed of `greenroom.bot.attached.Inside`."""

    def goodbye(self, text: str) -> asyncio.Task[bool]:
        """See `Attached.goodbye`."""
        ...


def call_in(session: BotSession) -> dict[str, Any] | None:
    """What the session's body says of its VAPI call; None: it is none."""
    call = session.spec.body.get(m.BODY_KEY)
    return call if isinstance(call, dict) else None


class Caller(BaseObserver):
    """Speaks VAPI with the page.

    Args:
        session: The session.
        worker: The bot's pipeline; it has not begun.
        attached: Says goodbye.
        call: What the session's body says of the call.
    """

    def __init__(
        self,
        session: BotSession,
        worker: PipelineWorker,
        attached: SaysGoodbye,
        call: dict[str, Any],
    ) -> None:
        super().__init__()
        self._session = session
        self._worker = worker
        self._attached = attached
        self._script = r.Script(call, time.time)
        self._letters: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._here: set[str] = set()
        self._hanging: asyncio.TimerHandle | None = None
        self._ended_as: str | None = None
        self._greeted = False
        self._tools: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._output: BaseOutputTransport | None = None
        for part in parts_of(worker.pipeline):
            self._furnish(part)
        session.overhear(self._reported)
        session.on_end(self._tell_the_end)
        session.on_command(CommandKind.TOOL_RESULTS, self._take_results)
        worker.add_observer(self)

    def _furnish(self, part: Any) -> None:
        if isinstance(part, BaseOutputTransport):
            self._output = part
            without_rtvi(part)
        elif isinstance(part, BaseInputTransport):
            listen_in(part, self._take)
            transport = transport_of(part)
            if transport is not None:
                transport.add_event_handler("on_participant_joined", self._came)
                transport.add_event_handler("on_participant_left", self._went)
        else:
            return
        call_themselves(part, m.SPEAKER)

    # ---- the pipeline

    async def on_pipeline_started(self) -> None:
        """From now on messages go out."""
        self._do(self._send())

    async def cleanup(self) -> None:
        """The pipeline is over."""
        await super().cleanup()
        self._wait_no_more()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, message: Any, sender: str) -> bool:
        """Hear what the page says; what is an object and not ours may be the bot's own matter."""
        told = r.heard(message)
        if told is not None:
            self._do(self._obey(told, sender))
        return told is not None or not isinstance(message, dict)

    def _do(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("a part of the VAPI call failed")

    async def _send(self) -> None:
        while True:
            text = await self._letters.get()
            try:
                async with asyncio.timeout(SEND_WITHIN_S):
                    if self._output is not None:
                        letter = OutputTransportMessageUrgentFrame(message=text)
                        await self._output.send_message(letter)
            except Exception as error:  # the next may arrive
                logger.warning(f"a message was not taken: {type(error).__name__}")
            finally:
                self._letters.task_done()

    def _tell(self, texts: list[str]) -> None:
        for text in texts:
            self._letters.put_nowait(text)

    # ---- who is there

    async def _came(self, transport: Any, participant: dict[str, Any]) -> None:
        self._note_that_there_is(str(participant["id"]))

    def _note_that_there_is(self, participant: str) -> None:
        if participant and participant not in self._here:
            self._here.add(participant)
            self._session.report(ReportKind.USER_JOINED, {"participant": participant})

    async def _went(self, transport: Any, participant: dict[str, Any], reason: str) -> None:
        who = str(participant["id"])
        if who in self._here:
            self._here.discard(who)
            self._session.report(ReportKind.USER_LEFT, {"participant": who, "why": "left"})

    # ---- what the bot reports

    def _reported(self, kind: ReportKind, data: dict[str, Any]) -> None:
        self._tell(self._script.reported(kind, data))
        match kind:
            case ReportKind.USER_SPEECH if not data["speaking"]:
                self._wait_for_an_answer()
            case ReportKind.USER_SPEECH:
                self._wait_no_more()
            case ReportKind.BOT_SPEECH:
                self._wait_no_more()
                if not data["speaking"] and self._script.has_parted and self._ended_as is None:
                    self._do(self._part())

    def _wait_for_an_answer(self) -> None:
        self._wait_no_more()
        loop = asyncio.get_running_loop()
        self._hanging = loop.call_later(HANGS_AFTER_S, self._hang)

    def _wait_no_more(self) -> None:
        if self._hanging is not None:
            self._hanging.cancel()
            self._hanging = None

    def _hang(self) -> None:
        self._hanging = None
        if not self._session.paused:
            self._session.report(ReportKind.APP, {"type": m.HANG, "data": {}})

    # ---- what the page asks for

    async def _obey(self, told: r.Heard, sender: str) -> None:
        match told:
            case r.Playable():
                await self._greet(sender)
            case r.Say():
                await self._say(told)
            case r.Add():
                await self._add(told)
            case r.MuteAssistant(muted):
                self._session.hushed = muted
            case r.SayFirstMessage():
                await self._say_first_message()
            case r.EndCall():
                self._session.report(ReportKind.USER_ENDED, {})

    async def _greet(self, sender: str) -> None:
        self._note_that_there_is(sender)
        self._tell([m.LISTENING, *self._script.begun()])
        greeted, self._greeted = self._greeted, True
        if self._script.speaks_first and not greeted:
            await self._say_first_message()

    async def _say_first_message(self) -> None:
        text = self._script.first_message
        if text is not None and not self._session.paused:
            await self._worker.queue_frame(TTSSpeakFrame(text))

    async def _say(self, say: r.Say) -> None:
        if self._session.paused:
            return
        if say.interrupts:
            await self._worker.queue_frame(InterruptionFrame())
        if say.ends:
            self._end_as(m.AFTER_MESSAGE)
            await asyncio.shield(self._attached.goodbye(say.text))
            return
        words = TTSSpeakFrame(say.text)
        # As an argument it would raise, and the words would be lost.
        words.interruptible = say.interruptible
        await self._worker.queue_frame(words)

    async def _add(self, added: r.Add) -> None:
        if added.role in ("user", "assistant"):
            # Nobody typed it at Greenroom, so nobody has it yet.
            data = {"role": added.role, "text": added.text, "final": True, "turn": 0}
            self._session.report(ReportKind.TRANSCRIPT, data)
        if added.role == "user" and added.answered:
            self._wait_for_an_answer()
            await self._session.carry_out(CommandKind.MESSAGE, {"text": added.text})
        elif self._has_a_model():
            message: Any = {"role": added.role, "content": added.text}
            frame = LLMMessagesAppendFrame([message], run_llm=added.answered)
            await self._worker.queue_frame(frame)
        else:
            logger.warning(f"a message of the role {added.role} needs a bot with a language model")

    def _has_a_model(self) -> bool:
        return any(isinstance(part, LLMUserAggregator) for part in parts_of(self._worker.pipeline))

    # ---- the end

    async def _part(self) -> None:
        """The assistant has said one of its last phrases: it ends the call."""
        self._end_as(m.AFTER_PHRASE)
        if self._script.end_message:
            await asyncio.shield(self._attached.goodbye(self._script.end_message))
        else:
            await leave(self._session, self._worker, heard=True)

    def _end_as(self, reason: str) -> None:
        self._ended_as = reason
        self._session.report(ReportKind.APP, {"type": m.ENDED_AS, "data": {"endedReason": reason}})

    async def _tell_the_end(self, reason: str) -> None:
        self._tell(self._script.ended(reason, self._ended_as))
        await self._letters.join()

    # ---- tools

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        """See `greenroom.bot.attached.Attached.call_tool`."""
        call_id = _new_call_id()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._tools[call_id] = answer
        call = {"id": call_id, "name": name, "arguments": arguments}
        self._session.report(
            ReportKind.APP, {"type": m.TOOL_CALLS, "data": {"toolCallList": [call]}}
        )
        try:
            async with asyncio.timeout(TOOLS_WITHIN_S):
                told = await answer
        except TimeoutError:
            raise ToolFailed("The tool did not answer in time.") from None
        finally:
            del self._tools[call_id]
        if "error" in told:
            raise ToolFailed(str(told["error"]))
        return told.get("result")

    async def _take_results(self, data: dict[str, Any]) -> None:
        for told in data["results"]:
            answer = self._tools.get(str(told["toolCallId"]))
            if answer is not None and not answer.done():
                answer.set_result(told)


def _new_call_id() -> str:
    """Letters only: what an application has taken out of people's words must leave it whole."""
    return "call_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(24))


def caller(session: BotSession, worker: PipelineWorker, attached: SaysGoodbye) -> Caller | None:
    """Whoever speaks VAPI with the page of this session; None: it is no VAPI call."""
    call = call_in(session)
    return Caller(session, worker, attached, call) if call is not None else None
