"""What comes in the midst of an answer: a pause, a page that goes, a warning, silence, a word."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.frames.frames import TranscriptionFrame

from greenroom.testing.openai import Fault, OpenAI, Rule, served
from greenroom.testing.openai.replies import Calling, Reply
from greenroom.wire.link import CommandKind, ReportKind
from tests.bot.mind_in_process import ANSWER, Call, calling, sunny

NOTES = [{"name": "notes"}]
MILK = {"title": "milk"}
ARE_YOU_THERE = {"afterS": 0.3, "messages": ["Are you there?"], "most": 5}


def called(call: Call, times: int) -> list[Any]:
    """What the model was told of its tools when it was asked for this time."""
    messages = call.openai.asked[times - 1].messages
    return [message["content"] for message in messages if message["role"] == "tool"]


async def test_who_pauses_while_it_thinks_is_answered_when_they_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch) as call:
        call.openai.order(Fault(None))
        await call.types("what is the weather")
        await call.asked(1)
        await call.command(CommandKind.PAUSE, paused=True)
        await call.command(CommandKind.PAUSE, paused=False)
        await call.hears("It is sunny today.")
        assert call.openai.asked[1].messages[-1]["content"] == "what is the weather"


async def test_who_pauses_before_their_turn_is_over_is_not_answered_into_the_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch) as call:
        await call.begins_to_speak()
        await call.hear(TranscriptionFrame("what is the weather", "", "", finalized=True))
        await call.command(CommandKind.PAUSE, paused=True)
        await call.ends()
        await call.until(lambda: (ReportKind.USER_SPEECH, {"speaking": False}) in call.told)
        await asyncio.sleep(0.2)  # it is not asked
        assert call.openai.asked == []
        await call.command(CommandKind.PAUSE, paused=False)
        await call.hears("tomorrow")
        await call.quiet()
        # It was owed once.
        await call.command(CommandKind.PAUSE, paused=True)
        await call.command(CommandKind.PAUSE, paused=False)
        await call.types("and then")
        asked = await call.asked(2)
        assert asked.messages[-2]["content"] == ANSWER


async def test_a_tool_is_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async with calling(monkeypatch, tools=NOTES, idlePrompts=ARE_YOU_THERE) as call:
        await call.hears("Are you there?")
        call.openai.call("search_notes")
        await call.types("find my notes")
        await call.uses_a_tool()
        await call.quiet()
        before = call.said
        # Three times as long as silence may last.
        await asyncio.sleep(3 * ARE_YOU_THERE["afterS"])  # type: ignore[operator]
        assert call.said == before
        await call.says("never mind")
        await call.hears("Are you there?", times=before.count("Are you there?") + 1)


async def test_nobody_is_asked_whether_they_are_there_who_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch, idlePrompts=ARE_YOU_THERE) as call:
        call.present = False
        await asyncio.sleep(3 * ARE_YOU_THERE["afterS"])  # type: ignore[operator]
        assert "Are you there?" not in call.said
        call.present = True
        await call.hears("Are you there?")


async def test_near_the_hard_limit_an_answer_is_not_given_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch, sunny(first_token_s=0.3)) as call:
        await call.types("what is the weather")
        await call.asked(1)
        await call.command(CommandKind.WARNING, ends_in_s=60)
        await call.hears("tomorrow")
        await call.quiet()
        await call.types("and then")
        asked = await call.asked(2)
        assert asked.messages[-2]["content"] == ANSWER
        assert "ends in 60 seconds" in str(asked.messages)


async def test_what_was_said_to_nobody_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    openai = OpenAI(
        keys=None,
        rules=[Rule("have not heard", say="Back? Sunny."), Rule("", say=ANSWER)],
        first_token_s=0.2,
    )
    async with calling(monkeypatch, openai) as call:
        await call.types("what is the weather")
        await call.asked(1)
        call.present = False
        await call.hears("tomorrow")
        await call.quiet()
        call.present = True
        await call.session.returned()
        await call.hears("Sunny.")
        assert call.openai.asked[1].messages[-2]["content"] == ANSWER
        await call.quiet()
        # And not again and again: this was heard.
        await call.session.returned()
        await call.types("thank you")
        await call.asked(3)
        assert len(call.said) - call.said.index("Sunny.") - 1 == 0


async def test_a_tool_that_is_cut_off_before_it_is_told_of_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch, speed=1.0, tools=NOTES) as call:
        words = "Let me look that up for you."
        call.openai.script.append(Reply(words, (Calling("search_notes"),)))
        await call.types("find my notes")
        await call.hears("Let me look")
        await call.uses_a_tool()
        await call.until(lambda: call.speaks)
        await call.types("and quickly")
        await call.hears("It is sunny today.")
        await call.types("well")
        await call.asked(3)
        assert ["call this function again" in told for told in called(call, 3)] == [True]


async def test_another_model_goes_on_where_the_first_broke_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openai, second = sunny(), OpenAI(keys=None, rules=[Rule("", say="And warm.")])
    settings = {"model": "small"}
    async with served(openai) as first, served(second) as other:
        llm = {
            "service": "openai",
            "settings": {**settings, "baseUrl": first},
            "fallbacks": [{"service": "openai", "settings": {**settings, "baseUrl": other}}],
        }
        async with calling(monkeypatch, openai, llm=llm) as call:
            openai.order(Fault(500, after_tokens=6))
            await call.types("what is the weather")
            await call.hears("And warm.")
            told = second.asked[0].messages
            assert told[-2]["content"] == "It is sunny today. Very sunny"
            assert "broke off" in told[-1]["content"]


async def test_who_pauses_into_its_words_hears_the_rest_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openai = OpenAI(keys=None, rules=[Rule("paused", say="As I said."), Rule("", say=ANSWER)])
    async with calling(monkeypatch, openai, speed=2.0) as call:
        await call.types("what is the weather")
        await call.hears("Very sunny")
        await call.command(CommandKind.PAUSE, paused=True)
        await call.quiet()
        await call.command(CommandKind.PAUSE, paused=False)
        await call.hears("As I said.")
        assert openai.asked[1].messages[-2]["content"] == "It is sunny today."


@pytest.mark.parametrize("tools", [[], NOTES])
async def test_what_is_said_over_its_thinking_does_not_cost_the_answer(
    monkeypatch: pytest.MonkeyPatch, tools: list[dict[str, str]]
) -> None:
    async with calling(monkeypatch, tools=tools) as call:
        if tools:
            call.openai.call("search_notes")
        else:
            call.openai.order(Fault(None))
        await call.types("what is the weather")
        await (call.uses_a_tool() if tools else call.asked(1))
        await call.command(CommandKind.SAY, text="The bell rings.", interrupt=True)
        await call.hears("It is sunny today.")
        assert call.said[1] == "The bell rings."


async def test_the_second_of_two_messages_at_once_interrupts_the_answer_to_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch, speed=1.0) as call:
        await call.types("what is the weather")
        await call.types("and in Rome")
        await call.hears("It is sunny today.", times=2)
        assert ANSWER not in str(call.openai.asked[1].messages)
        assert "Very sunny indeed." not in call.said[:-1]


async def test_line_ends_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with calling(monkeypatch) as call:
        call.openai.say("\n\n")
        await call.types("what is the weather")
        await call.hears("It is sunny today.")


async def test_who_types_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with calling(monkeypatch, idlePrompts={**ARE_YOU_THERE, "most": 1}) as call:
        await call.hears("Are you there?")
        await call.types("yes")
        await call.hears("Are you there?", times=2)


async def test_who_speaks_into_a_tool_does_not_have_it_used_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whatever it is told but a result, it does it again.
    rules = [Rule("n1", say="I have noted it."), Rule("", call="create_note", arguments=MILK)]
    async with calling(monkeypatch, OpenAI(keys=None, rules=rules), tools=NOTES) as call:
        await call.types("note milk")
        await call.uses_a_tool()
        await call.asked(1)
        await call.until(lambda: call.context_has("IN_PROGRESS"))
        await call.begins_to_speak()
        await call.until(lambda: call.context_has("call this function again"))
        await call.says("hello")
        await call.asked(2)
        answer = {"toolCallId": call.tool_calls[0], "by": "server", "result": {"id": "n1"}}
        await call.command(CommandKind.TOOL_RESULTS, results=[answer])
        await call.hears("I have noted it.")
        assert len(call.tool_calls) == 1


async def test_what_a_tool_has_come_to_is_not_told_into_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with calling(monkeypatch, speed=1.0, tools=NOTES) as call:
        words = "Let me look that up for you."
        call.openai.script.append(Reply(words, (Calling("search_notes"),)))
        await call.types("find my notes")
        await call.uses_a_tool()
        await call.until(lambda: call.speaks)
        # It waits until these words are said, and a pause ends them.
        answer = {"toolCallId": call.tool_calls[0], "by": "server", "result": ["milk"]}
        await call.command(CommandKind.TOOL_RESULTS, results=[answer])
        await asyncio.sleep(0.1)
        await call.command(CommandKind.PAUSE, paused=True)
        await call.until(lambda: call.context_has("milk"))
        await asyncio.sleep(0.2)  # it is not asked
        assert len(call.openai.asked) == 1
        await call.command(CommandKind.PAUSE, paused=False)
        await call.hears("It is sunny today.")


async def test_a_pause_ends_the_words_of_who_may_not_be_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = {"detection": "silence", "silenceS": 0.2, "interruptible": False}
    async with calling(monkeypatch, speed=2.0, turns=turns) as call:
        await call.types("what is the weather")
        await call.hears("Very sunny")
        await call.command(CommandKind.PAUSE, paused=True)
        await call.until(lambda: call.context_has("It is sunny today."), within_s=1.0)
        assert not call.context_has("And it will be so")
