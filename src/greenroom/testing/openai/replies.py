"""What the stand-in says: a script of replies, rules over what it was told last, and misfortune."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from greenroom.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Calling:
    """A tool that the model wants to use; ``arguments``: JSON, or what is none if it is a text."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The arguments as they go over the wire."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model: words, tools to use, or both."""

    text: str = ""
    calls: Sequence[Calling] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    r"""What is said to whom.

    Attributes:
        when: A regular expression, looked for in the last message, whatever its case.
        say: What is said; ``\\1`` stands for the expression's first group.
        call: The function that is called instead of, or beside, saying something.
        arguments: Its arguments; texts among them may hold groups, too.
        role: Whose message it must be: ``user``, ``tool`` …; None: anybody's.
    """

    when: str
    say: str = ""
    call: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    role: str | None = None

    def reply(self, role: str, text: str, functions: Iterable[str]) -> Reply | None:
        """What is answered by this rule; None if it does not fit.

        Args:
            role: Whose the last message is.
            text: What it says.
            functions: What the model may call; it never calls anything else by a rule.
        """
        found = re.search(self.when, text, re.IGNORECASE)
        if found is None or self.role not in (None, role):
            return None
        if self.call is not None and self.call not in functions:
            return None
        calls = () if self.call is None else (Calling(self.call, _filled(self.arguments, found)),)
        return Reply(found.expand(self.say), calls)


USUAL_RULES = (
    Rule(r"(?s)exactly this[^:]*: (.+)", say=r"\1"),
    Rule(r"error", say="That did not work: I am sorry.", role="tool"),
    Rule(r"", say="Done.", role="tool"),
    Rule(
        r"make a note(?: (?:that|of|saying|to))?[ :]+(.+)",
        call="create_note",
        arguments={"title": r"\1"},
        role="user",
    ),
    Rule(r"(?:good ?bye|that is all)", call="end_call", arguments={"farewell": "Goodbye!"}),
    Rule(r"\b(?:hello|hi)\b", say="Hello! What can I do for you?"),
    Rule(r"(?s)(.*)", say=r"You said: \1", role="user"),
    Rule(r"", say="I am listening."),
)
"""For want of others: enough to be talked to, and to have a note made."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to go wrong with the next completions, or responses of the Realtime API.

    Attributes:
        status: What is answered instead, in OpenAI's form: 401, 429, 500 …; None: nothing is.
        times: How many it befalls.
        after_tokens: It happens in the midst of the answer, after so many pieces of it: with a
            status the connection breaks, without one nothing more comes.
        retry_after_s: Said beside a 429.
        on: What it befalls: an answer; at the Realtime API also that somebody connects, or the
            transcript of what was heard.
    """

    status: int | None = 500
    times: int = 1
    after_tokens: int | None = None
    retry_after_s: int | None = None
    on: Literal["answer", "connect", "transcript"] = "answer"


def rules_of(file: Path) -> tuple[Rule, ...]:
    """The rules in a YAML file: a list of ``{when, say, call, arguments, role}``.

    Raises:
        BadSetting: It cannot be read, or is none.
    """
    try:
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))
        rules = tuple(Rule(**one) for one in listed)
        for rule in rules:
            re.compile(rule.when)
    except (OSError, yaml.YAMLError, TypeError, re.error) as error:
        raise BadSetting(f"{file} has no rules: {error}.") from error
    return rules


def _filled(value: Any, found: re.Match[str]) -> Any:
    match value:
        case str():
            return found.expand(value)
        case dict():
            return {name: _filled(one, found) for name, one in value.items()}
        case list():
            return [_filled(one, found) for one in value]
        case _:
            return value
