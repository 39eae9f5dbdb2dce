"""Whoever is ended by Greenroom for a reason that is worth a word says it, in time, and goes."""

from __future__ import annotations

import time

import pytest
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker

from greenroom.bot import attach, context
from greenroom.bot.farewell import LAST_WORDS
from greenroom.session.ending import LAST_WORDS_MARGIN_S, SPOKEN_REASONS
from greenroom.session.model import Limits
from greenroom.wire.link import CommandKind, ReportKind
from greenroom.wire.process import ExitCode
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.speech import spoken
from tests.bot.test_attached import Collector, running
from tests.bot.test_cards import Call, call
from tests.bot.test_observe import Told, session, told

__all__ = ["call", "session", "told"]

# As the lifecycle grants it with the limits that nobody changed.
WITHIN_S = Limits().ending_s - Limits().term_s - LAST_WORDS_MARGIN_S


def test_for_every_reason_that_is_told_there_are_words() -> None:
    assert LAST_WORDS.keys() == SPOKEN_REASONS


async def test_the_built_in_assistant_says_why_it_has_to_go(call: Call) -> None:
    """It is cut off in its question, does not listen any more, is heard to the end, and is gone."""
    await call.question()
    began_s = time.monotonic()
    data = {"reason": "budget", "within_s": WITHIN_S}
    await call.greenroom.command(CommandKind.END, data)
    said = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["text"] in LAST_WORDS["budget"], within_s=3
    )
    call.page.say(spoken("repeat please"))
    stopped = await call.bot_is(speaking=False, after=said.seq)
    assert stopped.data["interrupted"] is False
    assert await call.process.exit_code(within_s=5.0) == ExitCode.OK
    assert 1.0 < time.monotonic() - began_s < WITHIN_S
    assert "".join(LAST_WORDS["budget"].split()) in "".join(
        "".join(call.texts("assistant")).split()
    )
    assert call.of(ReportKind.FAREWELL) == [], "it was not the user who said goodbye"


async def test_asked_again_it_goes_at_once(call: Call) -> None:
    await call.question()
    data = {"reason": "budget", "within_s": WITHIN_S}
    await call.greenroom.command(CommandKind.END, data)
    await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["text"] in LAST_WORDS["budget"], within_s=3
    )
    again_s = time.monotonic()
    await call.greenroom.command(CommandKind.END, {"reason": "user"})
    assert await call.process.exit_code(within_s=5.0) == ExitCode.OK
    assert time.monotonic() - again_s < 2.0


async def test_a_bot_that_has_no_words_goes_at_once(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start("tests.bot.bots.tone")
    await greenroom.linked()
    await open_page().connect()
    await greenroom.report(ReportKind.BOT_JOINED)
    began_s = time.monotonic()
    await greenroom.command(CommandKind.END, {"reason": "budget", "within_s": WITHIN_S})
    assert await process.exit_code(within_s=5.0) == ExitCode.OK
    assert time.monotonic() - began_s < 2.0


@pytest.mark.parametrize(("reason", "words"), [("budget", [LAST_WORDS["budget"]]), ("idle", [])])
async def test_an_attached_bot_says_it_with_its_own_voice(
    session: context.BotSession,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    words: list[str],
) -> None:
    monkeypatch.setattr("greenroom.bot.farewell.PLAYOUT_S", 0.0)
    collector = Collector()
    worker = PipelineWorker(Pipeline([collector]), cancel_on_idle_timeout=False)
    attach(worker)
    monkeypatch.setattr("greenroom.bot.farewell.FAREWELL_WITHIN_S", 0.1)
    monkeypatch.setattr("greenroom.bot.farewell.SLOW_CHARACTERS_PER_S", 1000.0)
    async with running(worker):
        await session.part(reason)
    spoken_frames = [frame for frame in collector.frames if isinstance(frame, TTSSpeakFrame)]
    assert [frame.text for frame in spoken_frames] == words
    assert not any(frame.interruptible for frame in spoken_frames)
    assert told == [] or ReportKind.FAREWELL.value not in [kind for kind, _ in told]
