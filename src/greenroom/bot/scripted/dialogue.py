"""A scripted dialogue: what it says, shows and calls for what it hears; no sound, no clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from greenroom.bot.deck import Command
from greenroom.bot.dialogue import (
    FAIRLY_SURE,
    SURE,
    Action,
    Asking,
    Call,
    Farewell,
    Heard,
    Say,
    Show,
)
from greenroom.bot.manner import Manner
from greenroom.bot.scripted.listening import Listening, Meant, always, listening, replies
from greenroom.bot.scripted.values import filled, find, said
from greenroom.wire.script import PLACE, ActionRecord, ScriptRecord, StateRecord

# Of actions between two utterances of the user: a script that goes in circles comes to a stop.
MOST_STEPS = 64
ONE_MOMENT = "One moment, please."
DID_NOT_WORK = "Sorry, that did not work."


class Script(Asking[tuple[Meant, str]]):
    """Goes through a script until goodbye.

    Deterministic: the same script, seed, utterances and results give the same actions. What a tool
    is called for comes to it by `came` or `came_to_nothing`; until then it goes no further.

    Args:
        script: The record's.
        seed: Decides the order of what is drawn, if the script shuffles.
        manner: What the record says of the beginning and the end.
        knows: Whether the recogniser knows these words: others can only be typed.
    """

    def __init__(
        self,
        script: ScriptRecord,
        seed: int = 0,
        manner: Manner | None = None,
        knows: Callable[[str], bool] = lambda words: True,
    ) -> None:
        super().__init__()
        self._script = script
        self._manner = manner or Manner()
        self._knows = knows
        self._random = random.Random(seed)  # noqa: S311 - shuffles cards, guards nothing
        self._commands = always(self._manner.end_phrases)
        self._drawn: dict[str, list[Any]] = {}
        self._values: dict[str, Any] = dict(script.lists)
        self._state = script.start
        self._rest: list[ActionRecord] = []
        self._calling: ActionRecord | None = None
        self._steps = 0
        self._listening = self._listen()

    @property
    def grammar(self) -> str:
        """The JSGF grammar to listen with until the next action."""
        return self._listening.grammar

    @property
    def meaning(self) -> Callable[[str], str | None]:
        """What the sentences of that grammar come down to."""
        return self._listening.meaning

    def greet(self) -> list[Action]:
        """Say hello, and begin."""
        return self._done([Say(self._manner.first_message), *self._go_to(self._script.start)])

    def rejoined(self) -> list[Action]:
        """The user is back after a reload; whatever was said meanwhile was lost."""
        if self._over:
            return []
        self._begin_anew()
        return self._done([Say("Welcome back."), self._ask()])

    def heard(self, heard: Heard) -> list[Action]:
        """Answer an utterance of the user.

        Args:
            heard: What was understood, perhaps nothing.

        Returns:
            What to do, in this order; nothing once the farewell was said.
        """
        self._steps = 0
        return self._done(self._answer(heard))

    def came(self, result: Any) -> list[Action]:
        """What was called for has come: go on."""
        calling, self._calling = self._calling, None
        if calling is None or self._over:
            return []
        if calling.as_ is not None:
            self._values[calling.as_] = result
        return self._done(self._go_on())

    def came_to_nothing(self, sentence: str) -> list[Action]:
        """The call failed: go on as the script says, or say so and ask again."""
        calling, self._calling = self._calling, None
        if calling is None or self._over:
            return []
        if calling.failed is None:
            self._rest = []
            return self._done([Say(DID_NOT_WORK), self._ask()])
        self._values["problem"] = sentence
        self._rest = [*calling.failed, *self._rest]
        return self._done(self._go_on())

    # ---- what is understood

    def _understand(self, heard: Heard) -> list[Action] | None:
        """See `Asking`: it is what the script expects, a command, or neither."""
        parts = self._listening.commands.get(heard.text) is Command.GOODBYE
        if self._calling is not None and not parts:
            return [Say(ONE_MOMENT)] if heard.text else []
        if (meant := self._listening.expected.get(heard.text)) is not None:
            if heard.confidence >= FAIRLY_SURE or self._is_doubted(meant):
                return self._follow(meant)
            self._doubted = (meant, heard.text)
            return [Say(f"Did you say: {heard.text}?")]
        match self._listening.commands.get(heard.text):
            case Command.GOODBYE if heard.confidence >= SURE:
                self._over = True
                return [Farewell(self._manner.end_message or "Goodbye!")]
            case _ if heard.confidence < FAIRLY_SURE:
                return None
            case Command.REPEAT:
                self._doubted = None
                return [self._ask()]
            case "help":
                self._doubted = None
                return [Say(self._help()), self._ask()]
            case Command.YES if self._doubted is not None:
                return self._follow(self._doubted[0])
            case Command.NO if self._doubted is not None:
                self._doubted = None
                return [Say("Sorry."), self._ask()]
        return None

    def _is_doubted(self, meant: Meant) -> bool:
        return self._doubted is not None and self._doubted[0].key == meant.key

    def _follow(self, meant: Meant) -> list[Action]:
        self._doubted = None
        self._values |= meant.slots
        # Whoever was answered is asked what comes next, unless that leads elsewhere.
        self._rest = [*meant.do, self._prompting]
        return self._go_on()

    def _is_it(self, doubted: tuple[Meant, str]) -> str:
        return f"Did you say: {doubted[1]}? Yes or no?"

    def _ask_once_more(self, before: str) -> list[Action]:
        return [Say(before), self._ask()]

    # ---- what is done

    def _go_on(self) -> list[Action]:
        """Do what is left to do, as far as it can be done now."""
        actions: list[Action] = []
        while self._rest and self._calling is None and not self._over:
            self._steps += 1
            if self._steps > MOST_STEPS:
                self._rest = []
                return [*actions, self._ask()]
            actions += self._do(self._rest.pop(0))
        return actions

    def _do(self, action: ActionRecord) -> Iterator[Action]:
        if action.say is not None:
            yield Say(said(action.say, self._values))
        elif action.show is not None:
            yield Show(action.show.type, filled(action.show.data, self._values))
        elif action.call is not None:
            self._calling = action
            yield Call(action.call, filled(action.with_, self._values))
        elif action.draw is not None:
            self._values[str(action.as_)] = self._draw(action.draw)
        elif action.if_ is not None:
            held = find(self._values, action.if_)
            self._rest = [*(action.then if held else action.otherwise), *self._rest]
        elif action.go_to is not None:
            yield from self._go_to(action.go_to)
        elif action.goodbye is not None:
            self._over = True
            yield Farewell(said(action.goodbye, self._values))

    def _go_to(self, name: str) -> list[Action]:
        """Enter a state: what stood behind is left, and its prompt comes when all is done."""
        self._state = name
        self._rest = [*self._here.enter, self._prompting]
        return self._go_on()

    def _draw(self, path: str) -> Any:
        """The next item of a list; all of them before any comes again."""
        left = self._drawn.get(path)
        if not left:
            found = find(self._values, path)
            left = list(found) if isinstance(found, list) else []
            if self._script.shuffle:
                self._random.shuffle(left)
            self._drawn[path] = left
        return left.pop(0) if left else None

    # ---- what is asked

    @property
    def _here(self) -> StateRecord:
        return self._script.states[self._state]

    @property
    def _prompting(self) -> ActionRecord:
        return ActionRecord(say=self._here.prompt)

    def _ask(self) -> Say:
        return Say(said(self._here.prompt, self._values))

    def _help(self) -> str:
        """The state's own words, or else one utterance of each kind that stands for itself."""
        if self._here.help is not None:
            return said(self._here.help, self._values)
        expected = [*self._here.expect, *self._script.everywhere]
        first = [one.say[0] for one in expected if not PLACE.search(one.say[0])]
        plain = [text.replace("[", "").replace("]", "") for text in first]
        return f"You can say: {', or '.join([*plain[:5], 'goodbye'])}."

    def _listen(self) -> Listening:
        expected = [*self._here.expect, *self._script.everywhere]
        found = listening(self._script, expected, self._values, self._commands, self._knows)
        return found if self._doubted is None else replies(found)

    def _done(self, actions: Sequence[Action]) -> list[Action]:
        """These, with sentences in one breath; from now on it is listened for what comes next."""
        self._listening = self._listen()
        return list(_in_one_breath(actions))


def _in_one_breath(actions: Sequence[Action]) -> Iterator[Action]:
    for plain, group in groupby(actions, lambda one: isinstance(one, Say) and one.interruptible):
        if not plain:
            yield from group
        elif text := " ".join(one.text for one in group if isinstance(one, Say) and one.text):
            yield Say(text)
