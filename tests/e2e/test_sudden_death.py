"""A browser that dies without a word is noticed in seconds, and its bot waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import httpx
import psutil
import pytest
from playwright.async_api import Error

from tests.e2e.figures import Measured
from tests.e2e.person import Person, a_browser, a_person
from tests.e2e.server import Server, eventually
from tests.e2e.talk import REPLY_WITHIN_S

pytestmark = pytest.mark.e2e

NOTICED_WITHIN_S = 4.0
LOOK_EVERY_S = 0.02


def browser_processes() -> set[psutil.Process]:
    """Every process of the browsers that this test run started."""
    return {
        process
        for process in psutil.Process().children(recursive=True)
        if "--no-sandbox" in process.cmdline()
    }


async def test_a_killed_browser_is_noticed_in_seconds(server: Server, measured: Measured) -> None:
    """FAILURES 9."""
    others = browser_processes()
    with contextlib.suppress(Error):  # a dead browser cannot be closed
        async with a_browser() as browser, a_person(browser, server.url) as person:
            await person.click("talk")
            await person.ears.wait_for_speech(REPLY_WITHIN_S)
            await person.see("status", status="active")
            session = await current_session(server, person)
            assert session["stage"] == "active"
            cookies = {c["name"]: c["value"] for c in await person.page.context.cookies()}
            processes = browser_processes() - others
            assert processes
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            killed_s = time.monotonic()

    (bot,) = server.bots()
    left = await until_lingering(server, session["sessionId"], cookies)
    noticed_s = time.monotonic() - killed_s
    measured("browser killed → noticed", noticed_s * 1000, "ms")
    assert noticed_s <= NOTICED_WITHIN_S
    assert left["userPresent"] is False
    assert left["botPresent"] is True
    assert server.bots() == [bot], "it waits for whoever comes back"

    async with httpx.AsyncClient(base_url=server.url, trust_env=False, cookies=cookies) as client:
        (await client.delete(f"/api/voice/session/{session['sessionId']}")).raise_for_status()
    await eventually(lambda: not server.bots(), 5, "the bot still lives")


async def current_session(server: Server, person: Person) -> dict[str, Any]:
    answer = await person.page.request.get(f"{server.url}/api/voice/session/current")
    return dict(await answer.json())


async def until_lingering(
    server: Server, session_id: str, cookies: dict[str, str]
) -> dict[str, Any]:
    """Look at the record until it says that the user is gone."""
    async with (
        asyncio.timeout(2 * NOTICED_WITHIN_S),
        httpx.AsyncClient(base_url=server.url, trust_env=False, cookies=cookies) as client,
    ):
        while True:
            session = dict((await client.get(f"/api/voice/session/{session_id}")).json())
            if session["stage"] == "lingering":
                return session
            await asyncio.sleep(LOOK_EVERY_S)
