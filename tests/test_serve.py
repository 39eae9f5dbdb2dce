"""The command itself: what it refuses at once, and that Ctrl-C leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from greenroom.session.model import Stage
from greenroom.store.postgres import PostgresDatabase

# Nothing of this takes long; a busy machine does.
PATIENCE_S = 90.0
BOT = """
async def bot(runner_args):
    pass
"""


def command_in(tmp_path: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "greenroom.cli", "serve", *arguments]
    return [*command, "--state-dir", str(tmp_path / "state")]


async def started(tmp_path: Path, *arguments: str) -> Process:
    command = command_in(tmp_path, *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, cwd=tmp_path)


async def output_of(process: Process) -> str:
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
    return " ".join(output.decode().split())


async def address_of(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := await process.stdout.readline():
            if found := re.search(r"http://\S+", line.decode()):
                return found[0]
    raise AssertionError("the server ended before it said where it is")


async def test_a_public_address_without_a_secret_is_refused(tmp_path: Path) -> None:
    process = await started(tmp_path, "--host", "0.0.0.0")
    output = await output_of(process)
    assert process.returncode == 1
    assert "GREENROOM_SECRET is not set" in output
    assert "Traceback" not in output


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await started(tmp_path, "--port", str(port))
        output = await output_of(process)
    assert process.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in output


async def test_one_server_a_folder_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    first = await started(tmp_path, "bot.py", "--port", "0")
    address = await address_of(first)
    try:
        await ready(address)
        second = await started(tmp_path, "bot.py", "--port", "0")
        assert "Another Greenroom runs on" in await output_of(second)
        family = psutil.Process(first.pid).children(recursive=True) + _supervisors(tmp_path)
        assert family
    finally:
        first.send_signal(signal.SIGINT)
        await output_of(first)
    assert first.returncode == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert (alive, _supervisors(tmp_path)) == ([], [])


async def test_a_server_whose_output_nobody_reads_any_more_ends_like_any_other(
    tmp_path: Path,
) -> None:
    """``greenroom serve | head -3``: to say that it ends must not keep it from ending its bots."""
    (tmp_path / "bot.py").write_text(BOT)
    reader, writer = os.pipe()
    command = command_in(tmp_path, "bot.py", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=writer, stderr=writer, cwd=tmp_path
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as output:
            found = await asyncio.to_thread(_first_address, output)
        await ready(found)
        assert _supervisors(tmp_path)
    finally:
        process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), PATIENCE_S)
    assert code == 0
    _, alive = psutil.wait_procs(_supervisors(tmp_path), timeout=5)
    assert alive == []


def _first_address(output: IO[str]) -> str:
    return next(found[0] for line in output if (found := re.search(r"http://\S+", line)))


async def ready(address: str) -> None:
    """Wait until the server's own supervisor has come up."""
    async with httpx.AsyncClient(base_url=address) as client, asyncio.timeout(PATIENCE_S):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_server_keeps_its_sessions_in_postgres(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_DATABASE_URL", postgres_url)
    (tmp_path / "bot.py").write_text(BOT)
    process = await started(tmp_path, "bot.py", "--port", "0")
    address = await address_of(process)
    await ready(address)
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        answer = await client.post("/api/voice/session", json={})
        assert answer.status_code == 201
    process.send_signal(signal.SIGINT)
    await output_of(process)
    assert process.returncode == 0
    store = await PostgresDatabase(postgres_url).open()
    ended = await store.get(answer.json()["session"]["sessionId"])
    await store.close()
    assert ended.stage is Stage.ENDED
    assert not (tmp_path / "state" / "greenroom.db").exists()


def _supervisors(tmp_path: Path) -> list[psutil.Process]:
    mine = f"--state-dir={tmp_path / 'state'}"
    return [p for p in psutil.process_iter(["cmdline"]) if mine in (p.info["cmdline"] or [])]
