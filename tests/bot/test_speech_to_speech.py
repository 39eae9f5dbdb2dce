"""An assistant whose model hears and speaks by itself: OpenAI's Realtime API, in real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from greenroom.testing.openai import Fault, OpenAI, Rule, realtime_address, served
from greenroom.wire.link import CommandKind, ReportKind
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.speech import spoken
from tests.bot.test_mind import NOTES, Call, Mary, answer_tools

EXACTLY = Rule(r"(?s)exactly this[^:]*: (.+)", say=r"\1")


@pytest.fixture
async def openai() -> AsyncIterator[tuple[OpenAI, str]]:
    playing = OpenAI(keys=None, rules=[EXACTLY, Rule("", say="It is sunny today.")])
    async with served(playing) as address:
        yield playing, address


@pytest.fixture
def talk(
    openai: tuple[OpenAI, str], start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> Any:
    """Opens a call with a record; its model is the stand-in."""
    playing, address = openai
    mary = Mary(playing, start, greenroom, open_page)
    settings = {"model": "small", "baseUrl": realtime_address(address)}
    model = {"service": "openai", "settings": settings}

    async def talk(adjusted: dict[str, Any] | None = None, **record: Any) -> Call:
        whole = {"speechToSpeech": model, **record}
        return await mary.call(whole, {"userName": "Ada"}, adjusted=adjusted)

    return talk


async def _hear(call: Call, text: str, after: int = 0) -> int:
    """The user says something; it is reported as this."""
    call.openai.realtime.hears(text)
    await call.says(text)
    told = await call.greenroom.report(
        ReportKind.TRANSCRIPT, lambda data: data["role"] == "user", after=after, within_s=20.0
    )
    assert told.data["text"] == text
    return told.seq


async def test_a_whole_call(talk: Any) -> None:
    call = await talk(
        persona="You are Mary, a librarian.",
        voice={"name": "cedar", "parameters": {"speed": 1.2}},
        endPhrases=["that is all"],
        endMessage="Until next time!",
        **NOTES,
    )
    realtime = call.openai.realtime
    # The model says the first message word for word, and by name.
    greeted = await call.hears("Hello Ada, this is Mary.")
    assert await call.page.hears_sound()
    (session,) = realtime.sessions
    assert session.session["audio"]["output"]["voice"] == "cedar"
    assert session.session["audio"]["output"]["speed"] == 1.2
    assert "You are Mary, a librarian." in session.session["instructions"]
    await call.quiet(greeted.seq)

    # What is said is heard, written down, and answered; and paid for.
    heard = await _hear(call, "what is the weather")
    await call.hears("It is sunny today.", after=heard)
    units = ("audio_prompt_tokens", "audio_completion_tokens", "cached_tokens")
    for unit in units:
        usage = await call.greenroom.report(
            ReportKind.USAGE, lambda data, unit=unit: data["unit"] == unit, after=greeted.seq
        )
        assert usage.data["quantity"] > 0
    assert await call.greenroom.report(ReportKind.USER_SPEECH, lambda data: data["speaking"])

    # Speech over an answer silences it, at the model's end, too.
    call.openai.say("I could go on about that " * 8)
    heard = await _hear(call, "go on then", after=heard)
    speaking = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=heard, within_s=20.0
    )
    call.openai.call("create_note", {"title": "milk"})
    call.openai.say("I have noted it.")
    async with asyncio.TaskGroup() as group:
        group.create_task(answer_tools(call, {"id": "n1", "title": "milk"}))
        heard = await _hear(call, "make a note of milk", after=heard)
        noted = await call.hears("I have noted it.", after=heard)
    silenced = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=speaking.seq
    )
    assert silenced.data["interrupted"]
    assert any(event["type"] == "conversation.item.truncate" for event in session.events)
    role, result = realtime.asked[-1].said[-1]
    assert role == "tool"
    assert "n1" in result
    assert "create_note" in realtime.asked[-1].functions
    await call.quiet(noted.seq)

    # It ends politely by the user's words, which nobody answers.
    await _hear(call, "that is all", after=noted.seq)
    await call.hears("Until next time!")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}
    assert "sunny" not in str([r.data for r in call.greenroom.reports if r.seq > noted.seq])
    assert realtime.refused == []
    assert len(realtime.sessions) == 1


async def test_its_voice_can_be_changed_until_it_has_begun(talk: Any) -> None:
    cedar = {"name": "cedar", "parameters": {"speed": 1.2}}
    call = await talk(voice={"name": "marin"}, adjusted={"voice": cedar})
    greeted = await call.hears("Hello Ada, this is Mary.")
    (session,) = call.openai.realtime.sessions
    spoken = session.session["audio"]["output"]
    assert (spoken["voice"], spoken["speed"]) == ("cedar", 1.2)

    # The server refuses it from now on. Where it did not yet know better, nobody is left guessing.
    await call.greenroom.command(CommandKind.ADJUST, {"voice": {"name": "marin"}})
    fixed = await call.greenroom.report(ReportKind.ERROR, after=greeted.seq)
    assert (fixed.data["code"], fixed.data["fatal"]) == ("voice_fixed", False)
    await call.quiet(greeted.seq)
    await call.types("hello")
    await call.hears("It is sunny today.", after=fixed.seq)
    assert session.session["audio"]["output"]["voice"] == "cedar"
    assert call.openai.realtime.refused == []


@pytest.mark.long
async def test_it_is_told_things_is_muted_paused_and_left(talk: Any, open_page: OpenPage) -> None:
    call = await talk(persona="You are Mary.")
    realtime = call.openai.realtime
    greeted = await call.hears("Hello Ada, this is Mary.")
    await call.quiet(greeted.seq)
    command = call.greenroom.command

    # A page's word is its user's, and the server's is the application's.
    await command(CommandKind.CONTEXT, {"text": "The shop closes at six."})
    await command(CommandKind.CONTEXT, {"text": "I am in a hurry.", "by": "page"})
    await command(CommandKind.ADJUST, {"persona": "You are Tom."})
    assert len(realtime.asked) == 1
    await call.types("hello")
    answered = await call.hears("It is sunny today.")
    asked = realtime.asked[-1]
    assert ("system", "The shop closes at six.") in asked.said
    assert ("user", "I am in a hurry.") in asked.said
    assert asked.said[-1] == ("user", "hello")
    assert "You are Tom." in asked.instructions
    assert "You are Mary." not in asked.instructions
    await call.quiet(answered.seq)

    # What others want said, over what it is saying: it stops, and says it.
    call.openai.token_s = 0.5  # slower than it speaks
    call.openai.say("One two three four five six seven eight nine ten. " * 4)
    await call.types("count")
    speaking = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=answered.seq + 1, within_s=20.0
    )
    await command(CommandKind.SAY, {"text": "The bell rings.", "interrupt": True})
    rung = await call.hears("The bell rings.", after=speaking.seq)
    assert realtime.asked[-2].status == "cancelled"
    call.openai.token_s = 0.0
    await call.quiet(rung.seq)
    await command(CommandKind.WARNING, {"ends_in_s": 60})
    warned = await call.hears("It is sunny today.", after=rung.seq)
    assert "ends in 60 seconds" in realtime.asked[-1].said[-1][1]
    await call.quiet(warned.seq)

    # Muted in the midst of a word: the turn ends all the same, and nothing more is heard.
    realtime.hears("what is")
    call.page.say(spoken("what is the weather like today my dear"))
    await call.greenroom.report(
        ReportKind.USER_SPEECH, lambda data: data["speaking"], after=warned.seq, within_s=20.0
    )
    await command(CommandKind.MUTE, {"muted": True})
    muted = await call.hears("It is sunny today.", after=warned.seq)
    await call.quiet(muted.seq)
    await call.says("what is the weather")
    await command(CommandKind.MUTE, {"muted": False})
    count = len(realtime.asked)

    # Paused it is silent, and stays so until it is asked again.
    call.openai.say("I could go on about that. " * 8)
    await call.types("go on")
    await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=muted.seq + 1, within_s=20.0
    )
    await command(CommandKind.PAUSE, {"paused": True})
    await call.page.hears_silence(for_s=1.0)
    await command(CommandKind.PAUSE, {"paused": False})
    assert len(realtime.asked) == count + 1

    # A page that reloads is welcomed back, in the same session of the model's.
    await call.page.close()
    seq = call.greenroom.last_seq
    again = open_page()
    await again.connect()
    await call.hears("Welcome back, Ada.", after=seq)
    assert await again.hears_sound()
    assert len(realtime.sessions) == 1
    assert [one for one in realtime.refused if "Cancellation failed" not in one] == []


@pytest.mark.long
async def test_a_connection_that_is_lost_is_made_again(talk: Any) -> None:
    call = await talk()
    realtime = call.openai.realtime
    greeted = await call.hears("Hello Ada, this is Mary.")
    await call.quiet(greeted.seq)
    # In the midst of an answer: it goes on in a new session, which knows of the old one.
    call.openai.order(Fault(500, after_tokens=4))
    call.openai.say("One two three four five six.")
    call.openai.say("Five six.")
    await call.types("count to six")
    went_on = await call.hears("Five six.", after=greeted.seq)
    assert len(realtime.sessions) == 2
    (_, told), *_ = realtime.asked[-1].said
    assert "count to six" in told
    assert "lost for a moment" in str(realtime.asked[-1].said)
    await call.quiet(went_on.seq)
    # After an hour, while nobody speaks; and at the first try nobody answers.
    call.openai.order(Fault(503, on="connect"))
    call.openai.say("Here I am again.")
    await realtime.expire()
    again = await call.hears("Here I am again.", after=went_on.seq)
    assert len(realtime.sessions) == 3
    await call.quiet(again.seq)
    # What only this answer failed by does not cost the session; the voice in reserve says so.
    call.openai.order(Fault(429))
    await call.types("and now")
    sorry = await call.hears("I cannot think just now.", after=again.seq)
    await call.quiet(sorry.seq)
    await call.types("and now")
    answered = await call.hears("It is sunny today.", after=sorry.seq)
    assert len(realtime.sessions) == 3
    await call.quiet(answered.seq)
    # In the end it is given up, in words, and the session ends.
    call.openai.order(Fault(503, times=9, on="connect"))
    await realtime.drop()
    await call.hears("I cannot think any more.", after=answered.seq)
    assert (await call.error("model_failed")).data["fatal"]


@pytest.mark.long
async def test_a_connection_lost_while_an_answer_is_heard_costs_neither_it_nor_the_call(
    talk: Any,
) -> None:
    """Models answer faster than they speak: so this is when most connections are lost."""
    call = await talk()
    realtime = call.openai.realtime
    greeted = await call.hears("Hello Ada, this is Mary.")
    await call.quiet(greeted.seq)

    async def lost_while_heard(after: int) -> None:
        call.openai.say("I could go on about that for quite a while, you know. " * 3)
        await call.types("go on")
        await call.greenroom.report(
            ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=after, within_s=20.0
        )
        await realtime.drop()

    # It is heard to its end, however long that takes, and known to the new session.
    await lost_while_heard(greeted.seq + 1)
    call.openai.say("Here I am again.")
    again = await call.hears("Here I am again.", after=greeted.seq)
    assert len(realtime.sessions) == 2
    assert str(realtime.asked[-1].said).count("quite a while") == 3
    await call.quiet(again.seq)

    # Or it is spoken over. What is typed then is answered, too, by a model that knows of it all.
    await lost_while_heard(again.seq + 1)
    heard = await _hear(call, "what is the weather", after=again.seq)
    answered = await call.hears("It is sunny today.", after=heard)
    await call.quiet(answered.seq)
    call.openai.say("You are Ada.")
    await call.types("who am I")
    known = await call.hears("You are Ada.", after=answered.seq)
    assert "Here I am again." in str(realtime.asked[-1].said)
    assert len(realtime.sessions) == 3
    assert realtime.refused == []
    await call.quiet(known.seq)


@pytest.mark.long
@pytest.mark.parametrize("status", [401, 503])
async def test_one_that_cannot_connect_at_all_says_so(talk: Any, openai: Any, status: int) -> None:
    openai[0].order(Fault(status, times=9, on="connect"))
    call = await talk()
    await call.hears("I cannot think any more.")
    assert await call.page.hears_sound()
    assert (await call.error("model_failed")).data["fatal"]


@pytest.mark.long
async def test_a_farewell_is_said_even_if_the_model_says_nothing(talk: Any) -> None:
    call = await talk(endPhrases=["that is all"], endMessage="Until next time!", **NOTES)
    greeted = await call.hears("Hello Ada, this is Mary.")
    await call.quiet(greeted.seq)
    call.openai.order(Fault(None, times=3))
    await call.types("well, that is all")
    await call.hears("Until next time!")
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}


@pytest.mark.long
async def test_the_farewell_is_no_other_answer(talk: Any) -> None:
    """FAILURES 17: what the model was about to answer to the goodbye is not taken for its own."""
    turns = {"detection": "silence", "silenceS": 0.5}
    call = await talk(endPhrases=["that is all"], endMessage="Until next time!", turns=turns)
    greeted = await call.hears("Hello Ada, this is Mary.")
    await call.quiet(greeted.seq)
    call.openai.say("I could go on about that for quite a while, you know. " * 3)
    await call.types("go on")
    await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: data["speaking"], after=greeted.seq + 1, within_s=20.0
    )
    heard = await _hear(call, "that is all", after=greeted.seq)
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    said = await call.hears("Until next time!", after=heard)
    stopped = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=said.seq
    )
    assert farewell.seq > stopped.seq
    assert "sunny" not in str([r.data for r in call.greenroom.reports])


@pytest.mark.long
async def test_nobody_speaks_over_one_that_may_not_be_interrupted(talk: Any) -> None:
    call = await talk(
        turns={"detection": "model", "interruptible": False},
        firstMessage="I will tell you all about the weather of the last three days, in order.",
        idlePrompts={"afterS": 0.5, "messages": ["Are you still there?"], "most": 1},
        **NOTES,
    )
    await call.page.hears_sound()
    await call.says("what is the weather")
    greeted = await call.hears("in order.")
    stopped = await call.greenroom.report(
        ReportKind.BOT_SPEECH, lambda data: not data["speaking"], after=greeted.seq, within_s=20.0
    )
    assert not stopped.data["interrupted"]
    prompted = await call.hears("Are you still there?")
    (session,) = call.openai.realtime.sessions
    assert session.session["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    # By its tool the call ends, too, and the model says the last words.
    await call.quiet(prompted.seq)
    call.openai.call("end_call", {"farewell": "See you soon!"})
    await call.types("that will do")
    await call.hears("See you soon!", after=prompted.seq)
    farewell = await call.greenroom.report(ReportKind.FAREWELL, within_s=20.0)
    assert farewell.data == {"heard": True}
