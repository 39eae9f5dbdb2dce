"""What is wrong between the parts of a script: states that are not there, tools that nobody has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from greenroom.assistants.paths import Path
from greenroom.wire.assistants import BotRecord
from greenroom.wire.script import (
    MOST_CHOICES,
    MOST_SENTENCES,
    PLACE,
    ActionRecord,
    ExpectationRecord,
    ScriptRecord,
    SlotRecord,
    StateRecord,
)
from greenroom.wire.tools import TOOLBOX

# What a failed call leaves for whoever wants to say it.
PROBLEM = "problem"

Found = tuple[Path, str]


def contradictions(record: BotRecord) -> Iterator[Found]:
    """What is wrong in a record's script: each field's path, and what."""
    script = record.script
    if script is None:
        return
    for part in ("llm", "speech_to_speech"):
        if getattr(record, part) is not None:
            yield ("script",), "cannot be beside a model, which decides itself what it says"
    yield from _Checks(script, _functions(record)).all()


def _functions(record: BotRecord) -> set[str] | None:
    """The functions that a record's tools give; None: an MCP server has some that nobody knows."""
    names: set[str] = set()
    for tool in record.tools:
        if tool.kind == "mcp":
            return None
        names |= set(TOOLBOX.get(tool.name, ())) if tool.kind == "builtin" else {tool.name}
    return names


class _Checks:
    def __init__(self, script: ScriptRecord, functions: set[str] | None) -> None:
        self._script = script
        self._functions = functions
        self._values = {PROBLEM, *script.lists, *script.slots, *_kept(script)}

    def all(self) -> Iterator[Found]:
        script = self._script
        if script.start not in script.states:
            yield ("script", "start"), "there is no such state"
        for name, slot in script.slots.items():
            if slot.choice is not None:
                yield from self._value(slot.choice, ("script", "slots", name, "choice"))
        everywhere: Path = ("script", "everywhere")
        yield from self._expectations(script.everywhere, everywhere)
        for name, state in script.states.items():
            yield from self._state(state, ("script", "states", name))

    def _state(self, state: StateRecord, path: Path) -> Iterator[Found]:
        yield from self._places(state.prompt, (*path, "prompt"))
        yield from self._places(state.help or "", (*path, "help"))
        yield from self._actions(state.enter, (*path, "enter"))
        yield from self._expectations(state.expect, (*path, "expect"))
        expected = [*state.expect, *self._script.everywhere]
        if sum(self._count(pattern) for one in expected for pattern in one.say) > MOST_SENTENCES:
            yield (*path, "expect"), f"there are more than {MOST_SENTENCES} ways to say all this"

    def _expectations(self, expected: Sequence[ExpectationRecord], path: Path) -> Iterator[Found]:
        for index, one in enumerate(expected):
            for number, pattern in enumerate(one.say):
                yield from self._places(pattern, (*path, index, "say", number))
            yield from self._actions(one.do, (*path, index, "do"))

    def _actions(self, actions: Sequence[ActionRecord], path: Path) -> Iterator[Found]:
        for index, action in enumerate(actions):
            yield from self._action(action, (*path, index))

    def _action(self, action: ActionRecord, path: Path) -> Iterator[Found]:
        for name in ("say", "goodbye"):
            yield from self._places(getattr(action, name) or "", (*path, name))
        if action.show is not None:
            yield from self._places(action.show.data, (*path, "show", "data"))
        if action.go_to is not None and action.go_to not in self._script.states:
            yield (*path, "goTo"), "there is no such state"
        for name, value in (("draw", action.draw), ("if", action.if_)):
            if value is not None:
                yield from self._value(value, (*path, name))
        if action.call is not None:
            if self._functions is not None and action.call not in self._functions:
                yield (*path, "call"), "none of the record's tools has this function"
            yield from self._places(action.with_, (*path, "with"))
        for name in ("failed", "then", "otherwise"):
            yield from self._actions(getattr(action, name) or [], (*path, name))

    def _places(self, template: Any, path: Path) -> Iterator[Found]:
        if isinstance(template, str):
            for place in PLACE.findall(template):
                yield from self._value(place, path)
        elif isinstance(template, dict):
            for name, inner in template.items():
                yield from self._places(inner, (*path, name))
        elif isinstance(template, list):
            for index, inner in enumerate(template):
                yield from self._places(inner, (*path, index))

    def _value(self, value: str, path: Path) -> Iterator[Found]:
        if value.partition(".")[0] not in self._values:
            yield path, f"nothing is called “{value}”"

    def _count(self, pattern: str) -> int:
        """How many sentences a pattern stands for, at least; synonyms not counted."""
        slots = [self._script.slots[n] for n in PLACE.findall(pattern) if n in self._script.slots]
        return math.prod(self._size(slot) for slot in slots)

    def _size(self, slot: SlotRecord) -> int:
        if slot.number is not None:
            return slot.number.most - slot.number.least + 1
        if slot.word is not None:
            return len(slot.word)
        return min(
            MOST_CHOICES, len(self._script.lists.get(slot.choice or "", range(MOST_CHOICES)))
        )


def _kept(script: ScriptRecord) -> Iterator[str]:
    """The names under which actions keep what they get."""
    expected = [*script.everywhere, *(one for s in script.states.values() for one in s.expect)]
    left = [action for one in expected for action in one.do]
    left += [action for state in script.states.values() for action in state.enter]
    while left:
        action = left.pop()
        if action.as_ is not None:
            yield action.as_
        left += [*(action.failed or ()), *action.then, *action.otherwise]
