"""The built-in deck of multiplications, and the JSGF grammars to listen for the answers with."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from num2words import num2words  # type: ignore[import-untyped]

LARGEST_UNDERSTOOD = 149
"""Every number from 0 to this is listened for, whatever the question."""

EXPECTED_NATS = 45.0
"""How much likelier, in nats, the right answer is taken to be than any other number.

Most answers are right. PocketSphinx mishears a quarter of all numbers if each is as likely as any;
with this a right answer is nearly never lost, and a wrong one must sound like it to pass for it.
Found by ``bench/recognition.py``.
"""

COMMAND_NATS = 15.0
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
    "let me think",
    "hello",
    "thank you",
    "okay",
    "what",
    "wait",
    "well",
    "sorry",
    "stop",
    "um",
)
"""Common phrases that mean neither number nor command.

Listened for so that they are not forced into a number that sounds a little like them.
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


_NUMBERS = {in_words(number): number for number in range(LARGEST_UNDERSTOOD + 1)}
_LEAD_IN = re.compile(rf"^(?:{'|'.join(LEAD_INS)}) ")


def number_in(text: str) -> int | None:
    """The number that a heard text says, or None.

    Args:
        text: Lower-case words, perhaps with a lead-in: ``it's a hundred and eight``.
    """
    words = _LEAD_IN.sub("", text).replace(" and ", " ")
    return _NUMBERS.get(re.sub("^a hundred", "one hundred", words))


def command_in(text: str) -> Command | None:
    """The command that a heard text says, or None."""
    return COMMAND_PHRASES.get(text) or REPLY_PHRASES.get(text)


def meaning(text: str) -> Command | int | None:
    """What a heard text comes down to: a command, a number, or nothing of use."""
    command = command_in(text)
    return command if command is not None else number_in(text)


@cache
def listening_grammar(card: Card) -> str:
    """JSGF for the answer to a question: the right one, any other number, commands, decoys."""
    return _grammar(card.answer, tuple(COMMAND_PHRASES), DECOYS)


@cache
def confirming_grammar(card: Card) -> str:
    """JSGF for the reply to "I heard forty two. Is that right?": yes, no, or a number again."""
    return _grammar(card.answer, (*COMMAND_PHRASES, *REPLY_PHRASES), ())


def _grammar(expected: int, commands: tuple[str, ...], decoys: tuple[str, ...]) -> str:
    alternatives = [
        f"{_weight(EXPECTED_NATS)} {_spoken_forms(expected)}",
        f"{_weight(EXPECTED_NATS + LEAD_IN_NATS)} <leadin> {_spoken_forms(expected)}",
        f"{_weight(0)} <number>",
        f"{_weight(LEAD_IN_NATS)} <leadin> <number>",
        f"{_weight(COMMAND_NATS)} <command>",
    ]
    if decoys:
        alternatives.append(f"{_weight(0)} <decoy>")
    small = [in_words(number) for number in range(1, LARGEST_UNDERSTOOD - 99)]
    rules = {
        "public <utterance>": alternatives,
        "<number>": [*(in_words(number) for number in range(100)), "<hundred> [[and] <small>]"],
        "<hundred>": ["one hundred", "a hundred"],
        "<small>": small,
        "<leadin>": LEAD_INS,
        "<command>": commands,
        **({"<decoy>": decoys} if decoys else {}),
    }
    body = "\n".join(f"{name} = {' | '.join(phrases)};" for name, phrases in rules.items())
    return f"#JSGF V1.0;\ngrammar heard;\n{body}\n"


def _spoken_forms(number: int) -> str:
    """A number in JSGF, with the two ways to say a hundred."""
    words = in_words(number)
    if number < 100:
        return words
    return (
        " ".join(["(one | a) hundred", "[and]", *words.split()[2:]])
        if number > 100
        else "(one | a) hundred"
    )


def _weight(nats: float) -> str:
    """A JSGF weight; its grammar knows no exponents."""
    return f"/{math.exp(nats - EXPECTED_NATS):.25f}/"


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
