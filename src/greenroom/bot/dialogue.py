"""The mind of the built-in bot: what it says and shows for what it hears; no sound, no clock."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from greenroom.bot.deck import (
    Card,
    Command,
    confirming_grammar,
    in_words,
    listening_grammar,
)
from greenroom.bot.manner import Manner
from greenroom.wire.base import WireModel
from greenroom.wire.events import AnswerData, QuestionData

SURE = 0.5
"""Confidence from which the right answer counts, and goodbye; see `sphinx.confidence_of`."""

FAIRLY_SURE = 0.2
"""Enough for anything else. The grammar leans far towards the right answer: a wrong number that
is heard all the same is wrong nearly for certain, whichever it was."""

MOST_MISSES = 3
"""So often in a row it asks about what it hears and does not understand, or not for sure.

Then it may be noise: nothing is said until something is understood, or typed, or the user is
back.
"""

PRAISE = ("Right!", "Yes!", "Correct!", "Well done!")
REGRET = ("Not quite.", "No.", "Sorry, no.")
SORRY = "Sorry?"
HELP = "Say a number, or repeat, skip, or goodbye."


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance of the user, as far as it was understood.

    Attributes:
        text: Lower-case words; empty if something was said and nothing understood.
        confidence: 0 to 1; see `SURE` and `FAIRLY_SURE`.
        typed: Whether it was typed, and so is no noise.
    """

    text: str
    confidence: float
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this. An interruptible sentence stops when the user speaks over it."""

    text: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Show:
    """Send the page an application event, shaped as `greenroom.wire.events` says."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Farewell:
    """Speak this to its end, whoever speaks over it, then end the session."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function of one of the assistant's tools, and say what came of it."""

    name: str
    arguments: dict[str, Any]


Action = Say | Show | Farewell | Call
Doubt = TypeVar("Doubt")


class Asking(ABC, Generic[Doubt]):
    """What every dialogue does about what it does not understand, or not for sure: it asks.

    A dialogue says what an utterance leads to, and how it asks; here is counted how often.
    """

    def __init__(self) -> None:
        self._doubted: Doubt | None = None
        self._over = False
        self._misses = 0
        self._cut_off = False

    def interrupted(self) -> None:
        """The user spoke over the assistant and may not have heard the question."""
        self._cut_off = True

    @abstractmethod
    def _understand(self, heard: Heard) -> list[Action] | None:
        """The actions for an utterance; None if it was not understood.

        If it was, and not for sure, `_doubted` is what it may have been.
        """

    @abstractmethod
    def _is_it(self, doubted: Doubt) -> str:
        """Asks for the second time whether it was this; yes or no."""

    @abstractmethod
    def _ask_once_more(self, before: str) -> list[Action]:
        """The question again, with these words before it."""

    @abstractmethod
    def _help(self) -> str:
        """What can be said."""

    def _answer(self, heard: Heard) -> list[Action]:
        """What is done about an utterance; nothing once the farewell was said."""
        if self._over:
            return []
        actions = self._understand(heard)
        if actions is not None:
            self._cut_off = False
            if self._doubted is None:
                self._misses = 0
                return actions
        self._misses += 1
        if self._misses > MOST_MISSES and not heard.typed:
            return []
        return self._ask_again() if actions is None else actions

    def _ask_again(self) -> list[Action]:
        """Nothing was understood: short at first, then more and more helpful."""
        if self._doubted is not None:
            return [Say(self._is_it(self._doubted))]
        if self._misses == 1 and not self._cut_off:
            return [Say(SORRY)]
        self._cut_off = False
        return self._ask_once_more(self._help() if self._misses % 3 == 0 else SORRY)

    def _begin_anew(self) -> None:
        """Whatever was said meanwhile was lost."""
        self._doubted = None
        self._misses = 0


