"""The whole call in a real browser: hear, answer, interrupt, say goodbye, hear the farewell."""

from __future__ import annotations

import asyncio

import pytest

from greenroom.bot.deck import DECK, Card
from tests.e2e.figures import Measured
from tests.e2e.outside import connections_elsewhere
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.speech import Listener, beginnings, speech_ms, words_of
from tests.e2e.talk import REPLY_WITHIN_S, Talk, card_in

pytestmark = pytest.mark.e2e

FIRST_SOUND_WITHIN_MS = 4000
"""A second on a machine that does nothing else; the tests share theirs with other work."""
SILENT_WITHIN_MS = 1200
"""700 ms on a machine that does little else (half a second of it until speech counts as speech);
uninterrupted it would be three seconds."""
IN_THE_CORRECTION_MS = 1300.0
"""Behind "not quite" and the pause after it, in the middle of "six times seven is forty two"."""
TURNED_WITHIN_S = 20.0
FAREWELL = "Goodbye! You got one of two right."


async def test_a_whole_call(server: Server, person: Person, measured: Measured) -> None:
    """FAILURES 17, among others: the goodbye is heard to its end, and then the bot goes."""
    talk = Talk(person)

    clicked_ms = await person.click("talk")
    first_sound_ms = await person.ears.wait_for_speech(REPLY_WITHIN_S) - clicked_ms
    measured("click → first sound", first_sound_ms, "ms")
    assert first_sound_ms <= FIRST_SOUND_WITHIN_MS
    first = await talk.hear_question()
    await person.see("status", status="active")
    await person.see("card", question=first.question, state="question", number=1)

    second = await answer_and_see(talk, first, first.answer, state="right")
    await person.see("score", right=1, asked=1)
    await person.see("card", question=second.question, state="question", number=2)

    person.ears.attention_ms = await answer_wrong_and_interrupt(talk, second, measured)
    await person.see("score", right=1, asked=2)
    third = await talk.hear_question()
    await person.see("card", question=third.question, state="question", number=3)

    await talk.command("skip")
    fourth = card_in(talk.said[-1])
    assert fourth is not None, talk.said
    assert fourth != third
    await person.see("card", question=fourth.question, state="question", number=4)
    await person.see("score", right=1, asked=2)
    assert connections_elsewhere(server.family()) == []

    farewell = await talk.command("goodbye")
    assert Listener.of(beginnings(FAREWELL)).understand(farewell.pcm) == words_of(FAREWELL)
    heard_share = farewell.duration_ms / speech_ms(FAREWELL)
    measured("farewell heard", 100 * heard_share, "% of its length")
    assert 0.95 <= heard_share <= 1.2, "whole, and nothing else"
    await person.see("notice", code="goodbye")
    await person.see("status", status="inactive")

    assert person.requests.elsewhere(server.url) == []
    assert await person.ice_servers() == []
    await eventually(lambda: not server.bots(), 5, "the bot still lives")
    assert "Traceback" not in server.log


async def answer_and_see(talk: Talk, card: Card, number: int, *, state: str) -> Card:
    """Answer, see the card turn while the bot speaks, and hear the next question."""
    async with asyncio.TaskGroup() as group:
        group.create_task(
            talk.person.see("card", timeout_s=TURNED_WITHIN_S, question=card.question, state=state)
        )
        heard = group.create_task(talk.answer(number))
    return heard.result()


async def answer_wrong_and_interrupt(talk: Talk, card: Card, measured: Measured) -> float:
    """Answer wrong, see the card turn, and speak over the correction, which takes four seconds.

    Returns when the person was silent again: from there on the bot asks the next question anew.
    """
    person, ears = talk.person, talk.person.ears
    async with asyncio.TaskGroup() as group:
        group.create_task(
            person.see("card", timeout_s=TURNED_WITHIN_S, question=card.question, state="wrong")
        )
        began_ms = await talk.give(wrong_answer(card))
        await ears.until(began_ms + IN_THE_CORRECTION_MS)
        said = await person.say("please say that question again")
    # It falls silent and stays so for a while; its reply may come before the last word is over.
    silent_at_ms = await ears.silence_after(said.began_ms, REPLY_WITHIN_S)
    assert silent_at_ms > said.began_ms, "the bot was speaking"
    measured("person speaks → bot silent", silent_at_ms - said.began_ms, "ms")
    assert silent_at_ms - said.began_ms <= SILENT_WITHIN_MS
    return said.ended_ms


def wrong_answer(card: Card) -> int:
    """The answer of another card that is said in one or two words, as far away as there is one."""
    answers = (other.answer for other in DECK if other.answer < 100)
    return max(answers, key=lambda number: abs(number - card.answer))
