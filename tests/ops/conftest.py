"""Real servers and real bot processes without a browser, and the commands beside them."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from greenroom.cli import app
from tests.e2e.figures import measured, pytest_terminal_summary
from tests.e2e.server import Server

__all__ = ["measured", "pytest_terminal_summary"]

BOT = Path(__file__).parent / "bots.py"
# Nothing of this takes long; a busy machine does.
PATIENCE_S = 40.0
# Who comes in is not what is tested here, and other tests may keep this machine busy.
SETTINGS = {"GREENROOM_ALLOW_LOOPBACK_MEDIA": "true", "GREENROOM_MOST_CPU_SHARE": "none"}
StartServer = Callable[..., AbstractAsyncContextManager[Server]]


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    output: str


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A short path: a socket is to be named in it."""
    path = Path(tempfile.mkdtemp(prefix="gr-ops-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start_server(state_dir: Path) -> StartServer:
    """Starts a server; afterwards nothing that came of it is left."""

    @asynccontextmanager
    async def start(**settings: str) -> AsyncIterator[Server]:
        settings = {**SETTINGS, **settings}
        server = Server(state_dir, str(BOT), **settings)
        try:
            await server.start()
            await server.ready()
            yield server
        except BaseException:
            print(server.log)
            raise
        finally:
            server.kill_family()

    return start


@pytest.fixture
def greenroom(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[Done]]:
    """Runs a command as an operator would. In this process, whose imports are done."""
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)
    # It is for the whole process: later tests would log to what this command wrote to.
    monkeypatch.setattr("greenroom.logs.configure_logs", lambda level, as_json: None)

    async def run(*words: str) -> Done:
        command = [*words, "--state-dir", str(state_dir)]
        async with asyncio.timeout(40):
            done = await asyncio.to_thread(CliRunner().invoke, app, command)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.output)

    return run
