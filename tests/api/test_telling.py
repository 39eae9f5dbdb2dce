"""The doors by which a running assistant is told: by whom, on whose record, and what it hears."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from greenroom.wire.keys import Scope
from greenroom.wire.link import Command, CommandDone, CommandKind, ReportKind
from tests.api.fakebot import FakeBot
from tests.api.test_assistants import put
from tests.api.test_keys import START, a_server, code_of, page_of
from tests.api.test_operators import operator
from tests.conftest import House

OPERATOR = "/api/operator/sessions"
SAY, CONTEXT = {"text": "We close.", "interrupt": True}, {"text": "It rains."}
ADJUST = {"personality": "Calm."}


async def a_call(server: House, page: httpx.AsyncClient, assistant: str = "cards") -> FakeBot:
    """The user talks with a bot that speaks the link by hand."""
    body = (await page.post(START, json={"assistant": assistant})).json()["session"]
    session = await server.session(body["sessionId"])
    await server.until_true(lambda: session.launch_id in server.launcher.orders)
    bot = await FakeBot.join(server, server.launcher.orders[session.launch_id])
    await bot.report(ReportKind.BOT_JOINED)
    await bot.report(ReportKind.USER_JOINED, participant="page-0001")
    return bot


async def hears(bot: FakeBot) -> tuple[CommandKind, dict[str, Any]]:
    command = await bot.receive()
    assert isinstance(command, Command)
    await bot.send(CommandDone(command_id=command.command_id))
    return command.kind, command.data


async def the_id(server: House, bot: FakeBot) -> str:
    return (await server.sessions.by_launch(bot.launch_id)).id


async def acts(server: House) -> list[tuple[str, str, str]]:
    async with operator(server) as ops:
        lines = (await ops.get("/api/operator/audit")).json()["lines"]
    told = [line for line in lines if line["act"] in ("session.say", "session.context")]
    told += [line for line in lines if line["act"] == "session.adjust"]
    assert "We close" not in str(lines)
    assert "It rains" not in str(lines)
    assert "Calm" not in str(lines)
    return sorted((line["act"], line["actorKind"], line["outcome"]) for line in told)


async def test_operators_and_servers_tell_it_anything_on_record(server: House) -> None:
    async with page_of(server, "ada") as page:
        bot = await a_call(server, page)
        session_id = await the_id(server, bot)
        async with operator(server) as ops, await a_server(server, Scope.DIRECT) as app:
            for client, base in ((ops, OPERATOR), (app, START)):
                for act, body in (("say", SAY), ("context", CONTEXT), ("adjust", ADJUST)):
                    answer = await client.post(f"{base}/{session_id}/{act}", json=body)
                    assert answer.status_code == 202, answer.text
                    assert answer.json()["sessionId"] == session_id
                    assert await hears(bot) == (CommandKind(act), body)
    assert (await server.session(session_id)).record == {"name": "cards", **ADJUST}
    kinds = ("adjust", "context", "say")
    assert await acts(server) == [
        (f"session.{act}", by, "done") for act in kinds for by in ("key", "operator")
    ]
    await bot.close()


async def test_a_page_tells_it_as_its_users_word_and_changes_what_it_may(server: House) -> None:
    async with operator(server) as ops:
        await put(ops, overrides=["personality"])
    async with page_of(server, "ada") as page:
        bot = await a_call(server, page, "mary")
        mine = f"{START}/{await the_id(server, bot)}"
        assert (await page.post(f"{mine}/context", json=CONTEXT)).status_code == 202
        assert await hears(bot) == (CommandKind.CONTEXT, {**CONTEXT, "by": "page"})
        assert (await page.post(f"{mine}/adjust", json=ADJUST)).status_code == 202
        assert await hears(bot) == (CommandKind.ADJUST, ADJUST)
        assert code_of(await page.post(f"{mine}/say", json=SAY)) == (403, "forbidden")
        refused = await page.post(f"{mine}/adjust", json={"persona": "x"})
        assert code_of(refused) == (400, "override_not_allowed")
        assert refused.json()["facts"]["field"] == "persona"
    await bot.close()


async def test_nobody_else_finds_the_session(server: House) -> None:
    async with page_of(server, "ada") as page:
        bot = await a_call(server, page)
        session_id = await the_id(server, bot)
    async with (
        page_of(server, "eve") as eve,
        await a_server(server, Scope.DIRECT, user="eve") as app,
        await a_server(server, Scope.CONTROL) as lesser,
        server.client() as visitor,
    ):
        for act, body in (("say", SAY), ("context", CONTEXT), ("adjust", ADJUST)):
            path = f"{START}/{session_id}/{act}"
            for client in (eve, app, visitor):
                assert code_of(await client.post(path, json=body)) == (404, "not_found")
            assert code_of(await lesser.post(path, json=body)) == (403, "forbidden")
            of_operators = f"{OPERATOR}/{session_id}/{act}"
            for client in (eve, visitor):
                assert (await client.post(of_operators, json=body)).status_code == 401
            assert (await app.post(of_operators, json=body)).status_code == 403
    await bot.close()


@pytest.mark.parametrize(
    ("act", "body", "code"),
    [
        ("say", {"text": ""}, "bad_request"),
        ("say", {"text": "x" * 2_001}, "bad_request"),
        ("context", {"text": "x" * 8_001}, "bad_request"),
        ("adjust", {"firstMessage": "x"}, "bad_request"),
        ("adjust", {"persona": 4}, "bad_request"),
        ("adjust", {}, "bad_request"),
        ("adjust", {"voice": {"parameters": {"pitch": -1}}}, "bad_override"),
    ],
)
async def test_what_cannot_be_is_refused_before_anybody_is_told(
    server: House, act: str, body: dict[str, Any], code: str
) -> None:
    async with page_of(server, "ada") as page, operator(server) as ops:
        bot = await a_call(server, page)
        session_id = await the_id(server, bot)
        refused = await ops.post(f"{OPERATOR}/{session_id}/{act}", json=body)
        assert code_of(refused) == (400, code)
        app = await a_server(server, Scope.DIRECT)
        async with app:
            refused = await app.post(f"{START}/{session_id}/{act}", json=body)
            assert code_of(refused) == (400, code)
    await bot.close()


async def test_while_it_is_paused_nothing_is_said(server: House) -> None:
    async with page_of(server, "ada") as page, operator(server) as ops:
        bot = await a_call(server, page)
        session_id = await the_id(server, bot)
        await page.post("/api/voice/pause", json={"sessionId": session_id, "paused": True})
        assert await hears(bot) == (CommandKind.PAUSE, {"paused": True})
        refused = await ops.post(f"{OPERATOR}/{session_id}/say", json=SAY)
        assert code_of(refused) == (409, "not_active")
        assert "paused" in refused.json()["message"]
        assert code_of(await ops.post(f"{OPERATOR}/ses_none/say", json=SAY)) == (404, "not_found")
    await bot.close()


async def test_pages_are_told_whom_they_may_choose_and_no_more(server: House) -> None:
    async with operator(server) as ops, page_of(server, "ada") as page:
        await put(ops, title="Mary, the teacher", persona="secret", bot=None)
        await put(ops, 1, voiceSessionConfig={"enabled": False}, title="Mary")
        choice = (await page.get("/api/voice/assistants")).json()
        assert choice == {
            "assistants": [
                {"name": "cards", "title": "Cards", "enabled": True},
                {"name": "quiz", "title": "Quiz", "enabled": True},
                {"name": "mary", "title": "Mary", "enabled": False},
            ]
        }
        await ops.post("/api/operator/assistants/mary/kill")
        names = [
            one["name"] for one in (await page.get("/api/voice/assistants")).json().popitem()[1]
        ]
        assert names == ["cards", "quiz"]
