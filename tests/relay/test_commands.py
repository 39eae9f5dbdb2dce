"""The two commands as people start them: real processes, one real request between them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.listening import a_receiver
from tests.relay.parts import ADA, ADDRESSES

_LIMIT_S = 100.0


@asynccontextmanager
async def greenroom(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, while the block lasts."""
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "GREENROOM_RELAY_SECRET": "r" * 32,
        "GREENROOM_RELAY_TOKEN": ADA,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "greenroom.cli",
        *words,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """Read what it prints until a line holds this."""
    assert process.stdout is not None
    seen = []
    async with asyncio.timeout(_LIMIT_S):
        while line := (await process.stdout.readline()).decode():
            seen.append(line)
            if text in line:
                return line
    raise AssertionError(f"{text!r} was not printed, but: {seen}")


def a_free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def test_a_webhook_goes_through_both_commands(tmp_path: Path) -> None:
    port = a_free_port()
    url = f"http://127.0.0.1:{port}"
    body = b'{"type": "app.answer", "text": "hunter2"}'
    async with (
        a_receiver(verify=False) as app,
        greenroom("relay", f"--port={port}", f"--state-dir={tmp_path}") as relay,
    ):
        await line_with(relay, "Relaying on")
        address = f"{url}/in/{ADDRESSES.address_of('ada')}"
        listen = ("listen", f"--relay={url}", f"--forward-to={app.url}")
        async with greenroom(*listen) as machine, httpx.AsyncClient(trust_env=False) as client:
            assert address in await line_with(machine, "●")
            assert (await client.post(address, content=body, timeout=20)).status_code == 204
            shown = await line_with(machine, "app.answer")
            assert "204" in shown
            assert "hunter2" not in shown
            machine.send_signal(signal.SIGINT)
            async with asyncio.timeout(_LIMIT_S):
                rest = await machine.stdout.read() if machine.stdout else b""
                await machine.wait()
            assert b"Traceback" not in rest
        async with greenroom(*listen, "--replay=1", "--show-bodies") as machine:
            assert "hunter2" in await line_with(machine, "hunter2")
        assert app.taken[0].body == app.taken[1].body == body
        relay.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_LIMIT_S):
            await relay.wait()
