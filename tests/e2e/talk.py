"""A talk with the built-in bot: understands what it says by ear alone, and answers aloud."""

from __future__ import annotations

import re

from greenroom.bot.deck import DECK, Card, in_words
from greenroom.bot.dialogue import HELP, PRAISE, REGRET, solve
from tests.e2e.person import Person
from tests.e2e.speech import Listener, any_of, words_of

# The bot answers within a second of the last word; the rest is room for a busy machine.
REPLY_WITHIN_S = 10.0
_MOST_TRIES = 4

_RULES = {
    "card": any_of(card.spoken for card in DECK),
    "number": any_of(in_words(number) for number in range(145)),
    "verdict": any_of([*PRAISE, *REGRET]),
    "solved": any_of(solve(card) for card in DECK),
    "question": "what is <card>",
    # Sentences come with a pause between them, so that each may be heard alone.
    "said": "[hello | <verdict>] [<solved>] <question> | hello | [<verdict>] <solved> | <verdict>"
    " | welcome back [i had asked [<question>]] | i had asked <question>"
    " | i heard <number> [is that right] | is that right"
    " | did you say <number> [yes or no] | yes or no"
    f" | sorry [<question>] | {words_of(HELP)} [<question>]",
}
_QUESTION = re.compile(r"what is ([a-z ]+ times [a-z ]+)$")
_DOUBT = re.compile(r"^(i heard|did you say) ")
_MISS = re.compile(r"^(sorry$|sorry what|say a number)")


class Talk:
    """One person and the bot. ``said``: what the bot was heard to say, in its order."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.said: list[str] = []
        self._listener = Listener(_RULES)

    async def hear(self) -> str:
        """The next thing the bot says, as words."""
        utterance = await self.person.ears.utterance(REPLY_WITHIN_S)
        self.said.append(self._listener.understand(utterance.pcm))
        return self.said[-1]

    async def hear_question(self) -> Card:
        """Listen until the bot has asked a question; returns the card it asked for."""
        while True:
            found = _QUESTION.search(await self.hear())
            if found:
                return next(card for card in DECK if card.spoken == found[1])

    async def answer(self, number: int) -> Card:
        """Say a number, confirm it when the bot is in doubt, and hear the next question."""
        for _ in range(_MOST_TRIES):
            await self.person.say(in_words(number))
            text = await self.hear()
            if _DOUBT.match(text):
                await self.person.say("yes" if in_words(number) in text else "no")
                text = await self.hear()
            if not _MISS.match(text):
                found = _QUESTION.search(text)
                if found is None:
                    return await self.hear_question()
                return next(card for card in DECK if card.spoken == found[1])
        raise AssertionError(f"{number} was not understood: {self.said}")
