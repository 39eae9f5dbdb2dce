"""What a state of a script listens for: every sentence, what it means, and the grammar of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from greenroom.bot.deck import COMMAND_PHRASES, DECOYS, REPLY_PHRASES, Command, in_words
from greenroom.bot.scripted.values import Values, find, said, spoken
from greenroom.wire.script import (
    MOST_CHOICES,
    MOST_SENTENCES,
    OPTIONAL,
    PLACE,
    ActionRecord,
    ExpectationRecord,
    ScriptRecord,
    SlotRecord,
)

HELP_PHRASES = ("help", "help me", "what can i say")
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
# Whoever leaves five words out has had their say.
MOST_WORDINGS = 64
# "Hello" sounds like "help", which whoever is lost says.
_DECOYS = tuple(decoy for decoy in DECOYS if decoy != "hello")
Knows = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Meant:
    """An expected utterance.

    Attributes:
        do: What it leads to.
        slots: What was said in its places.
        key: Tells apart what means different things; sentences with one key do not rival.
    """

    do: tuple[ActionRecord, ...]
    slots: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Listening:
    """What one state understands, with the values as they are.

    Attributes:
        grammar: JSGF of what can be heard.
        expected: What each expected sentence means; also those that can only be typed.
        commands: What is always understood.
    """

    grammar: str
    expected: Mapping[str, Meant]
    commands: Mapping[str, Command | str] = field(default_factory=dict)

    def meaning(self, text: str) -> str | None:
        """What a sentence comes down to, as something to compare; None if it is no whole one."""
        if (meant := self.expected.get(text)) is not None:
            return meant.key
        if (command := self.commands.get(text)) is not None:
            return f"command {command}"
        return "decoy" if text in _DECOYS else None


def always(end_phrases: Sequence[str]) -> dict[str, Command | str]:
    """Repeat, help and goodbye, which no script can lose."""
    kept = (Command.REPEAT, Command.GOODBYE)
    phrases: dict[str, Command | str] = {
        text: command for text, command in COMMAND_PHRASES.items() if command in kept
    }
    phrases |= dict.fromkeys(HELP_PHRASES, "help")
    return phrases | dict.fromkeys(end_phrases, Command.GOODBYE)


def listening(
    script: ScriptRecord,
    expectations: Sequence[ExpectationRecord],
    values: Values,
    commands: Mapping[str, Command | str],
    knows: Knows,
) -> Listening:
    """What is understood in a state.

    Args:
        script: The whole one: its slots and synonyms.
        expectations: The state's, the most particular first: the first that fits counts.
        values: As they are now.
        commands: What is always understood; an expectation with the same words goes before.
        knows: Whether the recogniser knows these words.
    """
    expected: dict[str, Meant] = {}
    for number, expectation in enumerate(expectations):
        for sentence, slots in _sentences(script, expectation, values):
            if len(expected) >= MOST_SENTENCES:
                break
            chosen = {name: value for name, (value, _) in slots.items()}
            key = f"{number} {[label for _, label in slots.values()]}"
            expected.setdefault(sentence, Meant(tuple(expectation.do), chosen, key))
    heard = [text for text in (*expected, *commands) if knows(text)]
    decoys = [text for text in _DECOYS if text not in expected and text not in commands]
    return Listening(_grammar(dict.fromkeys([*heard, *decoys])), expected, commands)


def replies(listened: Listening) -> Listening:
    """The same, and yes and no: while it is asked whether something was heard right."""
    head, _, rest = listened.grammar.rpartition("public <utterance> = ")
    grammar = f"{head}public <utterance> = {' | '.join(REPLY_PHRASES)} | {rest}"
    commands = {**listened.commands, **REPLY_PHRASES}
    return Listening(grammar, listened.expected, commands)


def _sentences(
    script: ScriptRecord, expectation: ExpectationRecord, values: Values
) -> Iterator[tuple[str, dict[str, tuple[Any, str]]]]:
    """Every way to say it, with what each slot is then: the value, and what tells it apart."""
    for pattern in expectation.say:
        for wording in _wordings(pattern, script.synonyms):
            names = [name for name in PLACE.findall(wording) if name in script.slots]
            choices = [list(_choices(script.slots[name], values)) for name in names]
            for chosen in itertools.product(*choices):
                slots = dict(zip(names, chosen, strict=True))
                words = {name: text for name, (text, _, _) in slots.items()}
                sentence = spoken(said(wording, {**values, **words}))
                if sentence:
                    yield sentence, {n: (value, label) for n, (_, value, label) in slots.items()}


def _wordings(pattern: str, synonyms: Mapping[str, Sequence[str]]) -> list[str]:
    """A pattern with and without what is optional, and with each synonym."""
    wordings = [pattern]
    while any(OPTIONAL.search(one) for one in wordings):
        wordings = [
            new
            for one in wordings
            for new in (OPTIONAL.sub(r"\1", one, count=1), OPTIONAL.sub("", one, count=1))
        ][:MOST_WORDINGS]
    for word, others in synonyms.items():
        whole = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
        wordings += [
            whole.sub(lambda _, other=other: other, one)  # type: ignore[misc]
            for one in wordings
            if whole.search(PLACE.sub("", one))
            for other in others
        ]
        wordings = wordings[:MOST_WORDINGS]
    return list(dict.fromkeys(wordings))


def _choices(slot: SlotRecord, values: Values) -> Iterator[tuple[str, Any, str]]:
    """What may be said in a slot: the words, the value, and what tells it apart from others."""
    if slot.number is not None:
        for number in range(slot.number.least, slot.number.most + 1):
            yield in_words(number), number, str(number)
    elif slot.word is not None:
        for word in slot.word:
            yield word, word, word
    else:
        found = find(values, slot.choice or "")
        items = found[:MOST_CHOICES] if isinstance(found, list) else []
        for index, item in enumerate(items):
            name = item.get(slot.by or "name") if isinstance(item, Mapping) else item
            for words in (spoken(str(name or "")), *_by_number(index, len(items))):
                if words:
                    yield words, item, str(index)


def _by_number(index: int, count: int) -> Iterator[str]:
    if index < len(ORDINALS):
        yield f"the {ORDINALS[index]} one"
        yield f"the {ORDINALS[index]}"
    yield f"number {in_words(index + 1)}"
    if index == count - 1 and index > 0:
        yield "the last one"


def _grammar(sentences: Mapping[str, None]) -> str:
    return f"#JSGF V1.0;\ngrammar heard;\npublic <utterance> = {' | '.join(sentences)};\n"
