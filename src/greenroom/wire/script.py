"""A scripted dialogue: what an assistant without a language model says, expects and does.

Part of a record (``script``). States have a prompt and the utterances that are expected in them;
each leads to actions: say, show, call a tool, draw from a list, go to another state. Repeat, help
and goodbye are always understood. ``greenroom.assistants.scripts`` checks what fields say of each
other, ``greenroom.bot.scripted`` carries it out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from greenroom.wire.base import WireModel

MOST_STATES = 64
MOST_ITEMS = 200
MOST_SENTENCES = 1_500
"""Of one state, with every value of its slots: a grammar of so many is loaded in some 20 ms."""

MOST_CHOICES = 30
"""Of a list that only the conversation knows, a user's notes say: so many can be named."""

PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")
"""``{name}`` or ``{name.field}``: a slot in what is expected, a value anywhere else."""

OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
"""``[please]``: may be said, or not."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
Path = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$", max_length=200)]
Words = Annotated[str, Field(min_length=1, max_length=1_000)]
Utterance = Annotated[str, Field(min_length=1, max_length=200)]
Item = Annotated[str, Field(min_length=1, max_length=500)] | dict[Identifier, str | int | float]


class _Part(WireModel):
    model_config = ConfigDict(extra="forbid")


class NumberRange(_Part):
    """Whole numbers, both ends included."""

    least: int = Field(default=0, alias="from", ge=0, le=999)
    most: int = Field(default=100, alias="to", ge=0, le=999)

    @model_validator(mode="after")
    def _is_a_range(self) -> NumberRange:
        if self.least > self.most:
            raise ValueError("`from` is greater than `to`")
        return self


class SlotRecord(_Part):
    """What may stand where an utterance has ``{name}``: a number, a word, or an item of a list.

    ``choice``: a list of the script's, or one that a tool has answered (``found.notes``). An item
    is chosen by its words (of an object, by those of its field ``by``), or as *the second one*.
    """

    number: NumberRange | None = None
    word: list[Utterance] | None = Field(default=None, min_length=1, max_length=MOST_ITEMS)
    choice: Path | None = None
    by: Identifier | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> SlotRecord:
        if [self.number, self.word, self.choice].count(None) != 2:
            raise ValueError("is one of number, word and choice")
        if self.by is not None and self.choice is None:
            raise ValueError("`by` belongs to a choice")
        return self


class ShowRecord(_Part):
    """An event of the application's own, for the page."""

    type: str = Field(pattern=r"^app\.[A-Za-z0-9_.-]+$", max_length=128)
    data: dict[str, Any] = Field(default_factory=dict)


class ActionRecord(_Part):
    """One thing to do: exactly one of say, show, call, draw, if, goTo and goodbye.

    Attributes:
        say: Words, with values (``{card.front}``).
        show: An event for the page.
        call: A function of one of the record's tools, ``with`` these arguments. What it answers is
            kept ``as`` a value; if it fails, ``failed`` is done, or it is said.
        draw: The next item of a list, over and over, kept ``as`` a value.
        if_: A value; if there is something in it, ``then`` is done, else ``otherwise``.
        go_to: Another state: its ``enter`` and its prompt. What stands behind it is not done.
        goodbye: Words that end the conversation.
    """

    say: Words | None = None
    show: ShowRecord | None = None
    call: str | None = Field(default=None, min_length=1, max_length=64)
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    draw: Path | None = None
    as_: Identifier | None = Field(default=None, alias="as")
    failed: list[ActionRecord] | None = Field(default=None, max_length=16)
    if_: Path | None = Field(default=None, alias="if")
    then: list[ActionRecord] = Field(default_factory=list, max_length=16)
    otherwise: list[ActionRecord] = Field(default_factory=list, max_length=16)
    go_to: Identifier | None = None
    goodbye: Words | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> ActionRecord:
        kinds = (self.say, self.show, self.call, self.draw, self.if_, self.go_to, self.goodbye)
        if len(kinds) - kinds.count(None) != 1:
            raise ValueError("is exactly one of say, show, call, draw, if, goTo and goodbye")
        if self.draw is not None and self.as_ is None:
            raise ValueError("what is drawn needs a name: `as`")
        return self


class ExpectationRecord(_Part):
    """Utterances that mean the same, and what they lead to.

    In an utterance ``{name}`` is a slot or a value, and what stands in ``[…]`` may be left out.
    """

    say: list[Utterance] = Field(min_length=1, max_length=32)
    do: list[ActionRecord] = Field(min_length=1, max_length=16)


class StateRecord(_Part):
    """Where a conversation can be: ``enter`` is done first, then the prompt is said."""

    prompt: Words
    help: Words | None = None
    enter: list[ActionRecord] = Field(default_factory=list, max_length=16)
    expect: list[ExpectationRecord] = Field(default_factory=list, max_length=64)


class ScriptRecord(_Part):
    """A whole dialogue.

    Attributes:
        start: The state in which it begins.
        states: By name.
        everywhere: What is expected in every state, behind its own.
        slots: What may stand in utterances, by name.
        lists: Lists of texts or of flat objects, by name: a deck of cards, say.
        synonyms: Other words for words in utterances.
        shuffle: Whether items are drawn in an order of the session's own.
    """

    start: Identifier
    states: dict[Identifier, StateRecord] = Field(min_length=1, max_length=MOST_STATES)
    everywhere: list[ExpectationRecord] = Field(default_factory=list, max_length=64)
    slots: dict[Identifier, SlotRecord] = Field(default_factory=dict, max_length=64)
    lists: dict[Identifier, Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]] = (
        Field(default_factory=dict, max_length=32)
    )
    synonyms: dict[Utterance, list[Utterance]] = Field(default_factory=dict, max_length=64)
    shuffle: bool = False
