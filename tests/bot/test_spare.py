"""A real bot process from the real launcher, forked on demand or kept as a spare before."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from greenroom.launch.local import LocalLauncher
from greenroom.ports.launcher import ExitCause, LaunchOrder
from greenroom.wire.link import CommandKind
from tests.bot.conftest import OpenPage
from tests.bot.greenroom_server import FakeGreenroom
from tests.launch.helpers import an_order, exits_of, joined, waiting_spare

BOT = "tests.bot.bots.late"


@pytest.fixture(params=[0, 1], ids=["on-demand", "spare"])
async def launcher(request: pytest.FixtureRequest) -> AsyncIterator[LocalLauncher]:
    """The launcher with the real bot host, with a spare or without."""
    with tempfile.TemporaryDirectory(prefix="gr-") as directory:
        launcher = LocalLauncher(Path(directory), spares=request.param)
        yield launcher
        await launcher.shutdown()


def _order(greenroom: FakeGreenroom) -> LaunchOrder:
    spec = greenroom.spec(BOT)
    order = an_order(BOT, launch_id=spec.launch_id)
    return dataclasses.replace(order, link_url=spec.link_url, secret=spec.secret)


async def test_a_whole_call_imports_nothing_that_the_zygote_has_not(
    launcher: LocalLauncher,
    greenroom: FakeGreenroom,
    open_page: OpenPage,
    request: pytest.FixtureRequest,
) -> None:
    order = _order(greenroom)
    await launcher.warm(BOT)
    spare = await waiting_spare(launcher) if "spare" in request.node.name else None
    assert greenroom.hellos == []  # a rehearsal is nobody's business
    async with exits_of(launcher) as exits:
        await launcher.start(order)
        await greenroom.linked()
        page = open_page()
        await page.connect()
        await page.hears_sound()
        bot = await joined(launcher, order)
        assert bot.pid == (spare or bot.pid)
        assert [hello.pid for hello in greenroom.hellos] == [bot.pid]
        await greenroom.command(CommandKind.END, {"reason": "user"})
        exit = await exits.of(order)
        assert (exit.cause, exit.exit_code) == (ExitCause.EXITED, 0)
        assert exit.last_words == "late: []"


@pytest.mark.parametrize("launcher", [1], indirect=True)
async def test_a_spare_has_no_thread_and_no_connection(launcher: LocalLauncher) -> None:
    """FAILURES 30: who waits for a session knows of none."""
    await launcher.warm(BOT)
    spare = psutil.Process(await waiting_spare(launcher))
    assert spare.num_threads() == 1
    assert spare.net_connections("inet") == []
