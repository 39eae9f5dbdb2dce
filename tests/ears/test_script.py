"""Scripted dialogues: the turns of the example, real speech, and what goes wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenroom.assistants.records import parse
from greenroom.bot.dialogue import (
    FAIRLY_SURE,
    MOST_MISSES,
    SURE,
    Action,
    Call,
    Farewell,
    Heard,
    Say,
    Show,
)
from greenroom.bot.manner import manner_of
from greenroom.bot.scripted.dialogue import DID_NOT_WORK, MOST_STEPS, ONE_MOMENT, Script
from greenroom.bot.scripted.values import filled, said, spoken
from greenroom.bot.sphinx import Recogniser
from greenroom.errors import BadRecord
from greenroom.wire.script import ScriptRecord
from tests.ears.audio import utterance

EXAMPLE = Path(__file__).parents[2] / "examples" / "scripted" / "helper.yaml"
NOTHING = Heard("", 0.0)
NOTES = {"notes": [{"id": "n1", "title": "the doctor"}, {"id": "n2", "title": "Xyzzy 42"}]}


def sure(text: str) -> Heard:
    return Heard(text, 1.0)


def words(actions: list[Action]) -> str:
    return " ".join(one.text for one in actions if isinstance(one, Say | Farewell))


def call_in(actions: list[Action]) -> Call:
    [call] = [one for one in actions if isinstance(one, Call)]
    return call


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture
def data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    return copy.deepcopy(loaded)


@pytest.fixture
def helper(data: dict[str, Any], recogniser: Recogniser) -> Script:
    """The example, in order instead of shuffled; has greeted."""
    record = parse({**data, "script": {**data["script"], "shuffle": False}})
    assert record.script is not None
    script = Script(record.script, 0, manner_of(record), recogniser.knows)
    assert script.greet() == [Say("Hello, I am your helper. Flash cards, or notes?")]
    return script


def small(**fields: Any) -> Script:
    """A script of one state."""
    state = {"prompt": "Well?", **fields.pop("state", {})}
    return Script(ScriptRecord.model_validate({"start": "s", "states": {"s": state}, **fields}))


# ---- the example


def test_flash_cards(helper: Script) -> None:
    call = call_in(helper.heard(sure("flash cards")))
    assert call == Call("show_card", {"front": "The capital of France?", "back": "Paris"})
    assert helper.came({"done": True}) == [Say("What is the capital of France?")]
    assert helper.heard(sure("it is paris")) == [Say("Right!"), Call("turn_card", {})]
    assert call_in(helper.came({})).arguments["back"] == "Rome"
    assert helper.came({}) == [Say("What is the capital of Italy?")]
    assert "Madrid is the capital of Spain. It is Rome." in words(helper.heard(sure("madrid")))


def test_a_deck_comes_round_again_in_an_order_of_the_sessions_own(data: dict[str, Any]) -> None:
    record = parse(data).script
    assert record is not None

    def drawn(seed: int, count: int) -> list[str]:
        script = Script(record, seed)
        script.greet()
        call = call_in(script.heard(sure("a quiz")))
        cards = []
        for _ in range(count):
            cards.append(call.arguments["back"])
            script.came({})
            script.heard(sure("skip it"))
            call = call_in(script.came({}))
        return cards

    first = drawn(1, 16)
    assert sorted(first[:8]) == sorted(first[8:])
    assert len(set(first)) == 8
    assert first != drawn(2, 16)
    assert first == drawn(1, 16)


def test_a_note_is_chosen_from_a_list_and_kept(helper: Script) -> None:
    assert "What is it about?" in words(helper.heard(sure("take a note")))
    assert "minutes" in words(helper.heard(sure("the second one")))
    call = call_in(helper.heard(sure("in forty two minutes")))
    assert call == Call("create_note", {"title": "homework", "text": "In 42 minutes"})
    actions = helper.came({"id": "n1", "title": "homework"})
    assert words(actions) == "I have written it down."
    assert call_in(actions) == Call("open_panel", {"panel": "notes"})
    assert helper.came({}) == [Say("Flash cards, or notes?")]


def test_a_note_that_was_found_is_read(helper: Script) -> None:
    assert call_in(helper.heard(sure("read my notes"))) == Call("search_notes", {})
    assert helper.came(NOTES) == [Say("Which one?")]
    # A title of words that no recogniser knows can be typed, or counted.
    assert "xyzzy" not in helper.grammar
    assert "the doctor" in helper.grammar
    for text in ("read xyzzy forty two", "the last one", "number two"):
        assert call_in(helper.heard(sure(text))) == Call("read_note", {"id": "n2"})
        assert helper.came({"id": "n2", "title": "Xyzzy 42", "text": "x"}) == [
            Say("Xyzzy 42. x. Flash cards, or notes?")
        ]
        helper.heard(sure("my notes"))
        helper.came(NOTES)


def test_without_notes_there_is_nothing_to_choose(helper: Script) -> None:
    helper.heard(sure("my notes"))
    assert helper.came({"notes": []}) == [Say("You have no notes. Flash cards, or notes?")]


@pytest.mark.parametrize(
    ("text", "opens"),
    [("open the notes", True), ("show me the cards please", True), ("close the messages", False)],
)
def test_panels_open_by_voice_everywhere(helper: Script, text: str, opens: bool) -> None:
    helper.heard(sure("take a note"))
    call = call_in(helper.heard(sure(text)))
    assert call.name == "open_panel"
    assert call.arguments.get("open", True) is opens
    assert "What is it about?" in words(helper.came({}))


@pytest.mark.parametrize("text", ["goodbye", "bye bye", "that is all"])
def test_it_parts_in_the_records_words_and_says_nothing_more(helper: Script, text: str) -> None:
    assert helper.heard(sure(text)) == [Farewell("Goodbye, until next time!")]
    assert helper.heard(sure("flash cards")) == []
    assert helper.rejoined() == []


# ---- misunderstandings


def test_it_helps_more_each_time(helper: Script) -> None:
    assert helper.heard(NOTHING) == [Say("Sorry?")]
    assert helper.heard(NOTHING) == [Say("Sorry? Flash cards, or notes?")]
    assert "Say flash cards, take a note" in words(helper.heard(NOTHING))
    helper.heard(sure("repeat"))
    assert helper.heard(NOTHING) == [Say("Sorry?")]
    assert words(helper.heard(sure("help"))).startswith("Say flash cards")
    assert helper.rejoined() == [Say("Welcome back. Flash cards, or notes?")]


def test_noise_is_asked_about_a_few_times_and_then_no_more(helper: Script) -> None:
    assert all(helper.heard(NOTHING) for _ in range(MOST_MISSES))
    assert not any(helper.heard(heard) for heard in (NOTHING, sure("okay"), NOTHING))
    # What is typed is no noise, and does not make noise worth an answer.
    assert helper.heard(Heard("hm", 1.0, typed=True))
    assert helper.heard(NOTHING) == []
    helper.heard(sure("repeat"))
    assert helper.heard(NOTHING) == [Say("Sorry?")]
    for _ in range(2 * MOST_MISSES):
        helper.heard(NOTHING)
    helper.rejoined()
    assert helper.heard(NOTHING) == [Say("Sorry?")]


def test_whoever_was_interrupted_asks_again_at_once(helper: Script) -> None:
    helper.interrupted()
    assert helper.heard(NOTHING) == [Say("Sorry? Flash cards, or notes?")]


def test_in_doubt_it_asks_back(helper: Script) -> None:
    doubtful = Heard("take a note", FAIRLY_SURE / 2)
    assert "yes" not in helper.grammar
    assert helper.heard(doubtful) == [Say("Did you say: take a note?")]
    assert "yes" in helper.grammar
    assert "Yes or no?" in words(helper.heard(NOTHING))
    assert helper.heard(sure("no")) == [Say("Sorry. Flash cards, or notes?")]
    helper.heard(doubtful)
    assert "What is it about?" in words(helper.heard(sure("yes")))
    helper.heard(sure("menu"))
    helper.heard(doubtful)
    # Who says it again means it.
    assert "What is it about?" in words(helper.heard(doubtful))


def test_a_goodbye_that_may_be_none_is_not_obeyed(helper: Script) -> None:
    assert helper.heard(Heard("goodbye", SURE - 0.01)) == [Say("Sorry?")]


# ---- tools


def test_while_a_tool_is_at_work_it_says_so_and_goodbye_holds(helper: Script) -> None:
    helper.heard(sure("my notes"))
    assert helper.heard(sure("flash cards")) == [Say(ONE_MOMENT)]
    assert helper.heard(NOTHING) == []
    assert isinstance(helper.heard(sure("goodbye"))[0], Farewell)
    assert helper.came(NOTES) == []


def test_a_tool_that_fails_is_told_in_words(helper: Script) -> None:
    helper.heard(sure("my notes"))
    assert helper.came_to_nothing("No.") == [
        Say("I cannot find your notes. Flash cards, or notes?")
    ]
    call_in(helper.heard(sure("open the notes")))
    assert helper.came_to_nothing("No.") == [Say(f"{DID_NOT_WORK} Flash cards, or notes?")]
    # What comes after that belongs to nothing.
    assert helper.came({}) == []
    assert helper.came_to_nothing("No.") == []


def test_the_reason_may_be_said() -> None:
    do = [{"call": "f", "failed": [{"say": "Sorry: {problem}"}]}]
    script = small(state={"expect": [{"say": ["go"], "do": do}]})
    script.greet()
    script.heard(sure("go"))
    assert script.came_to_nothing("no paper.") == [Say("Sorry: no paper. Well?")]


def test_a_script_that_goes_in_circles_comes_to_a_stop() -> None:
    script = small(state={"enter": [{"goTo": "s"}]})
    assert script.greet()[-1] == Say("Hello! Well?")
    calls = small(state={"enter": [{"call": "f", "failed": [{"goTo": "s"}]}]})
    actions = calls.greet()
    for _ in range(MOST_STEPS):
        actions = calls.came_to_nothing("no")
    assert actions == []


def test_events_and_arguments_have_the_values_as_they_are() -> None:
    show = {"type": "app.x", "data": {"n": "{n}", "text": "it is {n}", "all": ["{n}", 1]}}
    script = small(
        slots={"n": {"number": {"from": 1, "to": 3}}},
        state={"expect": [{"say": ["{n}"], "do": [{"show": show}]}]},
    )
    script.greet()
    assert Show("app.x", {"n": 2, "text": "it is 2", "all": [2, 1]}) in script.heard(sure("two"))


def test_values_are_found_or_are_not_there() -> None:
    values = {"a": {"b": [1, "x"]}, "f": 1.5}
    assert filled("{a.b.1}", values) == "x"
    assert filled("{nothing.there}", values) is None
    assert said("{a.b} {f} {nothing} {a}", values) == "1, x 1.5  "
    assert spoken("It's 42, 12345!") == "it's forty two one two three four five"


# ---- what is heard of real speech


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ([], "flash cards"),
        ([], "take a note"),
        ([], "read my notes"),
        ([], "open the notes please"),
        ([], "show me the messages"),
        ([], "help me"),
        ([], "goodbye"),
        (["flash cards"], "rome"),
        (["flash cards"], "it is berlin"),
        (["flash cards"], "back to the menu"),
        (["take a note"], "the doctor"),
        (["take a note"], "the second one"),
        (["take a note"], "a phone call"),
        (["take a note", "homework"], "twenty five minutes"),
    ],
)
@pytest.mark.parametrize("noisy", [False, True])
def test_what_the_example_expects_is_understood(
    helper: Script, recogniser: Recogniser, before: list[str], text: str, noisy: bool
) -> None:
    for step in before:
        helper.heard(sure(step))
        helper.came({})
    assert hear(recogniser, helper, text, noisy=noisy).confidence >= FAIRLY_SURE


@pytest.mark.parametrize("text", ["i would like to order a pizza", "how is the weather today"])
def test_other_speech_is_not_obeyed(helper: Script, recogniser: Recogniser, text: str) -> None:
    recogniser.take_meaning(helper.meaning)
    recogniser.start(helper.grammar)
    recogniser.feed(utterance(text))
    heard = recogniser.finish()
    assert helper.meaning(heard.text) in (None, "decoy") or heard.confidence < FAIRLY_SURE


def hear(recogniser: Recogniser, script: Script, text: str, *, noisy: bool) -> Heard:
    recogniser.take_meaning(script.meaning)
    recogniser.start(script.grammar)
    recogniser.feed(utterance(text, noisy=noisy))
    heard = recogniser.finish()
    assert script.meaning(heard.text) == script.meaning(text) is not None
    return heard


# ---- records that are wrong

Change = Callable[[dict[str, Any]], None]


def _set(path: str, value: Any) -> Change:
    *parts, last = path.split("/")

    def change(data: dict[str, Any]) -> None:
        found: Any = data
        for part in parts:
            found = found[int(part)] if part.isdigit() else found[part]
        found[int(last) if last.isdigit() else last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_set("script/start", "nowhere"), "script.start"),
        (
            _set("script/states/topic/expect/0/do/0/goTo", "x"),
            "script.states.topic.expect[0].do[0].goTo",
        ),
        (_set("script/states/menu/prompt", "Hi {nobody.name}"), "script.states.menu.prompt"),
        (_set("script/states/card/enter/0/draw", "deck"), "script.states.card.enter[0].draw"),
        (_set("script/slots/note/choice", "lost.notes"), "script.slots.note.choice"),
        (_set("script/slots/panel/choice", "topics"), "script.slots.panel"),
        (_set("script/slots/minutes/number/from", 61), "script.slots.minutes.number"),
        (_set("script/everywhere/0/do/0/say", "both"), "script.everywhere[0].do[0]"),
        (
            _set("script/everywhere/0/do/0/with/panel", "{pannel}"),
            "script.everywhere[0].do[0].with.panel",
        ),
        (_set("script/states/menu/expekt", []), "script.states.menu.expekt"),
        (
            _set("script/states/notes/enter/0/failed/1/goTo", "x"),
            "script.states.notes.enter[0].failed[1].goTo",
        ),
        (_set("tools", ["notes", "flashcards"]), "script.everywhere[0].do[0].call"),
        (_set("llm", {"service": "openai"}), "script"),
        (
            _set("script/states/topic/expect/0/say", ["{minutes} {minutes} {note}"]),
            "script.states.topic.expect",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_path(
    data: dict[str, Any], change: Change, field: str
) -> None:
    change(data)
    with pytest.raises(BadRecord) as caught:
        parse(data)
    assert field in [problem["field"] for problem in caught.value.detail["problems"]]


def test_a_function_of_an_mcp_server_may_be_any(data: dict[str, Any]) -> None:
    data["tools"] = [{"name": "numbers", "kind": "mcp"}]
    assert parse(data).script is not None
