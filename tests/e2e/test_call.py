"""The whole call in a real browser: hear, answer, interrupt, say goodbye, hear the farewell."""

from __future__ import annotations

import asyncio

import pytest

from greenroom.bot.deck import DECK, Card
from tests.e2e.conftest import Measured
from tests.e2e.outside import connections_elsewhere
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.speech import Listener, beginnings, speech_ms, words_of
from tests.e2e.talk import REPLY_WITHIN_S, Talk

pytestmark = pytest.mark.e2e

FIRST_SOUND_WITHIN_MS = 4000
"""A second on a machine that does nothing else; the tests share theirs with other work."""
SILENT_WITHIN_MS = 500
TURNED_WITHIN_S = 20.0
FAREWELL = "Goodbye! You got one of two right."


async def test_a_whole_call(server: Server, person: Person, measured: Measured) -> None:
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

    measured("person speaks → bot silent", await interrupt_a_repetition(talk), "ms")
    assert await talk.hear_question() == second, "“repeat” was understood"

    third = await answer_and_see(talk, second, wrong_answer(second), state="wrong")
    await person.see("score", right=1, asked=2)
    assert words_of(second.spoken) in " ".join(talk.said), "the bot said what is right"

    await person.say("skip")
    fourth = await talk.hear_question()
    assert fourth != third
    await person.see("card", question=fourth.question, state="question", number=4)
    await person.see("score", right=1, asked=2)
    assert connections_elsewhere(server.family()) == []

    await person.say("goodbye")
    farewell = await person.ears.utterance(REPLY_WITHIN_S, silence_ms=700)
    assert Listener.of(beginnings(FAREWELL)).understand(farewell.pcm) == words_of(FAREWELL)
    heard_share = farewell.duration_ms / speech_ms(FAREWELL)
    measured("farewell heard", 100 * heard_share, "% of its length")
    assert heard_share >= 0.95
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


async def interrupt_a_repetition(talk: Talk) -> float:
    """Ask for the question again and speak over it; returns how long the bot went on, in ms."""
    person, ears = talk.person, talk.person.ears
    await person.say("repeat please")
    began_ms = await ears.wait_for_speech(REPLY_WITHIN_S)
    async with asyncio.timeout(2):
        while ears.recorded_until_ms < began_ms + 250:
            await ears.more()
    said = await person.say("repeat please")
    assert ears.sound_ms_between(said.began_ms - 100, said.began_ms) > 0, "the bot was speaking"
    assert ears.sound_ms_between(said.began_ms + SILENT_WITHIN_MS, said.ended_ms) == 0
    silent_ms = await ears.silence_after(said.began_ms, REPLY_WITHIN_S, silence_ms=200)
    ears.attention_ms = said.ended_ms
    return silent_ms - said.began_ms


def wrong_answer(card: Card) -> int:
    """An answer of another card, as far away as there is one."""
    return max((other.answer for other in DECK), key=lambda answer: abs(answer - card.answer))
