"""The servers that `bench/talk.py` compares, and the pages that call them."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from tests.e2e.server import Server
from tests.e2e.stock import a_stock_page

BOT = Path(__file__).with_name("bot.py")
RUNNER, GREENROOM_STOCK, GREENROOM_OWN = "runner", "greenroom-stock", "greenroom-own"
SETUPS = (RUNNER, GREENROOM_STOCK, GREENROOM_OWN)

_UP_WITHIN_S = 30.0
_DOWN_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to call the bot: which page to open, what to click, where its session's id stands."""

    name: str
    url: str
    talk: str
    hang_up: str
    session_id: str
    marks: Path
    """Where its bots note what they reach."""
    settled: Callable[[], Awaitable[bool]]
    """Whether every bot of its server has ended."""


def _stock(
    name: str, page: str, server: str, marks: Path, settled: Callable[[], Awaitable[bool]]
) -> Setup:
    return Setup(
        name,
        f"{page}/?start={server}/start&ice=none",
        talk="Start",
        hang_up="Disconnect",
        session_id="document.getElementById('call').dataset.session",
        marks=marks,
        settled=settled,
    )


def _own(server: str, marks: Path, settled: Callable[[], Awaitable[bool]]) -> Setup:
    return Setup(
        GREENROOM_OWN,
        server,
        talk="Talk",
        hang_up="Stop",
        session_id="sessionStorage.getItem('greenroom.session')",
        marks=marks,
        settled=settled,
    )


@asynccontextmanager
async def setups(state_dir: Path) -> AsyncIterator[list[Setup]]:
    """Both servers and the stock page, up and ready until the block ends."""
    theirs, ours = state_dir / "runner.jsonl", state_dir / "greenroom.jsonl"
    async with AsyncExitStack() as stack:
        page = stack.enter_context(a_stock_page())
        runner = await stack.enter_async_context(_a_runner(state_dir / "runner.log", theirs))
        greenroom = await stack.enter_async_context(_a_greenroom(state_dir, page, ours))
        all_returned = functools.partial(_all_returned, theirs)
        all_ended = functools.partial(_all_ended, greenroom)
        yield [
            _stock(RUNNER, page, runner, theirs, all_returned),
            _stock(GREENROOM_STOCK, page, greenroom, ours, all_ended),
            _own(greenroom, ours, all_ended),
        ]


@asynccontextmanager
async def _a_greenroom(state_dir: Path, page: str, marks: Path) -> AsyncIterator[str]:
    """``greenroom serve bot.py``; whoever hangs up has ended the session, as with the runner."""
    server = Server(
        state_dir,
        str(BOT),
        GREENROOM_ORIGINS=page,
        GREENROOM_PERSISTENCE_S="0",
        BENCH_MARKS=str(marks),
    )
    try:
        await server.start()
        await server.ready()
        yield server.url
        await server.stop()
        await server.assert_nobody_lives()
    finally:
        server.kill_family()


@asynccontextmanager
async def _a_runner(log: Path, marks: Path) -> AsyncIterator[str]:
    """``python bot.py -t webrtc``: Pipecat's development runner, as its documentation starts it."""
    port = _free_port()
    with log.open("wb") as out:
        process = _spawn_runner(port, out, marks)
    try:
        url = f"http://127.0.0.1:{port}"
        await _answers(process, f"{url}/status", log)
        yield url
    finally:
        # It waits for its clients on SIGTERM; ours have gone.
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_DOWN_WITHIN_S)


def _spawn_runner(port: int, out: IO[bytes], marks: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(BOT), "-t", "webrtc", "--host", "127.0.0.1", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        env={**os.environ, "BENCH_MARKS": str(marks)},
        cwd=BOT.parent,
        start_new_session=True,
    )


async def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(_UP_WITHIN_S):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the runner ended by itself: {_text_of(log)}")
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(_LOOK_EVERY_S)


async def _all_ended(url: str) -> bool:
    """Whether Greenroom has recorded the end of every session that it began."""
    async with httpx.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"{url}/metrics")).text
    begun = re.findall(r"^greenroom_sessions_started_total (\S+)$", metrics, re.MULTILINE)
    ended = re.findall(r"^greenroom_sessions_ended_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, begun)) == sum(map(float, ended))


async def _all_returned(marks: Path) -> bool:
    """Whether every ``bot()`` that began in the runner's process has returned."""
    text = _text_of(marks)
    return text.count("bot begun") == text.count("bot ended")


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
