"""``greenroom say``, ``tell`` and ``adjust`` beside a server that runs, and where none does."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from greenroom import assembly
from greenroom.cli import app
from greenroom.commands.operate import os_user
from greenroom.running import LOCK_FILE, announced
from greenroom.wire.link import CommandKind
from tests.api.fakebot import FakeBot
from tests.api.test_keys import page_of
from tests.api.test_telling import a_call, hears, the_id
from tests.conftest import SECRET, House

runner = CliRunner()


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    """Commands ask by the name that a server has on loopback, whatever others it was told."""
    return replace(plan, hosts=["127.0.0.1", "localhost"])


@pytest.fixture
async def talking(
    server: House, environment: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[tuple[str, FakeBot]]:
    """A call at a server that says where it is, as a server does: its id, and its bot."""
    environment.setenv("GREENROOM_SECRET", SECRET)
    async with page_of(server, "ada") as page:
        bot = await a_call(server, page)
        with (tmp_path / LOCK_FILE).open("w") as lock, announced(tmp_path, server.address):
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield await the_id(server, bot), bot
    await bot.close()


async def greenroom(*words: str) -> Result:
    with structlog.testing.capture_logs():
        return await asyncio.to_thread(runner.invoke, app, words)


async def test_what_is_said_told_and_changed_reaches_the_bot(
    server: House, talking: tuple[str, FakeBot]
) -> None:
    session_id, bot = talking
    begins = session_id[:12]
    voice = {"name": "en-gb", "parameters": {"pitch": 30, "accent": "soft"}}
    how = ("--voice", "en-gb", "--parameter", "pitch=30", "--parameter", "accent=soft")
    for words, told in (
        (("say", begins, "Hello."), (CommandKind.SAY, {"text": "Hello.", "interrupt": False})),
        (
            ("say", begins, "Stop.", "--interrupt"),
            (CommandKind.SAY, {"text": "Stop.", "interrupt": True}),
        ),
        (("tell", begins, "It rains."), (CommandKind.CONTEXT, {"text": "It rains."})),
        (("adjust", begins, "--persona", "A cook."), (CommandKind.ADJUST, {"persona": "A cook."})),
        (("adjust", begins, *how), (CommandKind.ADJUST, {"voice": voice})),
    ):
        done = await greenroom(*words)
        assert done.exit_code == 0, done.output
        assert session_id in done.output
        assert await hears(bot) == told
    assert (await server.session(session_id)).record["persona"] == "A cook."
    lines = await server.parts.store.audit.listed(limit=10)
    assert {(line.actor.kind, line.actor.name) for line in lines} == {("command", os_user())}
    assert [line.detail for line in lines][::-1] == [
        {"chars": 6, "interrupt": False},
        {"chars": 5, "interrupt": True},
        {"chars": 9},
        {"fields": ["persona"]},
        {"fields": ["voice"]},
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("say", "{id}", ""), "text"),
        (("adjust", "{id}"), "Say what is to change"),
        (("adjust", "{id}", "--parameter", "pitch"), "NAME=VALUE"),
        (("adjust", "{id}", "--parameter", "pitch=100"), "voice.parameters.pitch"),
        (("adjust", "{id}", "--parameter", "pitch=NaN"), "voice.parameters.pitch"),
        (("tell", "ses_none", "x"), "No running session"),
    ],
)
async def test_what_cannot_be_is_said_in_words(
    talking: tuple[str, FakeBot], words: tuple[str, ...], why: str
) -> None:
    refused = await greenroom(*(word.format(id=talking[0]) for word in words))
    assert refused.exit_code == 1
    assert why in " ".join(refused.output.split())


async def test_without_a_server_nobody_can_be_told(
    environment: pytest.MonkeyPatch, sqlite_file: Path
) -> None:
    refused = await greenroom("say", "ses_1", "Hello.")
    assert (refused.exit_code, "No running session" in refused.output) == (1, True)
