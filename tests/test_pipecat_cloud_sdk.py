"""Pipecat Cloud's own Python SDK and command, unmodified, with Greenroom as their host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pipecatcloud._utils.deploy_utils import load_deploy_config_file
from pipecatcloud.exception import AgentStartError
from pipecatcloud.session import Session, SessionParams

from tests.test_serve import PATIENCE_S, address_of, output_of, ready

# Of 1.4, where the command is a part of Pipecat's, which would need more of it than we have.
PCC = "import sys; from pipecatcloud.cli.entry_point import entrypoint_cli_typer as pcc; pcc()"
BOT = """
import asyncio

async def bot(runner_args):
    await asyncio.sleep(3600)
"""


@dataclass(frozen=True)
class Cloud:
    """A Greenroom that plays the cloud. ``private``: the key by which the command is logged in."""

    folder: Path
    public: str
    private: str

    async def start(self, agent: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the SDK returns."""
        session: Any = Session(agent, self.public, SessionParams(data=data))
        started: dict[str, Any] = await session.start()
        return started

    async def pcc(self, *arguments: str) -> Any:
        """What ``pipecat cloud`` prints as JSON; None if it prints none."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GREENROOM_")},
            "PIPECAT_TOKEN": self.private,
            "PIPECAT_OUTPUT": "json",
            "PIPECAT_CONFIG_PATH": str(self.folder / "pcc.toml"),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PCC, *arguments),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd=self.folder,
        )
        async with asyncio.timeout(PATIENCE_S):
            output, errors = await process.communicate()
        assert process.returncode == 0, (output.decode(), errors.decode())
        return json.loads(output) if output.strip() else None


async def a_key(state_dir: Path, name: str, *scopes: str) -> str:
    """A new key, by the command."""
    options = [word for scope in scopes for word in ("--scope", scope)]
    state = ["--state-dir", str(state_dir), "--json"]
    command = [sys.executable, "-m", "greenroom.cli", "keys", "create", name, *options, *state]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    return str(json.loads(await output_of(process))["key"])


@pytest.fixture
async def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    (tmp_path / "sleeper.py").write_text(BOT)
    monkeypatch.setenv("GREENROOM_MOST_CPU_SHARE", "none")
    monkeypatch.setenv("GREENROOM_LIVE_LIMIT", "2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "greenroom.cli", "serve", "sleeper.py", "--port", "0"),
        *("--state-dir", str(tmp_path / "state")),
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    address = await address_of(process)
    monkeypatch.setenv("PIPECAT_API_HOST", address)
    try:
        _, public, private = await asyncio.gather(
            ready(address),
            a_key(tmp_path / "state", "public", "sessions:start"),
            a_key(tmp_path / "state", "private", "sessions:read", "sessions:end"),
        )
        yield Cloud(tmp_path, public, private)
    finally:
        process.send_signal(signal.SIGINT)
        await output_of(process)


async def test_the_official_sdk_and_pcc_start_list_and_stop_sessions(cloud: Cloud) -> None:
    first = (await cloud.start("sleeper", {"name": "Ada"}))["sessionId"]
    await cloud.pcc("agent", "start", "sleeper", "--force", "--api-key", cloud.public)

    with pytest.raises(AgentStartError) as full:
        await cloud.start("sleeper")
    assert full.value.error_code == "429"
    with pytest.raises(AgentStartError) as unknown:
        await cloud.start("nobody")
    assert unknown.value.error_code == "404"

    agents = (await cloud.pcc("agent", "list"))["agents"]
    assert [agent["name"] for agent in agents] == ["sleeper"]
    listed = await cloud.pcc("agent", "sessions", "sleeper", "--end-state", "active")
    ids = [session["sessionId"] for session in listed["sessions"]]
    assert len(ids) == listed["total_count"] == 2
    assert first == ids[1], "the newest first"

    await cloud.pcc("agent", "stop", "sleeper", "--force", "--session-id", first)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            one = await cloud.pcc("agent", "sessions", "sleeper", "--id", first)
            if one["endState"] != "active":
                break
    assert one["endState"] == "terminated"
    assert one["endedAt"] is not None


def test_the_examples_deploy_file_is_one_that_pcc_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[1] / "examples" / "cloud-agent" / "pcc-deploy.toml"
    monkeypatch.setattr("pipecatcloud.cli.config.deploy_config_path", str(file))
    deployed = load_deploy_config_file()
    assert deployed is not None
    assert deployed.agent_name == "parrot"
    assert deployed.max_session_duration == 900
