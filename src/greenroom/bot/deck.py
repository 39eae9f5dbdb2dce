"""The built-in deck of multiplications, and the JSGF grammars to listen for the answers with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from num2words import num2words  # type: ignore[import-untyped]

ALWAYS_UNDERSTOOD = range(101)
"""Listened for whatever the question is; larger numbers only where they are likely answers."""

LARGEST = 999

EXPECTED_NATS = 45.0
"""How much likelier, in nats, the right answer is taken to be than any other number.

Most answers are right. PocketSphinx mishears a quarter of all numbers if each is as likely as any;
with this a right answer is nearly never lost, and a wrong one must sound like it to pass for it.
Chosen with the doubtful margin of the ears, by the same sweep.
"""

COMMAND_NATS = 30.0
LEAD_IN_NATS = -10.0


class Command(StrEnum):
    """What a user may say instead of an answer."""

    REPEAT = "repeat"
    SKIP = "skip"
    GOODBYE = "goodbye"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Card:
    """One multiplication."""

    left: int
    right: int

    @property
    def answer(self) -> int:
        """The product."""
        return self.left * self.right

    @property
    def question(self) -> str:
        """As written on the card: ``6 × 7``."""
        return f"{self.left} × {self.right}"

    @property
    def spoken(self) -> str:
        """As spoken: ``six times seven``."""
        return f"{in_words(self.left)} times {in_words(self.right)}"


COMMAND_PHRASES = {
    "repeat": Command.REPEAT,
    "repeat please": Command.REPEAT,
    "say that again": Command.REPEAT,
    "skip": Command.SKIP,
    "skip it": Command.SKIP,
    "next question": Command.SKIP,
    "goodbye": Command.GOODBYE,
    "bye bye": Command.GOODBYE,
}
"""Commands understood at any time. "Bye" alone is left out: it sounds like "five"."""

REPLY_PHRASES = {"yes": Command.YES, "no": Command.NO}
"""Understood in addition while the bot asks whether it heard a number right."""

DECOYS = (
    "i don't know",
    "hello",
    "thank you",
    "please",
    "okay",
    "what",
    "wait",
    "sorry",
    "stop",
    "um",
)
"""Common phrases that mean neither number nor command.

Listened for so that they are not forced into a number that sounds a little like them: "repeat …
please", said with a pause, would else be "three".
"""

LEAD_INS = ("it's", "it is", "that's", "the answer is")
"""What people say before a number; understood and left out."""


@cache
def in_words(number: int) -> str:
    """A number as it is spoken and as the recogniser knows it: ``forty two``.

    Args:
        number: Zero or more.
    """
    words: str = num2words(number)
    return words.replace("-", " ").replace(",", "").replace(" and ", " ")


_NUMBERS = {in_words(number): number for number in range(LARGEST + 1)}
_LEAD_IN = re.compile(rf"^(?:{'|'.join(LEAD_INS)}) ")


def number_in(text: str) -> int | None:
    """The number that a heard text says, or None.

    Args:
        text: Lower-case words, perhaps with a lead-in: ``it's a hundred and eight``.
    """
    words = _LEAD_IN.sub("", text).replace(" and ", " ")
    return _NUMBERS.get(re.sub("^a hundred", "one hundred", words))


def likely_wrong(card: Card) -> set[int]:
    """Answers that people give by mistake: a neighbour in the table, or a slip by one or ten."""
    left, right, answer = card.left, card.right, card.answer
    table = {(left - 1) * right, (left + 1) * right, left * (right - 1), left * (right + 1)}
    slips = {answer - 10, answer - 2, answer - 1, answer + 1, answer + 2, answer + 10}
    return {number for number in table | slips if number >= 0} - {answer}


def command_in(text: str) -> Command | None:
    """The command that a heard text says, or None."""
    return COMMAND_PHRASES.get(text) or REPLY_PHRASES.get(text)


class Nothing(StrEnum):
    """What a decoy means."""

    DECOY = "decoy"


def meaning(text: str) -> Command | int | Nothing | None:
    """What a heard text comes down to; None if it is no whole sentence of the grammars."""
    if (command := command_in(text)) is not None:
        return command
    if (number := number_in(text)) is not None:
        return number
    return Nothing.DECOY if text in DECOYS else None


@cache
def listening_grammar(card: Card, more: tuple[str, ...] = ()) -> str:
    """JSGF for the answer to a question: the right one, any other number, commands, decoys.

    Args:
        card: The question.
        more: Further commands, of words that the recogniser knows.
    """
    decoys = tuple(decoy for decoy in DECOYS if decoy not in more)
    return _grammar(card, (*COMMAND_PHRASES, *more), decoys)


@cache
def confirming_grammar(card: Card, more: tuple[str, ...] = ()) -> str:
    """JSGF for the reply to "I heard forty two. Is that right?": yes, no, or a number again."""
    return _grammar(card, (*COMMAND_PHRASES, *more, *REPLY_PHRASES), ())


def _grammar(card: Card, commands: Sequence[str], decoys: Sequence[str]) -> str:
    """One rule with a weight for each sentence.

    Every sentence begins with a word, because PocketSphinx forgets the weight of a reference.
    """
    expected = _spoken_forms(card.answer)
    numbers = [
        form
        for number in sorted({*ALWAYS_UNDERSTOOD, *likely_wrong(card)})
        for form in _spoken_forms(number)
    ]
    sentences = [
        *_weighted(EXPECTED_NATS, expected),
        *_weighted(0.0, [number for number in numbers if number not in expected]),
        *_weighted(COMMAND_NATS, commands),
        *_weighted(0.0, decoys),
    ]
    for lead_in in LEAD_INS:
        sentences += _weighted(EXPECTED_NATS + LEAD_IN_NATS, [f"{lead_in} <expected>"])
        sentences += _weighted(LEAD_IN_NATS, [f"{lead_in} <number>"])
    return (
        "#JSGF V1.0;\ngrammar heard;\n"
        f"public <utterance> = {' | '.join(sentences)};\n"
        f"<expected> = {' | '.join(expected)};\n"
        f"<number> = {' | '.join(numbers)};\n"
    )


def _spoken_forms(number: int) -> list[str]:
    """The ways to say a number."""
    words = in_words(number)
    if not words.startswith("one hundred"):
        return [words]
    rest = words.removeprefix("one hundred")
    hundreds = ["one hundred", "a hundred"]
    joints = ["", " and"] if rest else [""]
    return [f"{hundred}{joint}{rest}" for hundred in hundreds for joint in joints]


def _weighted(nats: float, sentences: Iterable[str]) -> list[str]:
    """Alternatives of a JSGF rule; its weights know no exponents."""
    return [f"/{math.exp(nats - EXPECTED_NATS):.25f}/ {sentence}" for sentence in sentences]


DECK = tuple(
    Card(left, right)
    for left, right in (
        (2, 5), (2, 9), (2, 11), (2, 12),
        (3, 6), (3, 7), (3, 8), (3, 9), (3, 11),
        (4, 6), (4, 7), (4, 10), (4, 11),
        (5, 5), (5, 8),
        (6, 7), (7, 9), (7, 10), (7, 11), (7, 12),
        (8, 9), (8, 10), (9, 9), (9, 10), (9, 12),
        (10, 10), (10, 11), (10, 12), (11, 11), (11, 12), (12, 12),
    )
)  # fmt: skip
"""Questions whose answers are told apart well: none that ends in a six (in noise: "three")
or begins with sixty (in noise: "fifty")."""
