"""Tools that the server carries out: default deny, checked, bounded, answered whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from greenroom import assembly
from greenroom.errors import Unavailable
from greenroom.ports.assistants import Source
from greenroom.ports.audit import Actor, ActorKind
from greenroom.ports.store import Store, StoredEvent
from greenroom.service.policies import POLICIES, Outside
from greenroom.service.reports import Way
from greenroom.session.facts import EffectKind
from greenroom.session.inputs import ToolAnswered
from greenroom.testing.clock import FakeClock
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.tools import MAX_RESULT_BYTES
from tests.conftest import House, a_house

OPS = Actor(ActorKind.OPERATOR, "ops")


async def talk(house: House, *tools: Any, user: str = "ada") -> str:
    """A session with an assistant that has these tools, and both in the room; its id."""
    record = {"name": "mary", "tools": list(tools)}
    await house.parts.versions.save(OPS, record, source=Source.COMMAND, publish=True)
    session = (await house.sessions.start(user, "mary")).session
    await report(house, session.id, ReportKind.BOT_JOINED)
    await report(house, session.id, ReportKind.USER_JOINED, participant="page-0001")
    return session.id


async def report(house: House, session_id: str, kind: ReportKind, **data: Any) -> None:
    session = await house.session(session_id)
    told = Report(seq=session.report_seq + 1, at_ms=0, kind=kind, data=data)
    await house.parts.reports.take(Way.LINK, session.launch_id, session_id, told)


async def ask(
    house: House, session_id: str, call: str, name: str, tool: str = "notes", **arguments: Any
) -> None:
    """Have the session's bot call a function of the server's."""
    data = {"toolCallId": call, "tool": tool, "name": name, "where": "server"}
    await report(house, session_id, ReportKind.TOOL_CALL, **data, arguments=arguments)


async def answers(house: House, session_id: str) -> dict[str, Mapping[str, Any]]:
    """What the bot is to be told of its calls, by call: it is not linked, so that it waits."""
    effects = await house.parts.store.effects.of(session_id)
    found = [e.payload["data"]["results"] for e in effects if e.payload.get("kind") == TOLD]
    return {answer["toolCallId"]: answer for (answer,) in found}


TOLD = "tool_results"


async def answered(house: House, session_id: str, call: str) -> Mapping[str, Any]:
    """What a call has come to, once it has."""
    async with house.parts.hub.subscribe(f"session:{session_id}") as waiter:
        while call not in (found := await answers(house, session_id)):
            assert await waiter.wait(10), f"no answer to {call}"
    return found[call]


async def told(
    house: House, session_id: str, call: str, name: str, tool: str = "notes", **arguments: Any
) -> Mapping[str, Any]:
    """Call a function, and what it comes to."""
    await ask(house, session_id, call, name, tool, **arguments)
    return await answered(house, session_id, call)


async def settled(house: House) -> None:
    """Wait until no call is on record as one that is still to be carried out."""
    async with asyncio.timeout(10):
        while await house.parts.store.effects.due(EffectKind.RUN_TOOL, 1e12):
            await asyncio.sleep(0.005)


async def events(house: House, session_id: str, kind: str) -> list[StoredEvent]:
    found = await house.parts.store.events_after(session_id, 0, 500)
    return [event for event in found if event.type == kind]


# ---- default deny


@pytest.mark.parametrize(
    ("tool", "name", "sentence"),
    [
        ("browser", "open_page", "There is no tool called “browser”."),
        ("__class__", "x", "There is no tool called “__class__”."),
        ("notes", "drop_notes", "“notes” has no function “drop_notes” on the server."),
        ("flashcards", "show_card", "“flashcards” has no function “show_card” on the server."),
        ("map", "map", "“map” has no function “map” on the server."),
    ],
)
async def test_what_the_record_does_not_name_is_refused(
    house: House, tool: str, name: str, sentence: str
) -> None:
    """FAILURES 27."""
    session_id = await talk(house, "notes", "flashcards", {"name": "map", "kind": "page"})
    assert await told(house, session_id, "c1", name, tool) == {
        "toolCallId": "c1",
        "by": "server",
        "error": sentence,
        "refused": True,
    }
    await settled(house)


async def test_without_a_record_there_are_no_tools(house: House) -> None:
    """FAILURES 27."""
    session = (await house.sessions.start("ada", "cards")).session
    answer = await told(house, session.id, "c1", "create_note", title="Milk")
    assert answer["refused"]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "title: "),
        ({"title": "Milk", "text": 7}, "text: "),
        ({"title": "x" * 201}, "title: "),
        ({"title": "Milk", "colour": "red"}, "colour: "),
    ],
)
async def test_arguments_that_do_not_match_are_refused_by_their_path(
    house: House, arguments: dict[str, Any], path: str
) -> None:
    session_id = await talk(house, "notes")
    answer = await told(house, session_id, "c1", "create_note", **arguments)
    assert answer["refused"]
    assert path in answer["error"]
    assert await house.parts.store.notes.search("ada", "default", [], 9) == []


# ---- notes


async def test_a_note_is_made_found_read_changed_and_deleted(house: House) -> None:
    session_id = await talk(house, "notes")
    made = await told(house, session_id, "c1", "create_note", title="Milk", text="Two litres")
    note_id = made["result"]["id"]
    assert made == {
        "toolCallId": "c1",
        "by": "server",
        "result": {"id": note_id, "title": "Milk"},
        "refused": False,
    }
    found = await told(house, session_id, "c2", "search_notes", query="LITRES two")
    assert found["result"] == {
        "notes": [{"id": note_id, "title": "Milk", "text": "Two litres"}],
        "more": False,
    }
    await told(house, session_id, "c3", "edit_note", id=note_id, text="One litre")
    read = await told(house, session_id, "c4", "read_note", id=note_id)
    assert (read["result"]["text"], "cut" in read["result"]) == ("One litre", False)
    gone = await told(house, session_id, "c5", "delete_note", id=note_id)
    assert gone["result"] == {"id": note_id, "title": "Milk", "deleted": True}
    again = await told(house, session_id, "c6", "read_note", id=note_id)
    assert again["error"].startswith("There is no note with this id.")
    assert not again["refused"]
    shown = [event.data for event in await events(house, session_id, "ui.note")]
    texts = [(note["action"], note["note"]["text"]) for note in shown]
    assert texts == [
        ("created", "Two litres"),
        ("changed", "One litre"),
        ("shown", "One litre"),
        ("deleted", ""),
    ]
    assert shown[0]["note"]["createdAt"].endswith("Z")


async def test_what_a_call_changed_is_shown_in_the_transaction_that_answers_it(
    house: House,
) -> None:
    session_id = await talk(house, "notes")
    before = (await house.session(session_id)).version
    await told(house, session_id, "c1", "create_note", title="Milk")
    after = await house.session(session_id)
    assert after.version == before + 2, "the call, and its answer with the note"
    assert len(await events(house, session_id, "ui.note")) == 1


async def test_a_call_that_comes_again_makes_one_note(house: House) -> None:
    session_id = await talk(house, "notes")
    for _ in range(2):
        await ask(house, session_id, "c1", "create_note", title="Milk")
    await settled(house)
    assert len(await house.parts.store.notes.search("ada", "default", [], 9)) == 1


async def test_nobody_reaches_anybody_elses_notes(house: House) -> None:
    of_ada, of_bob = await talk(house, "notes"), await talk(house, "notes", user="bob")
    made = await told(house, of_ada, "c1", "create_note", title="Milk")
    for name in ("read_note", "delete_note"):
        refused = await told(house, of_bob, name, name, id=made["result"]["id"])
        assert "error" in refused
    found = await told(house, of_bob, "c3", "search_notes")
    assert found["result"]["notes"] == []


@pytest.mark.parametrize("character", ["\U0001f41e", "\x01", "x"])
async def test_a_long_note_is_read_as_far_as_a_result_goes(house: House, character: str) -> None:
    session_id = await talk(house, "notes")
    made = await told(house, session_id, "c1", "create_note", title="Long")
    note = await house.parts.store.notes.edit(
        "ada", "default", made["result"]["id"], title=None, text=character * 8_000, now=1e9
    )
    assert note is not None
    result = (await told(house, session_id, "c3", "read_note", id=note.id))["result"]
    assert note.text.startswith(result["text"])
    assert result.get("cut", False) == (character != "x")
    assert len(json.dumps(result, ensure_ascii=False).encode()) <= MAX_RESULT_BYTES


async def test_too_many_notes_are_told_to_the_model(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.service.notes.MOST_NOTES", 2)
    session_id = await talk(house, "notes")
    for number in range(2):
        await told(house, session_id, f"c{number}", "create_note", title="Milk")
    full = await told(house, session_id, "c3", "create_note", title="Milk")
    assert full["error"] == "The user has 2 notes, and can have no more. Delete one first."


# ---- whatever happens


async def test_what_nobody_waits_for_any_more_is_not_carried_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await talk(house, {"name": "notes", "timeoutS": 5})
    store = house.parts.store

    async def away(*args: object) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(store.notes, "create", away)
    failed = house.parts.metrics.effects_failed.labels(kind="run_tool")
    await ask(house, session_id, "c1", "create_note", title="Milk")
    await house.until_true(lambda: failed._value.get() == 1)
    monkeypatch.undo()
    house.clock.advance(5)
    house.parts.hub.publish("effects")
    late = await answered(house, session_id, "c1")
    assert "Nobody knows whether the tool was carried out in time." in late["error"]
    assert await store.notes.search("ada", "default", [], 9) == []


async def test_a_call_that_its_bot_could_not_tell_of_in_time_is_not_carried_out(
    house: House,
) -> None:
    """The bot has long said that it came to nothing: the server was away meanwhile."""
    session_id = await talk(house, {"name": "notes", "timeoutS": 5})
    for call, ago_ms in (("c1", 5_000), ("c2", 4_900)):
        session = await house.session(session_id)
        told_late = Report(
            seq=session.report_seq + 1,
            at_ms=0,
            ago_ms=ago_ms,
            kind=ReportKind.TOOL_CALL,
            data={
                "toolCallId": call,
                "tool": "notes",
                "name": "create_note",
                "where": "server",
                "arguments": {"title": "Milk"},
            },
        )
        await house.parts.reports.take(Way.LINK, session.launch_id, session_id, told_late)
        await answered(house, session_id, call)
    assert "error" in (await answers(house, session_id))["c1"]
    (note,) = await events(house, session_id, "ui.note")
    answer = (await answers(house, session_id))["c2"]
    assert answer["result"]["id"] == note.data["note"]["id"]


async def test_a_server_that_dies_before_it_has_answered_makes_no_second_note(
    store: Store, plan: assembly.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILURES 20. The note is kept, and the answer is not: as after a ``kill -9`` in between."""
    clock = FakeClock()
    answering = asyncio.Event()

    async def dies(*args: object, **more: object) -> None:
        answering.set()
        await asyncio.Event().wait()

    async with a_house(store, plan, clock=clock) as first:
        session_id = await talk(first, "notes")
        monkeypatch.setattr(first.sessions, "apply", dies)
        await ask(first, session_id, "c1", "create_note", title="Milk")
        await answering.wait()
    async with a_house(store, plan, clock=clock) as second:
        answer = await answered(second, session_id, "c1")
        await settled(second)
    (note,) = await store.notes.search("ada", "default", [], 9)
    assert answer["result"] == {"id": note.id, "title": "Milk"}


