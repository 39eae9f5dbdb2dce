"""Reports what any bot hears, says and uses, from outside its pipeline."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    TranscriptionFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData, STTUsageMetricsData, TTSUsageMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_output import BaseOutputTransport

from greenroom.bot.context import BotSession
from greenroom.bot.failing import has_failed
from greenroom.bot.usage import llm_usage
from greenroom.wire.link import ReportKind

log = structlog.get_logger("greenroom.bot.observe")

# A stop this soon after an interruption is the interruption's doing: the output drops what it
# has within a few milliseconds. Speech that may not be interrupted goes on and ends later.
INTERRUPTED_WITHIN_NS = 250_000_000
# The browser falls silent 70 to 130 ms after the output says that it stopped (measured). If the
# next sentence follows within that time, nobody hears a stop, and none is reported.
PLAYOUT_S = 0.13
# A part that fails on every frame is told of only so often; the log has the rest.
SAME_ERROR_AGAIN_AFTER_NS = 10_000_000_000
# What was used is told a moment later: the words that it was used for are waited for by somebody.
USAGE_WITHIN_S = 0.05
# In a frame's metadata: the user typed this instead of saying it.
TYPED = "greenroom.typed"
# An utterance longer than this is cut, so that a report always fits into a message.
MAX_TEXT_CHARS = 16_000

_STARTS = (UserStartedSpeakingFrame, VADUserStartedSpeakingFrame)
_STOPS = (UserStoppedSpeakingFrame, VADUserStoppedSpeakingFrame)


class Reporter(BaseObserver):
    """Turns frames into reports, each once, although observers see a frame at every hop.

    A frame counts when it is pushed for the first time. The exception is the text of what the
    bot says: it counts when the output transport lets it pass, which is when it is spoken.
    Models that speak by themselves announce no sentences: their words are gathered until they
    stop. Each utterance, of either side, is a turn of its own.
    """

    def __init__(self, session: BotSession) -> None:
        super().__init__(observe_every_push=True)
        self._session = session
        self._user_speaking = False
        self._interrupted_at_ns: int | None = None
        self._bot_stopping: asyncio.TimerHandle | None = None
        self._turn = 0
        self._announces = False
        self._own_words = ""
        self._failed_at_ns: dict[str, int] = {}
        self._used: list[dict[str, Any]] = []
        self._telling_usage: asyncio.TimerHandle | None = None

    async def cleanup(self) -> None:
        """The pipeline is over: what was used up to here is told."""
        await super().cleanup()
        self._tell_usage()

    async def on_pipeline_started(self) -> None:
        """The pipeline runs: the bot can be heard."""
        self._session.joined()

    async def on_push_frame(self, data: FramePushed) -> None:
        """Report what this push means, if anything. Upstream copies of a broadcast do not count."""
        frame = data.frame
        if isinstance(frame, AggregatedTextFrame):
            self._text_passed(frame, data)
        elif data.first_push and not _is_upstream_copy(data):
            self._seen(frame, data.timestamp)

    def _seen(self, frame: Frame, at_ns: int) -> None:
        match frame:
            case InterruptionFrame():
                self._interrupted_at_ns = at_ns
            case BotStartedSpeakingFrame():
                self._bot_started()
            case BotStoppedSpeakingFrame():
                self._bot_stopped(at_ns)
            case TranscriptionFrame() if TYPED not in frame.metadata:
                self._said("user", frame.text)
            case MetricsFrame():
                self._note_usage(frame)
            case ErrorFrame():
                self._failed(frame, at_ns)
            case _ if isinstance(frame, _STARTS):
                self._user_spoke(True)
            case _ if isinstance(frame, _STOPS):
                self._user_spoke(False)

    def _bot_started(self) -> None:
        if self._bot_stopping is not None:
            self._bot_stopping.cancel()
            self._bot_stopping = None
        else:
            self._session.report(ReportKind.BOT_SPEECH, {"speaking": True})

    def _bot_stopped(self, at_ns: int) -> None:
        own_words, self._own_words = self._own_words, ""
        self._said("assistant", own_words.strip())
        cut_at_ns = self._interrupted_at_ns
        interrupted = cut_at_ns is not None and at_ns - cut_at_ns < INTERRUPTED_WITHIN_NS
        delay_s = 0.0 if interrupted else PLAYOUT_S
        self._bot_stopping = asyncio.get_running_loop().call_later(
            delay_s, self._report_bot_stopped, interrupted
        )

    def _report_bot_stopped(self, interrupted: bool) -> None:
        self._bot_stopping = None
        data = {"speaking": False, "interrupted": interrupted}
        self._session.report(ReportKind.BOT_SPEECH, data)

    def _user_spoke(self, speaking: bool) -> None:
        # The detector and the turn strategy both announce it; whichever is first counts.
        if speaking != self._user_speaking:
            self._user_speaking = speaking
            self._session.report(ReportKind.USER_SPEECH, {"speaking": speaking})

    def _text_passed(self, frame: AggregatedTextFrame, data: FramePushed) -> None:
        """The text of an utterance passes the output just before its first sound."""
        if not isinstance(data.source, BaseOutputTransport):
            return
        if not isinstance(frame, TTSTextFrame):
            if frame.will_be_spoken:
                self._announces = True
                self._said("assistant", frame.text)
        elif not self._announces and len(self._own_words) < MAX_TEXT_CHARS:
            between = "" if frame.includes_inter_frame_spaces else " "
            self._own_words += between + frame.text

    def _said(self, role: str, text: str) -> None:
        if not text.strip():
            return
        self._turn += 1
        data = {"role": role, "text": text[:MAX_TEXT_CHARS], "final": True, "turn": self._turn}
        self._session.report(ReportKind.TRANSCRIPT, data)

    def _note_usage(self, frame: MetricsFrame) -> None:
        for item in frame.data:
            match item:
                case LLMUsageMetricsData():
                    for unit, quantity in llm_usage(item.value).items():
                        self._usage("llm", quantity, unit)
                case TTSUsageMetricsData():
                    self._usage("tts", item.value, "characters")
                case STTUsageMetricsData():
                    self._usage("stt", item.value.audio_seconds, "audio_seconds")

    def _usage(self, component: str, quantity: float | None, unit: str) -> None:
        if quantity:
            self._used.append({"component": component, "quantity": quantity, "unit": unit})
            if self._telling_usage is None:
                loop = asyncio.get_running_loop()
                self._telling_usage = loop.call_later(USAGE_WITHIN_S, self._tell_usage)

    def _tell_usage(self) -> None:
        if self._telling_usage is not None:
            self._telling_usage.cancel()
            self._telling_usage = None
        used, self._used = self._used, []
        for data in used:
            self._session.report(ReportKind.USAGE, data)

    def _failed(self, frame: ErrorFrame, at_ns: int) -> None:
        # The text of an error may quote a key or a transcript, so it is told to nobody.
        who = type(frame.processor).__name__ if frame.processor else "The pipeline"
        told_at_ns = self._failed_at_ns.get(who)
        again = told_at_ns is not None and at_ns - told_at_ns < SAME_ERROR_AGAIN_AFTER_NS
        if again and not frame.fatal:
            return
        self._failed_at_ns[who] = at_ns
        log.warning("pipeline.failed", processor=who, fatal=frame.fatal)
        message = has_failed(frame.processor)
        data = {"code": "pipeline_error", "message": message, "fatal": frame.fatal}
        self._session.report(ReportKind.ERROR, data)


def _is_upstream_copy(data: FramePushed) -> bool:
    copied = data.frame.broadcast_sibling_id is not None
    return copied and data.direction is not FrameDirection.DOWNSTREAM
