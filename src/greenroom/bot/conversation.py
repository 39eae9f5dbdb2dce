"""Turns what the user said into what the bot says and shows, each at its moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ControlFrame,
    Frame,
    InterruptionFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from greenroom.bot.deck import in_words
from greenroom.bot.dialogue import Action, Call, Farewell, Heard, Say, Show
from greenroom.bot.farewell import FarewellEndFrame
from greenroom.bot.sphinx import heard_in
from greenroom.wire.link import ReportKind

Report = Callable[[ReportKind, dict[str, Any]], None]


class Dialogue(Protocol):
    """What is held: the cards (`greenroom.bot.dialogue`), or a script."""

    @property
    def grammar(self) -> str:
        """JSGF: what is listened for until the next action."""
        ...

    def greet(self) -> list[Action]:
        """The user is here for the first time."""
        ...

    def rejoined(self) -> list[Action]:
        """The user is back."""
        ...

    def interrupted(self) -> None:
        """The user spoke over it."""
        ...

    def heard(self, heard: Heard) -> list[Action]:
        """The user said something."""
        ...


Caller = Callable[[Call], Awaitable[list[Action]]]
"""Carries a call out and asks the dialogue how it goes on then; raises nothing."""


async def _nobody(call: Call) -> list[Action]:
    """Carries out no calls; for a dialogue that has none."""
    raise RuntimeError(f"nobody carries out {call.name}")


@dataclass
class ShowFrame(ControlFrame):
    """Something to show when everything said before it has been heard.

    An interruption does not drop it: what the dialogue has decided, the page must learn.
    """

    event_type: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    interruptible: bool = field(default=False, init=False)


class Conversation(FrameProcessor):
    """Holds a dialogue with whoever is heard; stands between recogniser and voice.

    It answers each final transcription at once. Frames leave in the order of the dialogue's
    actions, and stay in that order through voice and output, so that each event is shown when
    the words that follow it begin. Calls from outside the pipeline may be made at any time.

    Attributes:
        parting: Set once the farewell has been handed to the voice.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        set_grammar: Callable[[str], None],
        paused: bool,
        muted: Callable[[], bool] = lambda: False,
        call: Caller = _nobody,
    ) -> None:
        super().__init__()
        self._muted = muted
        self._call = call
        self._calls: set[asyncio.Task[None]] = set()
        self._dialogue = dialogue
        self._set_grammar = set_grammar
        self._bot_speaking = False
        self._met = False
        self._paused = paused
        self._user_speaking = False
        self._for_the_next_silence: str | None = None
        self.parting = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer transcriptions; pass everything else on."""
        await super().process_frame(frame, direction)
        if (heard := heard_in(frame)) is not None:
            await self._hear(heard)
            return
        match frame:
            case InterruptionFrame() if self._bot_speaking:
                self._dialogue.interrupted()
            case BotStartedSpeakingFrame():
                self._bot_speaking = True
            case BotStoppedSpeakingFrame():
                self._bot_speaking = False
            case UserStartedSpeakingFrame():
                self._user_speaking = True
            case UserStoppedSpeakingFrame():
                self._user_speaking = False
                await self._say_what_waited()
        await self.push_frame(frame, direction)

    async def meet(self) -> None:
        """The user is here for the first time: greet, or do so when the pause is over."""
        if not self._paused and not self._met:
            self._met = True
            await self._perform(self._dialogue.greet())

    async def meet_again(self) -> None:
        """The user is back, from a reload or a pause: say where we are."""
        if not self._met:
            await self.meet()
        elif self._talking and not self.parting.is_set():
            await self.broadcast_interruption()
            await self._perform(self._dialogue.rejoined())

    async def pause(self, paused: bool) -> None:
        """Fall silent, or take the conversation up again."""
        if paused == self._paused:
            return
        self._paused = paused
        if not paused:
            await self.meet_again()
        elif self._met:
            await self.broadcast_interruption()

    async def say(self, text: str, *, interrupt: bool = False) -> None:
        """Say something that somebody else thought of, if anybody is here to hear it.

        With ``interrupt`` at once, over what is being said; but a goodbye is said to its end.
        """
        if not self._talking or (interrupt and self.parting.is_set()):
            return
        if interrupt:
            await self.broadcast_interruption()
        await self._perform([Say(text)])

    async def remark(self, text: str) -> None:
        """As `say`, but nobody is interrupted by it: not the bot's own words, nor the user."""
        self._for_the_next_silence = text
        if not self._user_speaking:
            await self._say_what_waited()

    async def conclude(self, text: str) -> None:
        """Say this and nothing after it; a goodbye that is being said is all there is to say."""
        if self.parting.is_set():
            return
        if self._talking:
            await self.broadcast_interruption()
            self._paused = True  # whatever is heard from here on is not answered
            await self._speak(text, interruptible=False)
        await self.push_frame(FarewellEndFrame())

    async def part(self, text: str) -> None:
        """Say goodbye, because a tool wants it so; the session ends when it was heard."""
        if not self.parting.is_set():
            self._paused = True  # whatever is heard from here on is not answered
            await self._perform([Farewell(text)])

    async def cleanup(self) -> None:
        """The call is over; called by Pipecat."""
        await super().cleanup()
        for calling in list(self._calls):
            calling.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def read(self, text: str) -> None:
        """The user typed instead of speaking."""
        if self._talking:
            await self.broadcast_interruption()
            await self._hear(Heard(text=_as_spoken(text), confidence=1.0, typed=True))

    async def _say_what_waited(self) -> None:
        text, self._for_the_next_silence = self._for_the_next_silence, None
        if text is not None and not self.parting.is_set():
            await self.say(text)

    @property
    def _talking(self) -> bool:
        return self._met and not self._paused

    async def _hear(self, heard: Heard) -> None:
        # Whoever mutes in the middle of a word has not asked for anything.
        cut_off = not heard.text and not heard.typed and self._muted()
        if self._talking and not cut_off:
            await self._perform(self._dialogue.heard(heard))

    async def _perform(self, actions: Iterable[Action]) -> None:
        for action in shown_with_their_words(actions):
            match action:
                case Show(type=event_type, data=data):
                    await self.push_frame(ShowFrame(event_type=event_type, data=data))
                case Say(text=text, interruptible=interruptible):
                    await self._speak(text, interruptible)
                case Farewell(text=text):
                    await self._speak(text, interruptible=False)
                    await self.push_frame(FarewellEndFrame())
                    self.parting.set()
                case Call():
                    # What is heard meanwhile, and the commands that bring its answer, do not wait.
                    calling = asyncio.create_task(self._carry_out(action))
                    self._calls.add(calling)
                    calling.add_done_callback(self._calls.discard)
        self._set_grammar(self._dialogue.grammar)

    async def _carry_out(self, call: Call) -> None:
        """Call a tool, and go on with what came of it; paused, without a word."""
        actions = await self._call(call)
        if self.parting.is_set():
            return
        if not self._talking:
            actions = [action for action in actions if not isinstance(action, Say)]
        await self._perform(actions)

    async def _speak(self, text: str, interruptible: bool) -> None:
        frame = TTSSpeakFrame(text)
        # As an argument it would raise inside this processor, and the words would be lost.
        frame.interruptible = interruptible
        await self.push_frame(frame)


