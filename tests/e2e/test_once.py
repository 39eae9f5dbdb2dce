"""Events over a network that is cut again and again: each is processed once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartServer
from tests.e2e.cutter import Cutter, a_cutter
from tests.e2e.figures import Measured
from tests.e2e.person import Person
from tests.e2e.server import Server
from tests.e2e.stock import a_page

pytestmark = pytest.mark.e2e

# The short form. EVENTS=2000 CUTS=100: the whole of it, in a minute.
EVENTS = int(os.environ.get("EVENTS", "600"))
CUTS = int(os.environ.get("CUTS", "15"))
SEED = 5
ALL_WITHIN_S = 150.0
JOINED_WITHIN_S = 20.0  # the first bot of a module waits for its imports
READ = (
    "() => ({...told, connection: document.querySelector('[data-testid=call]').dataset.connection})"
)

# Bursts and pauses, so that cuts fall into both. It goes no further than the cutter lets it: how
# fast this machine is decides nothing about what is cut.
STEPPING_BOT = f'''
"""A bot that reports {EVENTS} steps of an application."""
import asyncio
import os
import random
from pathlib import Path

from greenroom.bot.context import current
from greenroom.wire.link import ReportKind

async def bot(runner_args):
    await runner_args.webrtc_connection.connect()
    pace, let = random.Random({SEED}), Path(os.environ["STEPS_LET"])
    for step in range({EVENTS}):
        while step >= int(let.read_text() or 0):
            await asyncio.sleep(0.01)
        current().report(ReportKind.APP, {{"type": "app.step", "data": {{"step": step}}}})
        if pace.random() < 0.2:
            await asyncio.sleep(pace.random() * 0.1)
    await asyncio.Event().wait()
'''


@pytest.fixture
def origin() -> Iterator[str]:
    with a_page("once") as origin:
        yield origin


@pytest.fixture
async def server(
    start_server: StartServer, origin: str, let: Path, tmp_path: Path
) -> AsyncIterator[Server]:
    bot = tmp_path / "stepping.py"
    bot.write_text(STEPPING_BOT)
    async with start_server(str(bot), GREENROOM_ORIGINS=origin, STEPS_LET=str(let)) as server:
        yield server


@pytest.fixture
async def network(server: Server) -> AsyncIterator[Cutter]:
    async with a_cutter(server.port) as network:
        yield network


@pytest.fixture
def page_url(origin: str, network: Cutter) -> str:
    return f"{origin}/?base=http://127.0.0.1:{network.port}"


async def cut_at_random(network: Cutter, let: Path, cuts: int, chance: random.Random) -> None:
    """Cut only what is there: each cut breaks an event stream through which something came.

    Before each of them, and after the last, the bot is let go on for a share of its steps.
    """
    for cut in range(1, cuts + 1):
        await network.event_stream()
        _go_on(let, EVENTS * cut // (cuts + 1))
        await asyncio.sleep(chance.random() * 0.3)  # some moment of the stream
        await network.event_stream()
        network.cut()
    _go_on(let, EVENTS)


def _go_on(let: Path, steps: int) -> None:
    let.write_text(str(steps))


async def test_events_over_many_cuts_are_processed_once_and_in_order(
    person: Person, network: Cutter, server: Server, let: Path, measured: Measured
) -> None:
    """FAILURES 14."""
    await person.page.get_by_role("button", name="Talk").click()
    await person.see("call", status="active", timeout_s=JOINED_WITHIN_S)
    await asyncio.wait_for(cut_at_random(network, let, CUTS, random.Random(SEED)), ALL_WITHIN_S)
    await person.page.wait_for_function(
        "events => told.processed.length >= events", arg=EVENTS, timeout=ALL_WITHIN_S * 1000
    )
    seen = await told(person)
    assert seen["processed"] == list(range(EVENTS))
    assert network.streams > CUTS, "each cut was felt"
    assert seen["effects"] == 2, "StrictMode ran the effects twice"
    assert seen["renders"] > EVENTS, "there were renders without need"
    measured(f"streams opened while {EVENTS} events came", network.streams, "connections")
    await person.page.get_by_role("button", name=re.compile("End")).click()
    await person.see("call", status="inactive")
    assert "Traceback" not in server.log


async def told(person: Person) -> dict[str, Any]:
    answer: dict[str, Any] = await person.page.evaluate(READ)
    return answer
