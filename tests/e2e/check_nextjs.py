"""The Next.js example in a real browser: `make test-nextjs`; too heavy for `make test`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest
from playwright.async_api import Browser

from tests.e2e.conftest import lifetime
from tests.e2e.example import EXAMPLES, Example
from tests.e2e.person import Person, a_person
from tests.e2e.server import eventually
from tests.e2e.talk import REPLY_WITHIN_S

pytestmark = pytest.mark.e2e

SECRET = "only the two servers know this, and no page"
SESSION_SECRET = "only the application knows this"
ENDED_WITHIN_S = 10.0


@pytest.fixture
async def example(request: pytest.FixtureRequest) -> AsyncIterator[Example]:
    with tempfile.TemporaryDirectory(prefix="greenroom-e2e-") as state_dir:
        secrets = {"GREENROOM_SECRET": SECRET, "SESSION_SECRET": SESSION_SECRET}
        made = Example(Path(state_dir), EXAMPLES / "nextjs", **secrets)
        async with lifetime(request, made) as example:
            yield example


async def sign_in(person: Person, name: str, password: str) -> None:
    await person.page.get_by_label("Name").fill(name)
    await person.page.get_by_label("Password").fill(password)
    await person.page.get_by_role("button", name="Sign in").click()


async def test_whoever_is_signed_in_there_talks_here(browser: Browser, example: Example) -> None:
    async with httpx.AsyncClient(base_url=example.app_url, trust_env=False) as nobody:
        assert (await nobody.post("/api/greenroom-token")).status_code == 401

    async with a_person(browser, example.app_url) as person:
        await sign_in(person, "ada", "compiler")
        await person.page.get_by_text("not the name and the password").wait_for()
        await picture(person, "sign-in")
        await sign_in(person, "ada", "engine")
        await person.page.get_by_text("Ada Lovelace").wait_for()

        async with person.page.expect_response("**/api/greenroom-token") as given:
            await person.page.reload()
        token = (await (await given.value).json())["token"]
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="greenroom")
        assert claims["sub"] == "ada"

        await person.page.get_by_role("button", name="Talk").click()
        await person.ears.wait_for_speech(REPLY_WITHIN_S)
        await person.page.get_by_text("What is").wait_for()
        await picture(person, "talk")
        await person.page.get_by_role("button", name="Sign out").click()
        await person.page.get_by_label("Password").wait_for()
        await eventually(
            lambda: "reason=user" in example.log, ENDED_WITHIN_S, "the conversation goes on"
        )

        hosts = {httpx.URL(url).netloc for url in person.requests.elsewhere("")}
        assert hosts == {httpx.URL(url).netloc for url in (example.url, example.app_url)}
        told = await everything_that_a_page_loads(person, example.app_url)
        assert not any(secret in told for secret in (SECRET, SESSION_SECRET))
        assert "pageerror" not in " ".join(person.console)


async def everything_that_a_page_loads(person: Person, origin: str) -> str:
    urls = {url for url in person.requests.urls if url.startswith(origin)}
    loaded = [await (await person.page.request.get(url)).text() for url in sorted(urls)]
    assert any("getUserMedia" in text for text in loaded), "the client is among it"
    return " ".join(loaded)


async def picture(person: Person, name: str) -> None:
    """Keeps a picture of this moment in the folder of ``PICTURES``, if it is set."""
    folder = os.environ.get("PICTURES")
    if folder:
        await person.page.screenshot(path=Path(folder) / f"nextjs-{name}.png")