class Played(FrameProcessor):
    """Stands behind the output and sees what has been played, in order.

    Attributes:
        farewell: Set once the farewell has been played to its end.
    """

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report
        self.farewell = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Report what is to be shown now."""
        await super().process_frame(frame, direction)
        if isinstance(frame, ShowFrame):
            self._report(ReportKind.APP, {"type": frame.event_type, "data": frame.data})
        elif isinstance(frame, FarewellEndFrame):
            self.farewell.set()
        await self.push_frame(frame, direction)


def shown_with_their_words(actions: Iterable[Action]) -> Iterator[Action]:
    """Put each event that follows words before the last sentence of those words.

    The dialogue says the verdict and the next question in one breath and then shows the
    question; the card is to turn when the question begins, neither before the verdict nor
    after the question.
    """
    pending = list(actions)
    for index, action in enumerate(pending):
        following = pending[index + 1] if index + 1 < len(pending) else None
        previous = pending[index - 1] if index else None
        if isinstance(action, Say) and isinstance(following, Show):
            head, last = _last_sentence(action.text)
            if head:
                yield Say(head, action.interruptible)
            yield following
            yield Say(last, action.interruptible)
        elif not (isinstance(action, Show) and isinstance(previous, Say)):
            yield action


def _last_sentence(text: str) -> tuple[str, str]:
    """Everything before the last sentence, and the last sentence."""
    ends = [index for mark in ".!?" if (index := text.rfind(f"{mark} ")) >= 0]
    if not ends:
        return "", text
    cut = max(ends) + 1
    return text[:cut], text[cut:].strip()


def _as_spoken(typed: str) -> str:
    """What was typed as it would have been heard: ``42.`` is ``forty two``."""
    words = re.sub(r"[^\w' ]", " ", typed.lower()).split()
    return " ".join(in_words(int(word)) if word.isdecimal() else word for word in words)