class Dialogue(Asking[int]):
    """Asks the cards of a deck in a shuffled order, over and over, until goodbye.

    Deterministic: the same deck, seed and utterances give the same actions.

    Args:
        deck: The cards; at least one.
        seed: Decides the order of the cards and the choice of words.
        manner: What the assistant's record says otherwise.
    """

    def __init__(self, deck: Sequence[Card], seed: int, manner: Manner | None = None) -> None:
        super().__init__()
        if not deck:
            raise ValueError("a deck has at least one card")
        self._random = random.Random(seed)  # noqa: S311 - shuffles cards, guards nothing
        self._manner = manner or Manner()
        self._cards = _without_end(deck, self._random)
        self._card = next(self._cards)
        self._number = 1
        self._right = 0
        self._asked = 0

    @property
    def grammar(self) -> str:
        """The JSGF grammar to listen with until the next action."""
        if self._doubted is not None:
            return confirming_grammar(self._card, self._manner.end_phrases)
        return listening_grammar(self._card, self._manner.end_phrases)

    def greet(self) -> list[Action]:
        """Say hello and ask the first question."""
        return [Say(f"{self._manner.first_message} {ask(self._card)}"), self._question()]

    def rejoined(self) -> list[Action]:
        """The user is back after a reload; whatever was said meanwhile was lost."""
        if self._over:
            return []
        self._begin_anew()
        return [Say(f"Welcome back. I had asked: {_decapitalised(ask(self._card))}")]

    def heard(self, heard: Heard) -> list[Action]:
        """Answer an utterance of the user.

        Args:
            heard: What was understood, perhaps nothing.

        Returns:
            What to do, in this order; nothing once the farewell was said.
        """
        return self._answer(heard)

    def _understand(self, heard: Heard) -> list[Action] | None:
        """See `Asking`: it is a command, a number, or neither."""
        match self._manner.meaning(heard.text):
            case Command() as command:
                return self._obey(command) if self._trusts(heard, command) else None
            case int(number) if number == self._doubted or self._trusts(heard, number):
                return self._judge(number)
            case int(number):
                self._doubted = number
                return [Say(f"I heard {in_words(number)}. Is that right?")]
            case _:
                return None

    def _trusts(self, heard: Heard, meant: Command | int) -> bool:
        """Whether to act on what was heard without asking back."""
        delicate = meant in (self._card.answer, Command.GOODBYE)
        return heard.confidence >= (SURE if delicate else FAIRLY_SURE)

    def _obey(self, command: Command) -> list[Action] | None:
        doubted, self._doubted = self._doubted, None
        match command:
            case Command.GOODBYE:
                self._over = True
                return [Farewell(self._farewell())]
            case Command.REPEAT:
                return [Say(ask(self._card))]
            case Command.SKIP:
                return self._next(f"{solve(self._card)}.")
            case Command.YES if doubted is not None:
                return self._judge(doubted)
            case Command.NO if doubted is not None:
                return [Say(f"Sorry. {ask(self._card)}")]
            case _:
                return None

    def _judge(self, value: int) -> list[Action]:
        """Count an answer, show it, say so, and go on."""
        card = self._card
        correct = value == card.answer
        self._doubted = None
        self._asked += 1
        self._right += correct
        answer = AnswerData(
            question=card.question,
            value=value,
            correct=correct,
            expected=card.answer,
            right=self._right,
            asked=self._asked,
        )
        if correct:
            verdict = self._random.choice(PRAISE)
        else:
            verdict = f"{self._random.choice(REGRET)} {solve(card)}."
        return [Show("app.answer", _json(answer)), *self._next(verdict)]

    def _next(self, verdict: str) -> list[Action]:
        """Say the verdict and ask the next question in one breath."""
        self._card = next(self._cards)
        self._number += 1
        return [Say(f"{verdict} {ask(self._card)}"), self._question()]

    def _is_it(self, doubted: int) -> str:
        return f"Did you say {in_words(doubted)}? Yes or no?"

    def _ask_once_more(self, before: str) -> list[Action]:
        return [Say(f"{before} {ask(self._card)}")]

    def _help(self) -> str:
        return HELP

    def _question(self) -> Show:
        question = QuestionData(question=self._card.question, number=self._number)
        return Show("app.question", _json(question))

    def _farewell(self) -> str:
        if self._manner.end_message is not None:
            return self._manner.end_message
        if not self._asked:
            return "Goodbye!"
        return f"Goodbye! You got {in_words(self._right)} of {in_words(self._asked)} right."


def ask(card: Card) -> str:
    """The question as it is spoken."""
    return f"What is {card.spoken}?"


def time_left(ends_in_s: float) -> str:
    """How long the conversation may still go on, as one says it: in minutes, then in seconds."""
    if ends_in_s >= 45:
        minutes = max(1, round(ends_in_s / 60))
        return f"We have {in_words(minutes)} minute{'s' if minutes > 1 else ''} left."
    if ends_in_s >= 5:
        return f"We have {in_words(5 * round(ends_in_s / 5))} seconds left."
    return "We have only a moment left."


def solve(card: Card) -> str:
    """The card with its answer as it is spoken, without a full stop."""
    return f"{card.spoken.capitalize()} is {in_words(card.answer)}"


def sentences(deck: Sequence[Card]) -> list[str]:
    """Every sentence that is said with these cards often enough to be synthesised beforehand."""
    fixed = ["Hello!", "Sorry?", "Goodbye!", HELP, *PRAISE, *REGRET]
    return fixed + [ask(card) for card in deck] + [f"{solve(card)}." for card in deck]


def _without_end(deck: Sequence[Card], order: random.Random) -> Iterator[Card]:
    """The cards shuffled, round after round, never the same card twice in a row."""
    last: Card | None = None
    while True:
        cards = order.sample(deck, len(deck))
        if cards[0] == last and len(cards) > 1:
            cards.append(cards.pop(0))
        yield from cards
        last = cards[-1]


def _decapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _json(data: WireModel) -> dict[str, Any]:
    return data.model_dump(mode="json", by_alias=True)
