"""MCP servers, with the SDK's own server: their tools, and what happens when they misbehave."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from starlette.responses import Response
from structlog.testing import capture_logs

from greenroom.bot.tools import Toolbox, ToolError
from greenroom.bot.tools import mcp as connections
from greenroom.wire.link import ReportKind
from greenroom.wire.tools import ToolOutcome
from tests.listening import listening
from tests.tools.conftest import OpenToolbox, Told

SERVER = Path(__file__).with_name("mcp_server.py")
TOOL: dict[str, Any] = {"name": "numbers", "kind": "mcp"}
# The SDK kills after 4 s; the rest is for a busy machine.
GONE_WITHIN_S = 6.0


@pytest.fixture(autouse=True)
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "servers.json"
    started = {"command": sys.executable, "args": [str(SERVER)]}
    servers = {
        "numbers": {**started, "env": {"GIVEN": "${KEY_FOR_NUMBERS}"}},
        "stubborn": {**started, "args": [str(SERVER), "stubborn"]},
        "away": {"url": "http://127.0.0.1:9/mcp"},
        "mute": {"command": sys.executable, "args": ["-c", "import sys; sys.stdin.read()"]},
        "broken": {"command": "no-such-command-anywhere"},
        "keyless": {**started, "env": {"GIVEN": "${NOBODY_HAS_THIS}"}},
    }
    configure(path, servers)
    monkeypatch.setenv("GREENROOM_MCP_SERVERS", str(path))
    monkeypatch.setenv("KEY_FOR_NUMBERS", "given")
    monkeypatch.setenv("KEY_OF_THE_BOT", "hunter2")
    monkeypatch.setattr(connections, "CONNECT_WITHIN_S", 30.0)
    return path


def configure(path: Path, servers: dict[str, Any]) -> None:
    path.write_text(json.dumps({"mcpServers": servers}))


async def refused(toolbox: Toolbox, name: str, arguments: dict[str, Any]) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await toolbox.call(name, arguments)
    return caught.value


async def test_its_tools_are_the_assistants_and_it_may_misbehave(
    open_toolbox: OpenToolbox, told: Told
) -> None:
    toolbox = await open_toolbox({**TOOL, "timeoutS": 60})
    by_name = {one.name: one for one in toolbox.functions}
    assert {"add", "fail", "flood", "sleep", "die", "secret", "pid", "hang_up"} == set(by_name)
    assert by_name["add"].description == "Add two numbers."
    assert await toolbox.call("add", {"left": 2, "right": 40}) == {"result": 42}
    # It knows what it was given, and nothing else of ours.
    assert await toolbox.call("secret", {}) == {"result": "given None"}
    problem = await refused(toolbox, "add", {"left": "two", "right": 40})
    assert problem.outcome is ToolOutcome.REFUSED
    assert "left" in problem.sentence
    assert "no such number" in (await refused(toolbox, "fail", {})).sentence
    assert "bytes" in (await refused(toolbox, "flood", {})).sentence
    # It dies in the middle of a call; the next finds it alive again.
    problem = await refused(toolbox, "die", {})
    assert problem.outcome is ToolOutcome.FAILED
    assert "gone away" in problem.sentence
    assert await toolbox.call("add", {"left": 1, "right": 1}) == {"result": 2}
    assert told.of(ReportKind.ERROR) == []


async def test_one_that_never_answers_is_given_up(open_toolbox: OpenToolbox) -> None:
    toolbox = await open_toolbox({**TOOL, "timeoutS": 0.05})
    assert (await refused(toolbox, "sleep", {})).outcome is ToolOutcome.TIMEOUT


async def test_a_record_may_name_some_of_them(open_toolbox: OpenToolbox, told: Told) -> None:
    settings = {"server": "numbers", "allow": ["add", "multiply"]}
    toolbox = await open_toolbox({"name": "sums", "kind": "mcp", "settings": settings})
    assert [(one.name, one.tool.name) for one in toolbox.functions] == [("add", "sums")]
    [error] = told.of(ReportKind.ERROR)
    assert "multiply" in error["message"]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("away", "cannot be reached"),
        ("mute", "does not answer"),
        ("broken", "cannot be reached"),
        ("keyless", "NOBODY_HAS_THIS"),
        ("unheard_of", "no MCP server"),
    ],
)
async def test_one_that_cannot_be_had_is_told_and_the_rest_works(
    open_toolbox: OpenToolbox,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    why: str,
) -> None:
    if server == "mute":
        monkeypatch.setattr(connections, "CONNECT_WITHIN_S", 0.3)
    toolbox = await open_toolbox({"name": server, "kind": "mcp"}, "panels")
    [error] = told.of(ReportKind.ERROR)
    assert why in error["message"]
    await toolbox.call("open_panel", {"panel": "notes"})


async def test_what_a_transport_says_is_not_repeated(
    open_toolbox: OpenToolbox, told: Told, servers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(Response()) as port:
        configured = {
            # A key as it comes out of a file that was written on another system.
            "keyed": {"url": f"http://127.0.0.1:{port}/", "headers": {"X-Key": "${A_KEY}"}},
            "placed": {"command": "/srv/hunter2/serve"},
        }
        configure(servers, configured)
        monkeypatch.setenv("A_KEY", "hunter2\r")
        with capture_logs() as logs:
            await open_toolbox({"name": "keyed", "kind": "mcp"}, {"name": "placed", "kind": "mcp"})
    errors = told.of(ReportKind.ERROR)
    assert len(errors) == 2
    assert "hunter2" not in repr(errors) + repr(logs)


async def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends in time. It may be nobody's child of ours: there is only polling."""
    until_s = time.monotonic() + within_s
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_nobody_waits_for_one_that_does_not_go_and_it_goes(
    open_toolbox: OpenToolbox,
) -> None:
    toolbox = await open_toolbox({"name": "stubborn", "kind": "mcp"})
    first = (await toolbox.call("pid", {}))["result"]
    began_s = time.monotonic()
    assert "gone away" in (await refused(toolbox, "hang_up", {})).sentence
    assert time.monotonic() - began_s < 1.0
    assert psutil.pid_exists(first)
    second = (await toolbox.call("pid", {}))["result"]
    assert second != first
    began_s = time.monotonic()
    await toolbox.close()
    assert time.monotonic() - began_s < 0.5
    assert psutil.pid_exists(second)
    for pid in (first, second):
        assert await gone(pid, GONE_WITHIN_S)


