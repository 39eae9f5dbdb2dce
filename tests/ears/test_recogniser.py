"""The recogniser on real speech: what it understands, what it rejects, how fast."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from greenroom.bot.deck import (
    Card,
    Command,
    confirming_grammar,
    in_words,
    listening_grammar,
    meaning,
)
from greenroom.bot.dialogue import SURE, Heard
from greenroom.bot.sphinx import (
    DOUBTFUL_MARGIN_NATS,
    LONGEST_SPEECH_S,
    RATE_HZ,
    Recogniser,
    confidence_of,
)
from tests.ears.audio import recognition, utterance

CARD = Card(6, 7)
Hear = Callable[..., Heard]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(meaning)


@pytest.fixture
def hear(recogniser: Recogniser) -> Hear:
    def hear(pcm: bytes, grammar: str = listening_grammar(CARD)) -> Heard:
        recogniser.start(grammar)
        for start in range(0, len(pcm), 640):
            recogniser.feed(pcm[start : start + 640])
        return recogniser.finish()

    return hear


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("lead_in", ["", "it's "])
def test_the_right_answer_is_understood(hear: Hear, lead_in: str, noisy: bool) -> None:
    heard = hear(utterance(f"{lead_in}forty two", noisy=noisy))
    assert meaning(heard.text) == 42
    assert heard.confidence >= SURE


@pytest.mark.parametrize("number", [7, 12, 24, 43, 99])
def test_a_wrong_number_is_not_the_right_one(hear: Hear, number: int) -> None:
    assert meaning(hear(utterance(in_words(number))).text) == number


@pytest.mark.parametrize(
    ("text", "command"),
    [("repeat", Command.REPEAT), ("skip", Command.SKIP), ("goodbye", Command.GOODBYE)],
)
def test_commands_are_understood(hear: Hear, text: str, command: Command) -> None:
    heard = hear(utterance(text))
    assert meaning(heard.text) == command
    assert heard.confidence >= SURE


@pytest.mark.parametrize("text", ["yes", "no"])
def test_yes_and_no_are_understood_when_asked(hear: Hear, text: str) -> None:
    assert hear(utterance(text), confirming_grammar(CARD)).text == text


@pytest.mark.parametrize("noisy", [False, True])
def test_a_please_that_comes_late_is_no_answer(hear: Hear, noisy: bool) -> None:
    heard = hear(utterance("please", noisy=noisy), listening_grammar(Card(7, 11)))
    assert not isinstance(meaning(heard.text), int)


def test_other_speech_silence_and_chatter_are_rejected(hear: Hear) -> None:
    for text in ("what is the weather like today", "hello there how are you"):
        assert hear(utterance(text)).text == ""
    assert hear(b"") == Heard("", 0.0)
    assert hear(bytes(2 * RATE_HZ)) == Heard("", 0.0)
    chatter = utterance("forty two") * (int(LONGEST_SPEECH_S) * 2)
    assert hear(chatter) == Heard("", 0.0)


def test_loudness_does_not_matter(hear: Hear) -> None:
    samples = np.frombuffer(utterance("forty two"), dtype="<i2")
    for gain in (0.03, 0.3, 1.0):
        assert hear((samples * gain).astype("<i2").tobytes()).text == "forty two"


def test_the_same_sound_is_heard_the_same_whatever_came_before(hear: Hear) -> None:
    pcm = utterance("forty three", noisy=True)
    first = hear(pcm)
    hear(utterance("what is the weather like today", "en-gb"))
    assert hear(pcm) == first


def test_the_grammar_leans_towards_the_right_answer(hear: Hear) -> None:
    pcm = utterance("forty two")
    here, elsewhere = hear(pcm), hear(pcm, listening_grammar(Card(2, 5)))
    assert here.text == elsewhere.text == "forty two"
    assert here.confidence >= elsewhere.confidence


def test_a_recogniser_made_before_a_fork_works_after_it(recogniser: Recogniser) -> None:
    pcm = utterance("forty two")
    child = os.fork()
    if child == 0:
        recogniser.start(listening_grammar(CARD))
        recogniser.feed(pcm)
        os._exit(0 if recogniser.finish().text == "forty two" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_confidence_grows_with_the_lead() -> None:
    assert confidence_of(0) == 0
    assert confidence_of(DOUBTFUL_MARGIN_NATS) == SURE
    assert 0.9 < confidence_of(1000) < confidence_of(float("inf")) == 1


def test_a_small_part_of_the_benchmark_meets_its_promises() -> None:
    deck = [Card(6, 7), Card(8, 9)]
    trials = list(recognition.trials(deck, recognition.HELD_OUT[:2], (150,), seed=7, wrong=1))
    figures = recognition.figures(recognition.run_all(trials, opus=False))
    assert figures["right accepted"] >= 0.95
    assert figures["wrong 0–99 marked right"] <= 0.01
    assert figures["goodbye taken for an answer"] == 0
    assert figures["anything else taken for goodbye"] == 0
    assert figures["repeat understood"] >= 0.9
