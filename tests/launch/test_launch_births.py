"""The moment in which a bot comes to be: whoever ends it then ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog

from greenroom.launch.hatch import Bot, RawExit
from greenroom.launch.journal import Journal
from greenroom.launch.launches import Launches
from greenroom.launch.ledger import Ledger
from greenroom.launch.reaper import Reaper
from greenroom.launch.state import StateDir
from greenroom.launch.watch import Now
from greenroom.ports.launcher import ExitCause
from tests.launch.helpers import PATIENCE_S, an_order


class OneBot:
    """A hatchery of one process. ``just_born`` is called between its birth and the news of it."""

    spares = 0

    def __init__(self) -> None:
        self.just_born: Callable[[], None] = lambda: None
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        self.exit: asyncio.Future[RawExit] = asyncio.get_running_loop().create_future()

    async def hatch(self, launch_id: str, bot: str, line: socket.socket, log: Path) -> Bot:
        for _ in range(3):  # somebody waits for it by then
            await asyncio.sleep(0)
        # Before whoever waits for this task is woken, which the same loop does a step later.
        asyncio.get_running_loop().call_soon(self.just_born)
        return Bot(self.process.pid, self.exit)

    async def warm(self, bot: str) -> None: ...

    def explain(self, launch_id: str, bot: str) -> Path | None:
        return None

    def close(self) -> None: ...

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            returncode = await asyncio.to_thread(self.process.wait)
        self.exit.set_result(RawExit(returncode))
        return returncode


@pytest.fixture
async def one_bot() -> AsyncIterator[OneBot]:
    made = OneBot()
    yield made
    made.process.kill()
    made.process.wait()


async def test_an_end_that_falls_between_birth_and_its_news_is_carried_out(
    one_bot: OneBot, tmp_path: Path
) -> None:
    """FAILURES 18: it is killed from outside, whenever its end was asked for."""
    state = StateDir.prepare(tmp_path)
    ledger, log = Ledger(Journal(state)), structlog.stdlib.get_logger()
    launches = Launches(state, ledger, one_bot, Reaper(), log)
    order = an_order()
    unborn: list[bool] = []

    def end_it() -> None:
        launch = launches._launches[order.launch_id]
        unborn.append(launch.bot is None)
        launches.end(order.launch_id, polite_s=0, term_s=0)
        launches._take(launch, launch.watch.due(Now.read()))

    one_bot.just_born = end_it
    running = asyncio.create_task(launches.run())
    await asyncio.sleep(0)
    launches.start(order)
    assert await one_bot.ended() == -signal.SIGKILL
    with ledger.subscription() as exits:
        async with asyncio.timeout(PATIENCE_S):
            exit = await exits.get()
    assert unborn == [True]
    assert (exit.cause, exit.signal) == (ExitCause.ENDED, signal.SIGKILL)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
