"""A person in front of the page: a browser with a microphone and ears that the test holds."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, async_playwright

from tests.e2e.ears import Ears
from tests.e2e.outside import Requests
from tests.e2e.speech import speech_wav

_IN_PAGE = Path(__file__).parent / "in_page"
_FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Any name but our own resolves to nothing, so that whatever slips through fails loudly.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # A machine whose only interface is loopback gathers no candidates otherwise.
    "--allow-loopback-in-peer-connection",
]
_CALL_TIMEOUT_MS = 15_000


@dataclass(frozen=True, slots=True)
class Said:
    """When something was said into the microphone; epoch milliseconds."""

    began_ms: float
    ended_ms: float


class Person:
    """Somebody who looks at one page, clicks, listens and speaks."""

    def __init__(self, page: Page, ears: Ears, requests: Requests) -> None:
        self.page = page
        self.ears = ears
        self.requests = requests
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))

    async def click(self, name: str) -> float:
        """Click the button of this name (a pattern); returns when the page saw the click."""
        await self.page.get_by_role("button", name=re.compile(name, re.IGNORECASE)).click()
        return float(await self.page.evaluate("window.__clickedAtMs.at(-1)"))

    async def say(self, text: str, voice: str = "en-us", words_per_minute: int = 150) -> Said:
        """Speak into the microphone; returns when the last word is out."""
        wav = base64.b64encode(speech_wav(text, voice, words_per_minute)).decode()
        return _said(await self.page.evaluate("wav => window.__mic.say(wav)", wav))

    async def noise(self, seconds: float = 1.0, amplitude: float = 0.05) -> Said:
        """Let the room be noisy (white noise; 1.0 is the loudest there is)."""
        play = "([seconds, amplitude]) => window.__mic.noise(seconds, amplitude)"
        return _said(await self.page.evaluate(play, [seconds, amplitude]))

    def part(self, test_id: str) -> Locator:
        """A part of the page by its test id."""
        return self.page.get_by_test_id(test_id)

    async def read(self, test_id: str, attribute: str) -> str | None:
        """An attribute of a part of the page, as it is now."""
        return await self.part(test_id).get_attribute(attribute)

    async def see(self, test_id: str, *, timeout_s: float = 5.0, **attributes: object) -> None:
        """Wait until a part of the page has these ``data-`` attributes."""
        wanted = "".join(
            f'[data-{name.replace("_", "-")}="{value}"]' for name, value in attributes.items()
        )
        await self.page.locator(f'[data-testid="{test_id}"]{wanted}').first.wait_for(
            state="attached", timeout=timeout_s * 1000
        )

    async def session_id(self, server_url: str) -> str:
        """The id of their running session, as the server says."""
        answer = await self.page.request.get(f"{server_url}/api/voice/session/current")
        assert answer.status == 200
        return str((await answer.json())["sessionId"])

    async def ice_servers(self) -> list[Any]:
        """Every ICE server that the page gave to a peer connection."""
        return list(
            await self.page.evaluate("window.__rtcConfigurations.flatMap(c => c.iceServers ?? [])")
        )


def _said(times: dict[str, float]) -> Said:
    return Said(times["beganMs"], times["endedMs"])


def chromium_path() -> str:
    """The system's Chromium. The tests never download a browser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Chromium here: run scripts/system-packages browser")


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """A headless Chromium that can reach nothing but loopback."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            headless=True, executable_path=chromium_path(), args=_FLAGS
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def a_person(
    browser: Browser, url: str, scripts: Sequence[Path] = ()
) -> AsyncIterator[Person]:
    """A new visitor (own cookies, own storage) who has just opened this address.

    Args:
        browser: As `a_browser` gives it.
        url: What they open.
        scripts: Run in the page before its own code, after the microphone and the ears.
    """
    context = await browser.new_context(permissions=["microphone"])
    context.set_default_timeout(_CALL_TIMEOUT_MS)
    try:
        ears = Ears()
        await context.expose_function("__heard", ears.hear)
        for script in (_IN_PAGE / "microphone.js", _IN_PAGE / "ears.js", *scripts):
            await context.add_init_script(path=script)
        page = await context.new_page()
        person = Person(page, ears, await Requests.watch(context, page))
        await page.goto(url)
        yield person
    finally:
        await context.close()
