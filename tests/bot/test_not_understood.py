"""What an assistant with a mind does when its ears have heard something and understood nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from greenroom.bot.turns import ANSWER_NOW, ASK_AGAIN
from greenroom.wire.link import ReportKind
from tests.bot.test_mind import openai, talk

__all__ = ["openai", "talk"]

# None of the phrases that the ears of `talk` listen for.
MUMBLED = "the quick brown fox jumps over it"


async def test_it_is_asked_about_at_once_and_once(talk: Any) -> None:
    call = await talk()
    greeted = await call.hears("Hello, this is Mary.")
    await call.quiet(greeted.seq)
    await call.says(MUMBLED)
    mumbled_s = time.monotonic()
    answered = await call.hears("It is sunny today.", after=greeted.seq)
    # Not when Pipecat gives up a turn without words, which is after five seconds.
    assert time.monotonic() - mumbled_s < 4.0
    assert call.openai.asked[-1].messages[-1] == {"role": "developer", "content": ASK_AGAIN}
    await call.quiet(answered.seq)
    # It may be noise: it is not asked about again until something is understood.
    before = call.greenroom.last_seq
    await call.says(MUMBLED)
    await call.greenroom.report(
        ReportKind.USER_SPEECH, lambda data: not data["speaking"], after=before
    )
    await call.says("what is the weather")
    await call.hears("It is sunny today.", after=before)
    asked = [str(asked.messages[-1]["content"]) for asked in call.openai.asked]
    assert asked == [ASK_AGAIN, "what is the weather"]


async def test_a_noise_while_the_model_thinks_costs_no_answer(talk: Any) -> None:
    call = await talk()
    greeted = await call.hears("Hello, this is Mary.")
    await call.quiet(greeted.seq)
    call.openai.first_token_s = 5.0
    await call.types("what is the weather")
    async with asyncio.timeout(10):
        while not call.openai.asked:
            await asyncio.sleep(0.02)
    call.openai.first_token_s = 0.0
    await call.says("mumble")
    await call.hears("It is sunny today.", after=greeted.seq, within_s=4.0)
    assert not call.openai.asked[0].finished
    # A busy machine may hear one noise as two.
    told = call.openai.asked[-1].messages
    asked = told.index({"role": "user", "content": "what is the weather"})
    assert {str(message["content"]) for message in told[asked + 1 :]} == {ANSWER_NOW}
