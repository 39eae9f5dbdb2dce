"""The dialogue: examples of every turn, and properties over any course of one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bot.deck import DECK, Card, confirming_grammar, in_words, listening_grammar
from greenroom.bot.dialogue import (
    FAIRLY_SURE,
    HELP,
    MOST_MISSES,
    SURE,
    Action,
    Dialogue,
    Farewell,
    Heard,
    Say,
    Show,
    ask,
    sentences,
    time_left,
)
from greenroom.bot.espeak import split_sentences
from greenroom.wire.events import AnswerData, QuestionData

CARD = Card(6, 7)
NEXT = Card(8, 9)
NOTHING = Heard("", 0.0)


def sure(text: str) -> Heard:
    return Heard(text, 1.0)


def unsure(text: str) -> Heard:
    return Heard(text, FAIRLY_SURE / 2)


def said(actions: list[Action]) -> str:
    return " ".join(action.text for action in actions if isinstance(action, Say | Farewell))


def shown(actions: list[Action], type_: str) -> list[dict[str, object]]:
    return [a.data for a in actions if isinstance(a, Show) and a.type == type_]


@pytest.fixture
def dialogue() -> Dialogue:
    """Has just asked six times seven; eight times nine comes next."""
    for seed in range(100):
        dialogue = Dialogue([CARD, NEXT], seed)
        if "six times seven" in said(dialogue.greet()):
            return dialogue
    raise AssertionError("no seed begins with this card")


def test_it_greets_with_the_first_question() -> None:
    actions = Dialogue([CARD], 0).greet()
    assert actions == [
        Say("Hello! What is six times seven?"),
        Show("app.question", {"question": "6 × 7", "number": 1}),
    ]


def test_a_right_answer_is_praised_and_the_next_question_follows_in_one_breath(
    dialogue: Dialogue,
) -> None:
    answer, say, question = dialogue.heard(sure("forty two"))
    assert answer == Show(
        "app.answer",
        {"question": "6 × 7", "value": 42, "correct": True, "expected": 42, "right": 1, "asked": 1},
    )
    assert isinstance(say, Say)
    assert say.text.endswith("! What is eight times nine?")
    assert question == Show("app.question", {"question": "8 × 9", "number": 2})


def test_a_wrong_answer_is_put_right(dialogue: Dialogue) -> None:
    actions = dialogue.heard(Heard("it's forty eight", FAIRLY_SURE))
    [answer] = shown(actions, "app.answer")
    assert (answer["value"], answer["correct"], answer["right"], answer["asked"]) == (
        48,
        False,
        0,
        1,
    )
    assert "Six times seven is forty two. What is eight times nine?" in said(actions)


@pytest.mark.parametrize("reply", ["yes", "forty two", "it's forty two"])
def test_in_doubt_it_asks_and_takes_yes_or_the_number_again(dialogue: Dialogue, reply: str) -> None:
    assert dialogue.heard(Heard("forty two", SURE - 0.01)) == [
        Say("I heard forty two. Is that right?")
    ]
    assert dialogue.grammar == confirming_grammar(CARD)
    [answer] = shown(dialogue.heard(Heard(reply, FAIRLY_SURE)), "app.answer")
    assert answer["correct"] is True
    assert dialogue.grammar == listening_grammar(NEXT)


def test_in_doubt_no_brings_the_question_back(dialogue: Dialogue) -> None:
    dialogue.heard(unsure("forty two"))
    actions = dialogue.heard(sure("no"))
    assert said(actions) == "Sorry. What is six times seven?"
    assert dialogue.grammar == listening_grammar(CARD)


def test_in_doubt_another_number_counts(dialogue: Dialogue) -> None:
    dialogue.heard(unsure("forty two"))
    [answer] = shown(dialogue.heard(sure("fifty")), "app.answer")
    assert answer["value"] == 50


def test_in_doubt_a_reply_not_understood_is_asked_for_again(dialogue: Dialogue) -> None:
    dialogue.heard(unsure("forty two"))
    assert said(dialogue.heard(NOTHING)) == "Did you say forty two? Yes or no?"


@pytest.mark.parametrize("doubting", [False, True])
def test_commands_win_at_any_time(dialogue: Dialogue, doubting: bool) -> None:
    if doubting:
        dialogue.heard(unsure("fifty"))
    assert said(dialogue.heard(sure("say that again"))) == "What is six times seven?"
    if doubting:
        dialogue.heard(unsure("fifty"))
    skipped = dialogue.heard(sure("skip"))
    assert said(skipped) == "Six times seven is forty two. What is eight times nine?"
    assert not shown(skipped, "app.answer")
    if doubting:
        dialogue.heard(unsure("fifty"))
    assert dialogue.heard(sure("goodbye")) == [Farewell("Goodbye!")]


def test_goodbye_tells_the_score_and_nothing_follows(dialogue: Dialogue) -> None:
    dialogue.heard(sure("forty two"))
    dialogue.heard(sure("nine"))
    assert dialogue.heard(sure("bye bye")) == [Farewell("Goodbye! You got one of two right.")]
    assert dialogue.heard(sure("forty two")) == []
    assert dialogue.rejoined() == []


def test_a_doubtful_goodbye_does_not_end_the_session(dialogue: Dialogue) -> None:
    assert dialogue.heard(Heard("goodbye", SURE - 0.01)) == [Say("Sorry?")]


def test_what_is_not_understood_is_asked_again_ever_more_helpfully(dialogue: Dialogue) -> None:
    first, second, third = (said(dialogue.heard(NOTHING)) for _ in range(3))
    assert first == "Sorry?"
    assert second == "Sorry? What is six times seven?"
    assert "goodbye" in third
    assert third.endswith("What is six times seven?")


def test_noise_is_asked_about_a_few_times_and_then_no_more(dialogue: Dialogue) -> None:
    assert all(dialogue.heard(NOTHING) for _ in range(MOST_MISSES))
    assert not any(dialogue.heard(heard) for heard in (NOTHING, sure("okay"), NOTHING))
    # What is typed is no noise, and does not make noise worth an answer.
    assert dialogue.heard(Heard("hm", 1.0, typed=True))
    assert dialogue.heard(NOTHING) == []
    dialogue.heard(sure("repeat"))
    assert dialogue.heard(NOTHING) == [Say("Sorry?")]


def test_noise_that_sounds_like_numbers_is_not_asked_about_for_ever(dialogue: Dialogue) -> None:
    heard = [dialogue.heard(unsure(in_words(number))) for number in range(70, 90)]
    assert [bool(actions) for actions in heard] == [number < MOST_MISSES for number in range(20)]
    assert shown(dialogue.heard(sure("forty two")), "app.answer")


def test_whoever_is_back_is_asked_again_as_at_first(dialogue: Dialogue) -> None:
    for _ in range(2 * MOST_MISSES):
        dialogue.heard(NOTHING)
    dialogue.rejoined()
    assert dialogue.heard(NOTHING) == [Say("Sorry?")]


def test_whoever_spoke_over_the_question_hears_it_again(dialogue: Dialogue) -> None:
    dialogue.interrupted()
    assert said(dialogue.heard(NOTHING)) == "Sorry? What is six times seven?"


def test_after_a_reload_it_asks_again_and_does_not_greet_again(dialogue: Dialogue) -> None:
    dialogue.heard(unsure("forty two"))
    assert dialogue.rejoined() == [Say("Welcome back. I had asked: what is six times seven?")]
    assert dialogue.grammar == listening_grammar(CARD)


def test_a_deck_needs_a_card() -> None:
    with pytest.raises(ValueError, match="at least one card"):
        Dialogue([], 0)


def test_all_that_is_often_said_can_be_prepared() -> None:
    prepared = set(sentences(DECK))
    dialogue = Dialogue(DECK, 3)
    spoken = [said(dialogue.greet())]
    for text in ("seven", "skip", "", "", "repeat", "ten"):
        spoken.append(said(dialogue.heard(Heard(text, float(bool(text))))))
    assert {s for text in spoken for s in split_sentences(text)} <= prepared


utterances = st.builds(
    Heard,
    st.one_of(
        st.sampled_from(["", "yes", "no", "repeat", "skip", "hello", "the", "goodbye"]),
        st.integers(0, 150).map(in_words),
        st.sampled_from([in_words(card.answer) for card in DECK]),
    ),
    st.floats(0, 1),
)


def _asks_again(actions: list[Action]) -> bool:
    return said(actions).startswith(("Sorry?", "Did you say", "I heard", HELP))


@given(st.integers(), st.lists(utterances, max_size=30))
def test_any_course_of_a_dialogue(seed: int, course: list[Heard]) -> None:
    dialogue, again = Dialogue(DECK, seed), Dialogue(DECK, seed)
    assert dialogue.greet() == again.greet()
    right = asked = 0
    number = 1
    asked_again = 0
    over = False
    for heard in course:
        actions = dialogue.heard(heard)
        assert actions == again.heard(heard)
        assert dialogue.grammar == again.grammar
        assert not (over and actions)
        asked_again = asked_again + 1 if _asks_again(actions) else 0 if actions else asked_again
        assert actions or over or asked_again == MOST_MISSES
        assert len(said(actions)) < 110
        for data in shown(actions, "app.answer"):
            answer = AnswerData.model_validate(data)
            asked += 1
            right += answer.correct
            assert answer.correct == (answer.value == answer.expected)
            assert (answer.right, answer.asked) == (right, asked)
        for data in shown(actions, "app.question"):
            number += 1
            assert QuestionData.model_validate(data).number == number
        over |= any(isinstance(action, Farewell) for action in actions)


@given(st.integers(), st.integers(2, len(DECK)))
def test_each_round_asks_every_card_and_none_twice_in_a_row(seed: int, size: int) -> None:
    dialogue = Dialogue(DECK[:size], seed)
    questions = [shown(dialogue.greet(), "app.question")[0]["question"]]
    for _ in range(2 * size - 1):
        questions += [shown(dialogue.heard(sure("skip")), "app.question")[0]["question"]]
    cards = {card.question for card in DECK[:size]}
    assert set(questions[:size]) == set(questions[size:]) == cards
    assert all(one != other for one, other in pairwise(questions))
    assert ask(CARD) == "What is six times seven?"


@pytest.mark.parametrize(
    ("ends_in_s", "said"),
    [
        (119.7, "We have two minutes left."),
        (600, "We have ten minutes left."),
        (89, "We have one minute left."),
        (45, "We have one minute left."),
        (31, "We have thirty seconds left."),
        (12, "We have ten seconds left."),
        (3, "We have only a moment left."),
        (0, "We have only a moment left."),
    ],
)
def test_how_long_is_left_is_said_as_people_do(ends_in_s: float, said: str) -> None:
    assert time_left(ends_in_s) == said
