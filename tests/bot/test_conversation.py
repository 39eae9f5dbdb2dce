"""The order of words and cards, who is answered, and what is let through the gate."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import Frame, InputAudioRawFrame, TranscriptionFrame, TTSSpeakFrame
from pipecat.processors.frame_processor import FrameDirection

from greenroom.bot.conversation import Conversation, shown_with_their_words
from greenroom.bot.dialogue import Action, Farewell, Heard, Say, Show
from greenroom.bot.gate import CLOSING_SILENCE_S, Gate
from greenroom.bot.sphinx import NotUnderstoodFrame

ANSWER = Show("app.answer", {"value": 42})
QUESTION = Show("app.question", {"number": 2})


@pytest.mark.parametrize(
    ("said", "played"),
    [
        (
            [ANSWER, Say("Right! What is two times three?"), QUESTION],
            [ANSWER, Say("Right!"), QUESTION, Say("What is two times three?")],
        ),
        (
            [Say("Hello! What is two times three?"), QUESTION],
            [Say("Hello!"), QUESTION, Say("What is two times three?")],
        ),
        (
            [ANSWER, Say("No. Two times two is four. What is one times one?"), QUESTION],
            [ANSWER, Say("No. Two times two is four."), QUESTION, Say("What is one times one?")],
        ),
        ([Say("Sorry?")], [Say("Sorry?")]),
        ([Say("Go on"), QUESTION], [QUESTION, Say("Go on")]),
        ([Farewell("Goodbye! Well done.")], [Farewell("Goodbye! Well done.")]),
    ],
)
def test_a_card_turns_when_its_own_sentence_begins(
    said: list[Action], played: list[Action]
) -> None:
    assert list(shown_with_their_words(said)) == played


class OpenGate(Gate):
    """A gate whose output is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[Frame] = []

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        self.passed.append(frame)


def voice() -> InputAudioRawFrame:
    """20 ms that are not silent."""
    return InputAudioRawFrame(audio=b"\x01\x02" * 320, sample_rate=16_000, num_channels=1)


async def test_a_closed_gate_passes_a_little_silence_and_then_nothing() -> None:
    """FAILURES 11: a recogniser that hears nothing does not time out on silence."""
    gate = OpenGate()
    await gate.process_frame(voice(), FrameDirection.DOWNSTREAM)
    gate.close_for("mute")
    for _ in range(100):
        await gate.process_frame(voice(), FrameDirection.DOWNSTREAM)
    sounds = [frame.audio for frame in gate.passed if isinstance(frame, InputAudioRawFrame)]
    assert any(sounds[0])
    assert len(sounds) - 1 == round(CLOSING_SILENCE_S / 0.02)
    assert not any(any(sound) for sound in sounds[1:])
    words = TranscriptionFrame(text="typed", user_id="", timestamp="")
    await gate.process_frame(words, FrameDirection.DOWNSTREAM)
    assert gate.passed[-1] is words


async def test_a_gate_opens_when_its_last_cause_is_lifted() -> None:
    gate = OpenGate()
    gate.close_for("mute")
    gate.close_for("pause")
    gate.open_for("pause")
    for _ in range(100):
        await gate.process_frame(voice(), FrameDirection.DOWNSTREAM)
    assert not any(any(f.audio) for f in gate.passed if isinstance(f, InputAudioRawFrame))
    gate.open_for("mute")
    sound = voice()
    await gate.process_frame(sound, FrameDirection.DOWNSTREAM)
    assert gate.passed[-1] is sound
    assert any(sound.audio)


class Asking(Conversation):
    """A conversation whose words are kept; a script that has a word for whatever it hears."""

    def __init__(self, *, muted: bool = False) -> None:
        super().__init__(
            Says(), set_grammar=lambda grammar: None, paused=False, muted=lambda: muted
        )
        self.said: list[str] = []

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, TTSSpeakFrame):
            self.said.append(frame.text)


class Says:
    """A dialogue that answers everything."""

    grammar = ""

    def greet(self) -> list[Action]:
        return [Say("Hello!")]

    def rejoined(self) -> list[Action]:
        return [Say("Welcome back.")]

    def interrupted(self) -> None:
        """It begins anew with every utterance."""

    def heard(self, heard: Heard) -> list[Action]:
        return [Say(heard.text or "Sorry?")]


async def test_whoever_mutes_in_the_middle_of_a_word_is_not_asked_what_it_was() -> None:
    muted, open_ = Asking(muted=True), Asking()
    for one in (muted, open_):
        await one.meet()
        await one.process_frame(NotUnderstoodFrame(), FrameDirection.DOWNSTREAM)
    assert muted.said == ["Hello!"]
    assert open_.said == ["Hello!", "Sorry?"]
    # What was said before still counts.
    words = TranscriptionFrame("five", "", "", result=Heard("five", 1.0))
    await muted.process_frame(words, FrameDirection.DOWNSTREAM)
    assert muted.said[1:] == ["five"]


async def test_whoever_has_paused_is_not_asked_again() -> None:
    one = Asking()
    await one.meet()
    await one.pause(True)
    await one.process_frame(NotUnderstoodFrame(), FrameDirection.DOWNSTREAM)
    assert one.said == ["Hello!"]
