"""A page's answers to tool calls, and a user's notes over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from greenroom.ports.notes import Note
from greenroom.wire.keys import Scope
from greenroom.wire.link import Command, CommandKind, ReportKind
from greenroom.wire.tools import MAX_RESULT_BYTES, ToolAnswer, Where
from tests.api.fakebot import FakeBot
from tests.api.test_keys import a_server
from tests.api.test_operators import operator
from tests.api.test_voice import the_order
from tests.conftest import House
from tests.service.test_people import as_user
from tests.service.test_tools import answered, answers, report, talk

PAGE = {"name": "map", "kind": "page"}


async def a_call_of_the_page(house: House) -> str:
    """A session whose bot has asked the page for something; its id."""
    session_id = await talk(house, PAGE)
    call = {"toolCallId": "c1", "tool": "map", "name": "map", "where": "page"}
    await report(house, session_id, ReportKind.TOOL_CALL, **call)
    return session_id


def at(session_id: str, call: str = "c1") -> str:
    return f"/api/voice/session/{session_id}/tools/{call}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"result": {"at": [1, None]}}, {"result": {"at": [1, None]}}),
        ({"error": "The map is closed."}, {"error": "The map is closed."}),
        ({"error": "Closed.", "result": 1}, {"error": "Closed."}),
        ({}, {}),
    ],
)
async def test_what_a_pages_tool_has_come_to_is_told_to_the_bot(
    server: House, body: dict[str, Any], told: dict[str, Any]
) -> None:
    session_id = await a_call_of_the_page(server)
    async with await as_user(server, "ada") as ada:
        answer = await ada.post(at(session_id), json=body)
    assert (answer.status_code, answer.json()["sessionId"]) == (202, session_id)
    given = await answered(server, session_id, "c1")
    assert given == {"toolCallId": "c1", "by": "page", "refused": False, **told}


async def test_the_server_carries_out_nothing_that_is_the_pages(server: House) -> None:
    session_id = await a_call_of_the_page(server)
    effects = await server.parts.store.effects.of(session_id)
    assert [e.kind.value for e in effects if e.kind.value == "run_tool"] == []


@pytest.mark.parametrize(
    ("call", "body", "refusal"),
    [
        ("c1", {"result": "x" * MAX_RESULT_BYTES}, (413, "too_large")),
        ("c1", {"error": "x" * 501}, (400, "bad_request")),
        ("c.1", {"result": 1}, (400, "bad_request")),
        ("c" * 65, {"result": 1}, (400, "bad_request")),
    ],
)
async def test_what_cannot_be_told_is_refused(
    server: House, call: str, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    session_id = await a_call_of_the_page(server)
    async with await as_user(server, "ada") as ada:
        answer = await ada.post(at(session_id, call), json=body)
    assert (answer.status_code, answer.json()["code"]) == refusal


@pytest.mark.parametrize(
    "result",
    [
        b"NaN",
        b'{"far": [-Infinity]}',
        b"1e999",  # JSON's grammar allows it, and no number of ours is so large
        b'"\\ud800"',
        b"[" * 220 + b"]" * 220,
        b"[" * 400 + b"]" * 400,
    ],
)
async def test_what_json_does_not_carry_is_refused(server: House, result: bytes) -> None:
    session_id = await a_call_of_the_page(server)
    async with await as_user(server, "ada") as ada:
        said = b'{"result":' + result + b"}"
        answer = await ada.post(
            at(session_id), content=said, headers={"content-type": "application/json"}
        )
    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (400, "bad_request")
    assert refusal["facts"] == {"field": "result"}
    assert await answers(server, session_id) == {}, "the bot is told nothing of it"


async def test_nobody_answers_for_anybody_else(server: House) -> None:
    session_id = await a_call_of_the_page(server)
    async with await as_user(server, "eve") as eve:
        answer = await eve.post(at(session_id), json={"result": 1})
    assert answer.status_code == 404


async def test_when_it_is_over_nobody_waits_for_an_answer(server: House) -> None:
    session_id = await a_call_of_the_page(server)
    await server.sessions.stop(session_id, "ada")
    async with await as_user(server, "ada") as ada:
        answer = await ada.post(at(session_id), json={"result": 1})
    assert (answer.status_code, answer.json()["code"]) == (410, "session_ended")


async def test_a_linked_bot_is_told_and_the_page_sees_the_note(server: House) -> None:
    await talk(server, "notes")
    bot = await FakeBot.join(server, await the_order(server))
    call = {"toolCallId": "c1", "tool": "notes", "name": "create_note", "where": "server"}
    await bot.send_report(ReportKind.TOOL_CALL, **call, arguments={"title": "Milk"})
    heard = [await bot.receive() for _ in range(2)]
    (command,) = [one for one in heard if isinstance(one, Command)]
    assert command.kind is CommandKind.TOOL_RESULTS
    (told,) = [ToolAnswer.model_validate(one) for one in command.data["results"]]
    assert (told.tool_call_id, told.by, told.result["title"]) == ("c1", Where.SERVER, "Milk")
    async with await as_user(server, "ada") as ada:
        (note,) = (await ada.get("/api/voice/notes")).json()["notes"]
    assert (note["id"], note["title"]) == (told.result["id"], "Milk")
    await bot.close()


# ---- notes


async def keep(house: House, number: int, user: str = "ada") -> None:
    note = Note(f"not_{number}", user, "default", f"Note {number}", "Text", 1.0, float(number))
    await house.parts.store.notes.create(note, f"ses_{number}", 9)


async def test_a_user_sees_and_deletes_their_own_notes(server: House) -> None:
    for number in (1, 2):
        await keep(server, number)
    await keep(server, 3, "bob")
    async with await as_user(server, "ada") as ada:
        listed = await ada.get("/api/voice/notes")
        assert (await ada.delete("/api/voice/notes/not_2")).status_code == 204
        gone = await ada.delete("/api/voice/notes/not_2")
        of_bob = await ada.delete("/api/voice/notes/not_3")
        rest = await ada.get("/api/voice/notes")
    assert listed.json() == {
        "notes": [
            {
                "id": f"not_{number}",
                "title": f"Note {number}",
                "text": "Text",
                "createdAt": "1970-01-01T00:00:01.000Z",
                "updatedAt": f"1970-01-01T00:00:0{number}.000Z",
            }
            for number in (2, 1)
        ]
    }
    assert (gone.status_code, gone.json()["message"]) == (404, "There is no such note.")
    assert of_bob.status_code == 404
    assert [note["id"] for note in rest.json()["notes"]] == ["not_1"]
    assert await server.parts.store.notes.get("bob", "default", "not_3")


async def test_a_server_deletes_a_note_in_a_users_name_on_record(server: House) -> None:
    await keep(server, 1)
    async with await a_server(server, Scope.CONTROL) as app, operator(server) as ops:
        assert (await app.delete("/api/voice/notes/not_1")).status_code == 204
        lines: httpx.Response = await ops.get("/api/operator/audit", params={"act": "note.delete"})
    (line,) = lines.json()["lines"]
    assert (line["target"], line["outcome"]) == ("not_1", "done")
