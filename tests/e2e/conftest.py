"""What every whole-call test needs: a server of its own, a browser, and words on failure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.async_api import Browser

from tests.e2e.figures import measured, pytest_terminal_summary
from tests.e2e.person import Person, a_browser, a_person
from tests.e2e.server import Server
from tests.e2e.speech import HEARD_HZ, wav_bytes

__all__ = ["measured", "pytest_terminal_summary"]

StartServer = Callable[..., AbstractAsyncContextManager[Server]]
_WITNESSES = pytest.StashKey[list[Callable[[], tuple[str, str]]]]()
_Lives = TypeVar("_Lives", bound=Server)
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """When a test fails, let its fixtures tell what they saw."""
    if call.when == "call" and call.excinfo is not None:
        item.stash[_FAILED] = True
        for witness in item.stash.get(_WITNESSES, []):
            item.add_report_section("call", *witness())
    return (yield)


def _on_failure(request: pytest.FixtureRequest, witness: Callable[[], tuple[str, str]]) -> None:
    request.node.stash.setdefault(_WITNESSES, []).append(witness)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium that can reach nothing but loopback."""
    async with a_browser() as browser:
        yield browser


@pytest.fixture
def start_server(request: pytest.FixtureRequest) -> Iterator[StartServer]:
    """Starts servers. When the block ends the server is stopped, and nothing of it may live."""
    # Not tmp_path: a Unix socket in it would have too long a name.
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-e2e-"))

    def start(bot: str | None = None, **settings: str) -> AbstractAsyncContextManager[Server]:
        return lifetime(request, Server(state_dir, bot, **settings))

    yield start
    shutil.rmtree(state_dir)


@asynccontextmanager
async def lifetime(request: pytest.FixtureRequest, server: _Lives) -> AsyncIterator[_Lives]:
    """A server that lives while the block lasts, and of which nothing may live after it."""
    _on_failure(request, lambda: ("server log", server.log))
    try:
        await server.start()
        await server.ready()
        yield server
        await server.stop()
        await server.assert_nobody_lives()
    finally:
        server.kill_family()


@pytest.fixture
async def server(start_server: StartServer) -> AsyncIterator[Server]:
    """A server with the built-in bot."""
    async with start_server() as server:
        yield server


@pytest.fixture
def page_url(server: Server) -> str:
    """The page that a person opens: Greenroom's own, unless a module says otherwise."""
    return server.url


@pytest.fixture
async def person(
    browser: Browser, page_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Person]:
    """Somebody who has just opened the page. What they heard and saw is kept when it fails."""
    async with a_person(browser, page_url) as person:

        def told() -> tuple[str, str]:
            heard = tmp_path / "heard.wav"
            heard.write_bytes(wav_bytes(person.ears.recording(), HEARD_HZ))
            return "page", "\n".join([f"heard and seen: {tmp_path}", *person.console])

        _on_failure(request, told)
        yield person
        if request.node.stash.get(_FAILED, False):
            await person.page.screenshot(path=tmp_path / "page.png")


@pytest.fixture
def let(tmp_path: Path) -> Path:
    """How many steps the bot may have taken by now."""
    path = tmp_path / "let"
    path.write_text("0")
    return path
