"""Fixtures: a host that preloaded the built-in bot, the fake Greenroom, pages that get closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from greenroom.bot.ice import allow_loopback
from tests.bot.child import BotProcess, Host
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.page import Page

OpenPage = Callable[..., Page]
StartBot = Callable[..., BotProcess]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One process that preloaded; every bot of these tests is forked from it."""
    host = Host("greenroom.bot.cards", tmp_path_factory.mktemp("bots"))
    yield host
    host.close()


@pytest.fixture
async def greenroom() -> AsyncIterator[FakeGreenroom]:
    """The other end of the link."""
    server = FakeGreenroom()
    await server.start()
    yield server
    await server.vanish()


@pytest.fixture
def start(host: Host, greenroom: FakeGreenroom) -> Iterator[StartBot]:
    """Starts bot processes, and kills whatever is left of them."""
    processes: list[BotProcess] = []

    def start(bot: str = "tests.bot.bots.tone") -> BotProcess:
        process = host.start(greenroom.spec(bot))
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()


@pytest.fixture
async def open_page(greenroom: FakeGreenroom) -> AsyncIterator[OpenPage]:
    """Opens pages, and closes them."""
    allow_loopback(True)
    pages: list[Page] = []

    def open_page(participant: str = "") -> Page:
        page = Page(greenroom, participant)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        await page.close()
    allow_loopback(False)
