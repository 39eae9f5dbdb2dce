"""The example applications in a real browser: each with a user of its own, and told by webhook."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from playwright.async_api import Browser

from tests.e2e.conftest import lifetime
from tests.e2e.example import EXAMPLES, Example
from tests.e2e.person import a_person
from tests.e2e.server import eventually
from tests.e2e.talk import REPLY_WITHIN_S, Talk
from tests.listening import listening

pytestmark = pytest.mark.e2e

TOLD_WITHIN_S = 10.0
COUNTED_WITHIN_S = 30.0
AGAIN_WITHIN_S = 15.0  # a delivery that failed is tried again after a second

StartExample = Callable[..., AbstractAsyncContextManager[Example]]


@pytest.fixture
def start_example(request: pytest.FixtureRequest) -> Iterator[StartExample]:
    """Starts examples; see `tests.e2e.conftest.start_server`."""
    state_dir = Path(tempfile.mkdtemp(prefix="greenroom-e2e-"))

    def start(folder: Path, **settings: str) -> AbstractAsyncContextManager[Example]:
        return lifetime(request, Example(state_dir, folder, **settings))

    yield start
    shutil.rmtree(state_dir)


@pytest.mark.long  # tests/test_minimum.py is its form without a browser
async def test_the_minimum_talks_and_is_told_of_the_end(
    browser: Browser, start_example: StartExample, tmp_path: Path
) -> None:
    copy = shutil.copytree(EXAMPLES / "minimum", tmp_path / "minimum")
    async with start_example(copy) as example:
        # The page names Greenroom's usual address; here it is another one.
        page = copy / "page" / "index.html"
        page.write_text(page.read_text().replace("http://127.0.0.1:8642", example.url))
        async with a_person(browser, example.app_url) as person:
            await person.page.get_by_role("button", name="Talk").click()
            await person.ears.wait_for_speech(REPLY_WITHIN_S)
            await person.page.get_by_role("status").filter(has_text="What is").wait_for()
            await person.page.get_by_role("button", name="Stop").click()
            await person.page.get_by_role("button", name="Talk").wait_for()
            told = re.compile(r"^visitor-[0-9a-f]+ talked for \d+ s$", re.MULTILINE)
            await eventually(
                lambda: bool(told.search(example.log)), TOLD_WITHIN_S, "no webhook came"
            )
            own = {httpx.URL(url).netloc for url in (example.url, example.app_url)}
            asked = {httpx.URL(url).netloc for url in person.requests.elsewhere("")}
            assert asked == own, "the page asks nobody else"
            assert "pageerror" not in " ".join(person.console)
            assert "is no setting" not in example.log


class Forgetful:
    """A network between Greenroom and the application that loses the answer to each first delivery.

    Attributes:
        passed: How often each webhook of an answer was passed on, by its id.
    """

    def __init__(self) -> None:
        self.passed: dict[str, int] = {}
        self.webhook_url = ""
        self.port = 0
        self._app = FastAPI()
        self._app.post("/webhook")(self._pass_on)

    @classmethod
    @asynccontextmanager
    async def between(cls) -> AsyncIterator[Forgetful]:
        """It listens while the block lasts."""
        forgetful = cls()
        async with listening(forgetful._app) as forgetful.port:
            yield forgetful

    async def _pass_on(self, request: Request) -> Response:
        body = await request.body()
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(self.webhook_url, content=body, headers=request.headers.raw)
        if '"app.answer"' not in body.decode():
            return Response(status_code=answer.status_code)
        webhook_id = request.headers["webhook-id"]
        self.passed[webhook_id] = self.passed.get(webhook_id, 0) + 1
        return Response(status_code=502 if self.passed[webhook_id] == 1 else answer.status_code)


async def test_an_answer_is_counted_once_though_its_webhook_comes_twice(
    browser: Browser, start_example: StartExample, tmp_path: Path
) -> None:
    async with Forgetful.between() as network:
        settings = {
            "GREENROOM_WEBHOOK_URL": f"http://127.0.0.1:{network.port}/webhook",
            "FLASHCARDS_DB": str(tmp_path / "scores.sqlite3"),
        }
        async with (
            start_example(EXAMPLES / "flashcards", **settings) as example,
            a_person(browser, example.app_url) as person,
        ):
            network.webhook_url = f"{example.app_url}/webhook"
            talk = Talk(person)
            await person.see("score", right=0, asked=0)
            await person.click("practise")
            card = await talk.hear_question()
            await person.see("card", question=card.question)
            answering = asyncio.create_task(talk.answer(card.answer))  # until it is understood
            await person.see("score", right=1, asked=1, timeout_s=COUNTED_WITHIN_S)
            answering.cancel()
            await eventually(
                lambda: 2 in network.passed.values(), AGAIN_WITHIN_S, "no delivery was repeated"
            )
            score = await person.page.evaluate(
                """() => new Promise((resolve) => {
                     const news = new EventSource('/api/score');
                     news.onmessage = ({ data }) => (news.close(), resolve(JSON.parse(data)));
                   })"""
            )
            assert score == {"right": 1, "asked": 1, "practise": []}
            assert len(network.passed) == 1
            await person.click("stop")
            await person.page.get_by_role("button", name="practise").wait_for()
            assert "Traceback" not in example.log