# What hosts a bot elsewhere: a loop that is closed over everything as soon as the bot is done.
HOST = """
import asyncio, sys
from greenroom.bot.tools import mcp as connections
from greenroom.bot.tools.mcp import McpTools
from greenroom.wire.assistants import ToolRecord

connections.CONNECT_WITHIN_S = 30.0

async def session():
    tool = ToolRecord.model_validate({"name": "stubborn", "kind": "mcp"})
    mcp = McpTools()
    await mcp.open([tool])
    [pid] = [one for one in mcp.functions_of(tool, taken={}) if one.name == "pid"]
    print((await pid.run({}))["result"], flush=True)
    CLOSE

asyncio.run(session())
print("over", flush=True)
"""


async def _leaves_none_behind(close: str) -> None:
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST.replace("CLOSE", close), stdout=asyncio.subprocess.PIPE
    )
    assert host.stdout is not None
    pid = int(await host.stdout.readline())
    assert await host.stdout.readline() == b"over\n"
    assert psutil.pid_exists(pid)
    try:
        assert await gone(pid, GONE_WITHIN_S)
        assert await host.wait() == 0
    finally:
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()


async def test_the_end_of_a_host_leaves_none_behind_whether_it_was_closed_or_not() -> None:
    await asyncio.gather(*map(_leaves_none_behind, ("mcp.close()", "pass")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ('{"mcpServers": {"numbers": {"command": "x", "url": "http://y"}}}', "either"),
        ('{"mcpServers": {"numbers": {"url": "file:///etc/passwd"}}}', "url"),
        ('{"servers": {}}', "mcpServers"),
    ],
)
async def test_a_file_that_is_wrong_is_told(
    open_toolbox: OpenToolbox, told: Told, servers: Path, text: str, why: str
) -> None:
    servers.write_text(text)  # noqa: ASYNC240
    assert (await open_toolbox(TOOL)).functions == []
    [error] = told.of(ReportKind.ERROR)
    assert why in error["message"]


async def test_without_a_file_nothing_is_started(
    open_toolbox: OpenToolbox, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GREENROOM_MCP_SERVERS")
    settings = {"command": sys.executable, "args": [str(SERVER)]}
    assert (await open_toolbox({**TOOL, "settings": settings})).functions == []
    [error] = told.of(ReportKind.ERROR)
    assert "GREENROOM_MCP_SERVERS" in error["message"]
