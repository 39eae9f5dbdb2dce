"""How an assistant with a mind behaves: greets, comes back, wraps up, fails and parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import structlog
from pipecat.frames.frames import (
    ErrorFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    LLMUpdateSettingsFrame,
    TTSSpeakFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings
from pipecat.services.tts_service import TTSService

from greenroom.bot.attached import Attached
from greenroom.bot.context import BotSession
from greenroom.bot.failing import was_replaced
from greenroom.bot.farewell import Failure
from greenroom.bot.owing import Owing
from greenroom.bot.own_voice import OwnVoice
from greenroom.bot.parting import GOODBYE, EndPhrases
from greenroom.bot.parts import message
from greenroom.bot.persona import greeting_of, instruction_of, name_of, welcome_back
from greenroom.bot.reconnecting import Reconnecting
from greenroom.bot.services.make import Services, respoken, revoiced
from greenroom.bot.thinking import GIVING_UP, SORRY, Thinking
from greenroom.errors import VoiceFixed
from greenroom.wire.assistants import BotRecord
from greenroom.wire.link import CommandKind, ReportKind

log = structlog.get_logger("greenroom.bot.manners")

CANNOT_HEAR = "I cannot hear you just now. You may type to me."
# A page that comes and goes is welcomed once.
WELCOME_AGAIN_AFTER_S = 30.0
_GREET = "The user is here now. Greet them in one short sentence, and let them speak."
_EMPTY = (
    "Your last answer was empty, or the arguments of the tool that it called were no JSON. Answer "
    "the user in words."
)
_GO_ON = (
    "Your last answer broke off. What is here of it was heard. Finish it, and do not begin again."
)
_MISSED = (
    "The user was away for a moment and is back. They have not heard what you said last. Welcome "
    "them back in two or three words, and say the last of it again, in short."
)
_WRAP_UP = (
    "The conversation ends in {seconds} seconds, whatever is said. Tell the user so in a few "
    "words, and bring it to an end."
)

_NO_MODEL = Failure("model_failed", "The language model does not answer.")


class Manners:
    """What the assistant does around its answers.

    Args:
        session: The session.
        record: The assistant's record, as it began.
        services: What it hears, thinks and speaks with.

    Attributes:
        own_voice: How a model that speaks by itself says what it is to say; None: a voice does.
        parting: Whether the farewell is being said.
    """

    def __init__(self, session: BotSession, record: BotRecord, services: Services) -> None:
        self._session = session
        self._record = record
        self._services = services
        self._name = name_of(session.spec.body)
        self._phrases = EndPhrases(record.end_phrases)
        self._worker: PipelineWorker | None = None
        self._thinking: Thinking | None = None
        self._attached: Attached | None = None
        self._llm = services.llm[0]
        self._met = False
        self._welcomed_s = float("-inf")
        self._user_said_something = False
        self._speaking: set[str] = set()
        self._unheard: list[str] = []
        self._missed_something = False
        self._owing = Owing(session, self._thinks, self._speaks, self._ask)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reconnecting: Reconnecting | None = None
        self.own_voice: OwnVoice | None = None
        self.parting = False

    @property
    def models(self) -> list[LLMService[Any]]:
        """Every model that may be asked."""
        return cast(list[LLMService[Any]], self._services.llm)

    def active_llm(self) -> LLMService[Any]:
        """The model that is asked at present."""
        return cast(LLMService[Any], self._llm)

    def take(
        self,
        worker: PipelineWorker,
        attach: Callable[[PipelineWorker], Attached],
        thinking: Thinking,
    ) -> None:
        """Behave in this pipeline, which has not begun. Side effect: the worker is attached."""
        self._worker = worker
        self._thinking = thinking
        # Before `attach`: what ends the conversation is not to be answered.
        self._session.on_command(CommandKind.MESSAGE, self._read)
        if self.own_voice is None:
            self._owing.look_before()
        self._attached = attached = attach(worker)
        if self.own_voice is None:
            self._owing.look_after()
        self._session.on_command(CommandKind.PAUSE, self._paused)
        self._session.overhear(self._reported)
        attached.on_return(self._returned)
        attached.on_warning(self._wrap_up)
        attached.on_adjust(self._adjust)
        for voice in self._services.tts:
            voice.add_event_handler("on_tts_request", self._requested)

        if self.own_voice is not None:
            self._reconnecting = Reconnecting(
                self.own_voice, self._prompt, self._cannot_connect, worker.flush_pipeline
            )

        async def erred(llm: LLMService[Any], frame: ErrorFrame) -> None:
            if self._reconnecting is not None and llm is self._llm:
                self._reconnecting.failed(frame)

        for model in self.models:
            thinking.listen_to(model)
            model.add_event_handler("on_error", erred)

        @worker.event_handler("on_pipeline_error")
        async def on_pipeline_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            await self._failed(frame, thinking)

    async def close(self) -> None:
        """The call is over."""
        if self._reconnecting is not None:
            await self._reconnecting.close()

    # ---- greeting

    async def meet(self) -> None:
        """The user is here for the first time: greet, or do so when the pause is over."""
        if self._met or self._session.paused:
            return
        self._met = True
        greeting = greeting_of(self._record, self._name)
        if greeting is None:
            await self._prompt(_GREET)
        else:
            await self.say(greeting)
        if self._reconnecting is not None:
            self._reconnecting.begin()

    async def say(self, text: str) -> None:
        """Say this, and remember that it was said."""
        if not self.parting:
            await self._queue(TTSSpeakFrame(text))

    def is_asked(self) -> bool:
        """Whether the model may be asked now; in a pause the question waits for its end."""
        if self.parting:
            return False
        if self._session.paused and self.own_voice is None:
            self._owing.hold()
            return False
        return True

    async def _paused(self, data: dict[str, Any]) -> None:
        assert self._thinking is not None
        if not data["paused"]:
            if self._session.user_present:
                await self.meet()
        elif not self._record.turns.interruptible and not self.parting:
            await self._thinking.interrupt()

    async def _returned(self) -> None:
        now_s = time.monotonic()
        if not self._met:
            await self.meet()
        elif self._session.paused:
            return
        elif self._missed_something:
            self._missed_something = False
            self._welcomed_s = now_s
            self._do(self._prompt_when_said(_MISSED))
        elif now_s - self._welcomed_s > WELCOME_AGAIN_AFTER_S:
            self._welcomed_s = now_s
            await self.say(welcome_back(self._name))

    # ---- the end

    def goodbye(self, text: str, failure: Failure | None = None) -> asyncio.Task[bool]:
        """Say this to its end, and end the session; see `Attached.goodbye`."""
        self.parting = True
        assert self._attached is not None
        return self._attached.goodbye(text, failure)

    def end_by_user(self) -> None:
        """The user has said that it is over."""
        if not self.parting:
            self.parting = True
            self._do(self._interrupt_and_part())

    async def _interrupt_and_part(self) -> None:
        await self._queue(InterruptionFrame())
        self.goodbye(self._record.end_message or GOODBYE)

    async def _read(self, data: dict[str, Any]) -> None:
        self._user_said_something = True
        listens = not (self._session.paused or self.parting)
        if listens and self._phrases.said_in(data["text"]):
            await self._interrupt_and_part()

    async def _wrap_up(self, ends_in_s: float) -> None:
        told = message("developer", _WRAP_UP.format(seconds=round(ends_in_s)))
        # Asked in the midst of an answer, which it does not know yet, it would give that again.
        busy = bool(self._speaking) or self._thinks()
        quiet = not (busy or self.parting or self._session.paused)
        await self._queue(LLMMessagesAppendFrame([told], run_llm=quiet))

    def _reported(self, kind: ReportKind, data: dict[str, Any]) -> None:
        match kind:
            case ReportKind.USER_SPEECH | ReportKind.BOT_SPEECH:
                (self._speaking.add if data["speaking"] else self._speaking.discard)(kind.value)
                if kind is ReportKind.BOT_SPEECH:
                    self._note_speech(data)
            case ReportKind.TRANSCRIPT if data["role"] == "user":
                self._user_said_something = True
            case ReportKind.TRANSCRIPT:
                self._assistant_said(data["text"])

    def _note_speech(self, data: dict[str, Any]) -> None:
        if data["speaking"]:
            self._unheard.clear()
        elif not (self._session.user_present or data["interrupted"]):
            self._missed_something = True

    def _assistant_said(self, text: str) -> None:
        """What ends the conversation ends it in the assistant's mouth, too, but not in prompts."""
        prompts = self._record.idle_prompts.messages if self._record.idle_prompts else []
        by_itself = self._user_said_something and text not in prompts
        if by_itself and not self.parting and self._phrases.said_in(text):
            last = self._record.end_message or ""
            self.goodbye("" if last in text else last)

    # ---- what is changed while it runs

    async def _adjust(self, data: dict[str, Any]) -> None:
        self._record = self._session.record
        if "persona" in data or "personality" in data:
            instruction = instruction_of(self._record, self._name)
            await self._queue(
                LLMUpdateSettingsFrame(
                    delta=LLMSettings(system_instruction=instruction), reach_inactive_services=True
                )
            )
        if "voice" in data:
            await (self._revoice() if self.own_voice is None else self._respeak())

    async def _revoice(self) -> None:
        voice = self._services.tts[0]
        delta = await revoiced(voice, self._record)
        if delta is not None:
            service = cast(TTSService, voice)
            await self._queue(TTSUpdateSettingsFrame(delta=delta, service=service))

    async def _respeak(self) -> None:
        """The model speaks by itself: in another voice only until it has begun."""
        model = self._services.llm[0]
        delta = None if self._met else respoken(model, self._record)
        if delta is None:
            self._report_error(VoiceFixed.code, "The assistant's voice stays as it is.")
        else:
            service = cast(LLMService[Any], model)
            await self._queue(LLMUpdateSettingsFrame(delta=delta, service=service))

    # ---- failing

    async def switched(self, failed: AIService, service: AIService) -> None:
        """One service took over from another: what was lost with it is done again."""
        self._report_error("service_fallback", was_replaced(failed))
        log.warning("service.fallback", failed=type(failed).__name__, now=type(service).__name__)
        if service in self._services.llm:
            self._llm = service
            await self._ask_again()
        elif service in self._services.tts:
            lost, self._unheard = " ".join(self._unheard), []
            if lost:
                await self._queue(TTSSpeakFrame(lost, append_to_context=False))

    async def _ask_again(self) -> None:
        assert self._thinking is not None
        if self._thinking.has_words:
            self._do(self._prompt_when_said(_GO_ON))
        else:
            await self._ask(None)

    async def cannot_think(self, hopeless: bool) -> None:
        """The model failed, and nothing took its place: say so, or end."""
        if self.parting:
            return
        if self.own_voice is not None:
            self.own_voice.lost = True
        if hopeless:
            self.goodbye(GIVING_UP, _NO_MODEL)
        else:
            await self._queue(TTSSpeakFrame(SORRY, append_to_context=False))

    async def _cannot_connect(self) -> None:
        await self.cannot_think(True)

    async def answered_nothing(self) -> None:
        """The model's answer was empty: ask once more."""
        if not self.parting:
            await self._prompt(_EMPTY)

    async def _failed(self, frame: ErrorFrame, thinking: Thinking) -> None:
        """An error that nothing has taken care of."""
        parts = _made_of(frame.processor)
        if any(part in self._services.llm for part in parts):
            reconnecting = self._reconnecting
            if reconnecting is not None and reconnecting.cares_about(frame):
                return
            await thinking.reached_the_end(frame)
        elif any(part in self._services.stt for part in parts) and not _usable(frame):
            await self.say(CANNOT_HEAR)

    async def _requested(self, voice: TTSService, context_id: str, text: str) -> None:
        self._unheard.append(text)

    # ---- helpers

    def _report_error(self, code: str, message: str) -> None:
        error = {"code": code, "message": message, "fatal": False}
        self._session.report(ReportKind.ERROR, error)

    async def _prompt(self, text: str) -> None:
        await self._queue(LLMMessagesAppendFrame([message("developer", text)], run_llm=True))

    async def _prompt_when_said(self, text: str) -> None:
        """Once the model knows what it has said; unless the user goes first, and is answered."""
        assert self._worker is not None
        await self._worker.flush_pipeline()
        user_speaks = ReportKind.USER_SPEECH.value in self._speaking
        if not (user_speaks or self._thinks() or self.parting):
            await self._prompt(text)

    async def _ask(self, told: str | None) -> None:
        await (self._queue(LLMRunFrame()) if told is None else self._prompt(told))

    def _thinks(self) -> bool:
        return self._thinking is not None and self._thinking.thinks

    def _speaks(self) -> bool:
        return ReportKind.BOT_SPEECH.value in self._speaking

    async def _queue(self, frame: Any) -> None:
        assert self._worker is not None
        await self._worker.queue_frame(frame)

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _made_of(processor: Any) -> list[Any]:
    """A processor, and, of a switcher, the services that it switches between."""
    return [processor, *getattr(processor, "services", [])]


def _usable(frame: ErrorFrame) -> bool:
    return frame.processor is None or frame.processor.is_usable
