"""The deck and its grammars: every sentence means something, and is known to the recogniser."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketsphinx import Decoder

from greenroom.bot.deck import (
    ALWAYS_UNDERSTOOD,
    COMMAND_PHRASES,
    DECK,
    DECOYS,
    LARGEST,
    LEAD_INS,
    REPLY_PHRASES,
    Card,
    Command,
    Nothing,
    confirming_grammar,
    in_words,
    likely_wrong,
    listening_grammar,
    meaning,
    number_in,
)


@given(st.integers(0, LARGEST), st.sampled_from(["", *(f"{lead_in} " for lead_in in LEAD_INS)]))
def test_a_number_in_words_is_that_number_again(number: int, lead_in: str) -> None:
    words = in_words(number)
    assert re.fullmatch("[a-z ]+", words)
    assert number_in(lead_in + words) == number


def test_a_hundred_may_be_said_in_four_ways() -> None:
    said = ["one hundred eight", "a hundred eight", "one hundred and eight", "a hundred and eight"]
    assert [meaning(text) for text in said] == [108] * 4


@pytest.mark.parametrize("text", ["", "the", "one hundred and", "let", "twenty four six", "bye"])
def test_what_is_no_whole_sentence_means_nothing(text: str) -> None:
    assert meaning(text) is None


def test_commands_replies_and_decoys_mean_what_they_should() -> None:
    assert {meaning(text) for text in DECOYS} == {Nothing.DECOY}
    assert {text: meaning(text) for text in COMMAND_PHRASES} == COMMAND_PHRASES
    assert {text: meaning(text) for text in REPLY_PHRASES} == REPLY_PHRASES


def test_the_deck_is_large_enough_and_has_no_card_twice() -> None:
    assert 25 <= len(DECK) <= 40
    assert len(set(DECK)) == len(DECK)
    assert Card(6, 7) in DECK


def test_a_card_reads_and_sounds_as_it_should() -> None:
    card = Card(6, 7)
    assert (card.question, card.spoken, card.answer) == ("6 × 7", "six times seven", 42)


@given(st.builds(Card, st.integers(2, 12), st.integers(2, 12)))
def test_likely_wrong_answers_are_wrong(card: Card) -> None:
    wrong = likely_wrong(card)
    assert card.answer not in wrong
    assert min(wrong) >= 0
    assert {card.answer + 1, card.answer + 10} <= wrong


def test_every_word_of_every_grammar_is_in_the_dictionary() -> None:
    decoder = Decoder(lm=None, loglevel="FATAL")
    grammars = [
        grammar(card) for card in DECK for grammar in (listening_grammar, confirming_grammar)
    ]
    for grammar in grammars:
        body = grammar.split(";\n", 2)[2]
        for word in set(re.findall(r"(?<![<\w'])[a-z']+(?![>\w'])", body)) - {"public"}:
            assert decoder.lookup_word(word), word


def test_each_sentence_of_a_grammar_is_one_the_bot_knows() -> None:
    for grammar in (listening_grammar(Card(9, 12)), confirming_grammar(Card(9, 12))):
        rule = re.search("public <utterance> = (.*);", grammar)
        assert rule is not None
        sentences = [part.strip() for part in re.sub(r"/[0-9.]+/", "", rule[1]).split("|")]
        whole = [sentence for sentence in sentences if "<" not in sentence]
        assert {meaning(sentence) is not None for sentence in whole} == {True}
        assert {*ALWAYS_UNDERSTOOD, 108} <= {meaning(sentence) for sentence in whole}


def test_yes_and_no_are_listened_for_only_when_asked() -> None:
    card = DECK[0]
    assert "/ yes" not in listening_grammar(card)
    assert "/ yes" in confirming_grammar(card)
    assert Command.GOODBYE in {meaning(text) for text in COMMAND_PHRASES}
    assert "/ goodbye" in confirming_grammar(card)
