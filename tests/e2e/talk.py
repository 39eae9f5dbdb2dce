"""A talk with the built-in bot: understands what it says by ear alone, and answers aloud."""

from __future__ import annotations

import re

from greenroom.bot.deck import DECK, Card, in_words
from greenroom.bot.dialogue import HELP, PRAISE, REGRET, solve
from tests.e2e.ears import Utterance
from tests.e2e.person import Person
from tests.e2e.speech import Listener, any_of, words_of

# The bot answers within a second of the last word; the rest is room for a busy machine.
REPLY_WITHIN_S = 10.0
_ASK_AGAIN_S = 5.0
_BETWEEN_SAYINGS_MS = 700.0
"""Longer than the pause between two sentences (350 ms), also when the sound stutters."""
_MOST_TRIES = 6
_COUNTED_MS = 500.0
"""The score has changed on the page this long after the bot began to say right or wrong."""

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
    " | goodbye [you got <number> of <number> right]"
    f" | sorry [<question>] | {words_of(HELP)} [<question>]",
}
_QUESTION = re.compile(r"what is ([a-z ]+ times [a-z ]+)$")
_DOUBT = re.compile(r"i heard|is that right|did you say|yes or no")
_MISS = re.compile(r"^(sorry$|sorry what|say a number)")


class Talk:
    """One person and the bot. ``said``: what the bot was heard to say, in its order."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.said: list[str] = []
        self._listener = Listener(_RULES)

    async def hear(self) -> str:
        """The next thing the bot says, as words."""
        utterance = await self.person.ears.utterance(REPLY_WITHIN_S, _BETWEEN_SAYINGS_MS)
        self.said.append(self._listener.understand(utterance.pcm))
        return self.said[-1]

    async def hear_question(self) -> Card:
        """Listen until the bot has asked a question; ask for it again if it was not understood.

        Returns:
            The card that it asked for.
        """
        for _ in range(_MOST_TRIES):
            try:
                await self.person.ears.wait_for_speech(_ASK_AGAIN_S)
            except TimeoutError:
                await self._say("repeat please")
            if card := card_in(await self.hear()):
                return card
        raise AssertionError(f"no question was understood: {self.said}")

    async def command(self, words: str) -> Utterance:
        """Say what the bot is to obey, until it does; returns all that it says then."""
        for _ in range(_MOST_TRIES):
            await self._say(words)
            utterance = await self.person.ears.utterance(REPLY_WITHIN_S, _BETWEEN_SAYINGS_MS)
            self.said.append(self._listener.understand(utterance.pcm))
            if not _MISS.match(self.said[-1]):
                return utterance
        raise AssertionError(f"“{words}” was not understood: {self.said}")

    async def answer(self, number: int) -> Card:
        """Say a number until it counts, by ear alone, and hear the next question."""
        await self._say(in_words(number))
        for _ in range(_MOST_TRIES):
            text = await self.hear()
            if (card := card_in(text)) and not _MISS.match(text):
                return card
            await self._insist(text, number)
        raise AssertionError(f"{number} was not understood: {self.said}")

    async def give(self, number: int) -> float:
        """Say a number until it counts, as the page shows, and listen no further.

        Returns:
            When the bot began to say what it thinks of it; nothing of that is listened to yet.
        """
        asked = await self.person.read("score", "data-asked")
        await self._say(in_words(number))
        for _ in range(_MOST_TRIES):
            began_ms = await self.person.ears.wait_for_speech(REPLY_WITHIN_S)
            await self.person.ears.until(began_ms + _COUNTED_MS)
            if await self.person.read("score", "data-asked") != asked:
                return began_ms
            await self._insist(await self.hear(), number)
        raise AssertionError(f"{number} was not understood: {self.said}")

    async def _insist(self, text: str, number: int) -> None:
        """Confirm the number if the bot doubts it, say it again if the bot did not get it."""
        if _DOUBT.search(text):
            other = text.startswith(("i heard", "did you say")) and in_words(number) not in text
            await self._say("no" if other else "yes")
        elif _MISS.match(text):
            await self._say(in_words(number))

    async def _say(self, words: str) -> None:
        """Say something, again if the bot is silent, and wait until it begins to reply."""
        for _ in range(_MOST_TRIES):
            await self.person.say(words)
            try:
                await self.person.ears.wait_for_speech(_ASK_AGAIN_S)
            except TimeoutError:
                continue
            return
        raise AssertionError(f"“{words}” was not heard at all: {self.said}")


def card_in(text: str) -> Card | None:
    """The card whose question ends what was heard."""
    found = _QUESTION.search(text)
    return next((card for card in DECK if found and card.spoken == found[1]), None)