async def test_a_server_that_dies_when_it_has_answered_shows_no_note_twice(
    store: Store, plan: assembly.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILURES 20. As after a ``kill -9`` behind the transaction that holds the answer."""
    clock = FakeClock()
    answered_once = asyncio.Event()

    async with a_house(store, plan, clock=clock) as first:
        session_id = await talk(first, "notes")
        apply = first.sessions.apply

        async def dies_behind_it(*args: Any, **more: Any) -> None:
            await apply(*args, **more)
            answered_once.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(first.sessions, "apply", dies_behind_it)
        await ask(first, session_id, "c1", "create_note", title="Milk")
        await answered_once.wait()
    async with a_house(store, plan, clock=clock) as second:
        # What the first has left is begun before what is asked of the second.
        await told(second, session_id, "c2", "search_notes")
        await settled(second)
        assert list(await answers(second, session_id)) == ["c1", "c2"]
        assert len(await events(second, session_id, "ui.note")) == 1
        effects = await store.effects.of(session_id)
    assert len([e for e in effects if e.payload.get("kind") == TOLD]) == 2, "each answered once"


async def test_what_another_server_has_answered_meanwhile_is_not_told_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await talk(house, "notes")
    store, create = house.parts.store, house.parts.store.notes.create
    begun, may_go = asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> Any:
        begun.set()
        await may_go.wait()
        return await create(*args)

    monkeypatch.setattr(store.notes, "create", slow)
    await ask(house, session_id, "c1", "create_note", title="Milk")
    await begun.wait()
    (call,) = await store.effects.due(EffectKind.RUN_TOOL, 1e12)
    answer = ToolAnswered({"toolCallId": "c1", "by": "server", "result": {}})
    await house.sessions.apply(session_id, answer, settles=call)
    may_go.set()
    await told(house, session_id, "c2", "search_notes")
    assert await events(house, session_id, "ui.note") == []
    assert (await answers(house, session_id))["c1"]["result"] == {}
    assert house.parts.metrics.effects_failed.labels(kind="run_tool")._value.get() == 0


async def test_what_is_given_up_is_answered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await talk(house, {"name": "notes", "timeoutS": 60})

    async def breaks(*args: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(house.parts.store.notes, "create", breaks)
    policy = POLICIES[Outside.RUN_TOOL]
    failed = house.parts.metrics.effects_failed.labels(kind="run_tool")
    dead = house.parts.metrics.effects_dead.labels(kind="run_tool")
    # As tests render it, each would take a second.
    monkeypatch.setattr("greenroom.service.dispatch.log.exception", lambda *args, **more: None)
    await ask(house, session_id, "c1", "create_note", title="Milk")
    for attempt in range(1, 9):
        await house.until_true(lambda attempt=attempt: failed._value.get() >= attempt)  # type: ignore[misc]
        # Past its next try, but in all within the time in which its bot waits.
        house.clock.advance(policy.wait_s(attempt) + policy.jitter_s)
        house.parts.hub.publish("effects")
    await house.until_true(lambda: dead._value.get() == 1)
    answer = await answered(house, session_id, "c1")
    assert answer["error"] == "The tool could not be carried out. Try again later."


async def test_a_slow_call_keeps_nothing_waiting_and_a_session_that_ends_drops_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await talk(house, "notes")
    begun, may_go = asyncio.Event(), asyncio.Event()
    create = house.parts.store.notes.create

    async def slow(*args: Any) -> Any:
        begun.set()
        await may_go.wait()
        return await create(*args)

    monkeypatch.setattr(house.parts.store.notes, "create", slow)
    await ask(house, session_id, "c1", "create_note", title="Slow")
    await begun.wait()
    found = await told(house, session_id, "c2", "search_notes")
    assert found["result"]["notes"] == [], "another call of the same session goes on beside it"
    await house.sessions.stop(session_id, "ada")
    await house.until_true(lambda: bool(house.launcher.ended))
    may_go.set()
    await settled(house)
    assert "c1" not in await answers(house, session_id)


async def test_a_call_that_ends_while_somebody_looks_is_not_begun_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await talk(house, "notes")
    begun, may_go, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()
    store, search = house.parts.store, house.parts.store.notes.search
    look, times = store.effects.due, 0

    async def slow(*args: Any) -> Any:
        nonlocal times
        times += 1
        begun.set()
        await may_go.wait()
        return await search(*args)

    async def look_slowly(kind: EffectKind, now: float) -> Any:
        """What was due when it was read; what is returned late."""
        due = await look(kind, now)
        if begun.is_set() and not looked.is_set():
            may_go.set()
            async with asyncio.timeout(10):
                while await look(kind, now):
                    await asyncio.sleep(0.005)
            looked.set()
        return due

    monkeypatch.setattr(store.notes, "search", slow)
    monkeypatch.setattr(store.effects, "due", look_slowly)
    await ask(house, session_id, "c1", "search_notes")
    await begun.wait()
    house.parts.hub.publish("effects")
    await looked.wait()
    await told(house, session_id, "c2", "search_notes")
    assert times == 2, "each of the two once"


async def test_a_call_of_a_session_that_has_ended_is_not_begun(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await talk(house, "notes")
    failed = house.parts.metrics.effects_failed.labels(kind="run_tool")

    async def away(*args: object) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(house.parts.store.notes, "create", away)
    await ask(house, session_id, "c1", "create_note", title="Milk")
    await house.until_true(lambda: failed._value.get() == 1)
    monkeypatch.undo()
    await house.sessions.stop(session_id, "ada")
    house.clock.advance(1)
    house.parts.hub.publish("effects")
    await settled(house)
    assert await house.parts.store.notes.search("ada", "default", [], 9) == []


async def test_so_many_calls_of_a_session_run_at_once_and_the_rest_wait_their_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.service.dispatch.CALLS_AT_ONCE", 2)
    session_id = await talk(house, "notes")
    running, most = 0, 0
    two = asyncio.Event()
    search = house.parts.store.notes.search

    async def counted(*args: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            two.set()
        await asyncio.wait_for(two.wait(), 10)
        await asyncio.sleep(0.01)  # a third would have come
        running -= 1
        return await search(*args)

    monkeypatch.setattr(house.parts.store.notes, "search", counted)
    for number in range(6):
        await ask(house, session_id, f"c{number}", "search_notes")
    for number in range(6):
        assert "result" in await answered(house, session_id, f"c{number}")
    assert most == 2
