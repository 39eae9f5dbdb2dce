"""The flash cards' backend: an answer counts once, and only if Greenroom has signed it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from examples.flashcards.app import Answer, Score, Scores, app
from standardwebhooks import Webhook

from tests.listening import SECRET, listening

GREENROOM_SECRET = "of the application and of Greenroom"
RIGHT = {"question": "6 × 7", "value": 42, "correct": True, "expected": 42, "right": 1, "asked": 1}
WRONG = {**RIGHT, "value": 41, "correct": False}


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that the application has welcomed."""
    monkeypatch.setenv("FLASHCARDS_DB", str(tmp_path / "scores.sqlite3"))
    monkeypatch.setenv("GREENROOM_URL", "http://greenroom.test")
    monkeypatch.setenv("GREENROOM_SECRET", GREENROOM_SECRET)
    monkeypatch.setenv("GREENROOM_WEBHOOK_SECRET", SECRET)
    async with (
        listening(app, lifespan="on", timeout_graceful_shutdown=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as page,
    ):
        assert (await page.post("/api/hello")).json() == "http://greenroom.test"
        yield page


async def user_of(page: httpx.AsyncClient) -> str:
    """Whom the application tells Greenroom of."""
    token = (await page.post("/api/token")).json()
    claims = jwt.decode(token, GREENROOM_SECRET, algorithms=["HS256"], audience="greenroom")
    assert {"sub", "exp"} <= claims.keys()
    return str(claims["sub"])


async def deliver(
    page: httpx.AsyncClient, webhook_id: str, secret: str = SECRET, **event: Any
) -> int:
    """As Greenroom does it; returns the status of the answer."""
    body = json.dumps({"type": "app.answer", "data": RIGHT, **event})
    now = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()), UTC)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }
    async with httpx.AsyncClient(base_url=page.base_url, trust_env=False) as greenroom:
        return (await greenroom.post("/webhook", content=body, headers=headers)).status_code


async def score_of(page: httpx.AsyncClient) -> Any:
    """The first thing that the page is told."""
    async with page.stream("GET", "/api/score") as news:
        async for line in news.aiter_lines():
            if line.startswith("data:"):
                return json.loads(line.removeprefix("data:"))
    raise AssertionError("the page was told nothing")


async def test_an_answer_counts_once_however_often_it_is_told(page: httpx.AsyncClient) -> None:
    user = await user_of(page)
    same = [deliver(page, "ses_1_7", user=user) for _ in range(8)]
    assert set(await asyncio.gather(*same)) == {204}
    assert await deliver(page, "ses_1_9", user=user, data=WRONG) == 204
    assert await deliver(page, "ses_1_9", user=user, data=WRONG) == 204
    assert await score_of(page) == {"right": 1, "asked": 2, "practise": []}


async def test_the_page_is_told_of_each_answer_when_it_is_counted(page: httpx.AsyncClient) -> None:
    user = await user_of(page)
    async with page.stream("GET", "/api/score") as news:
        lines = (line async for line in news.aiter_lines() if line.startswith("data:"))
        async with asyncio.timeout(10):
            assert '"asked":0' in await anext(lines)
            await deliver(page, "ses_1_7", user=user, data=WRONG)
            assert '{"right":0,"asked":1,"practise":["6 × 7"]}' in await anext(lines)
            await deliver(page, "ses_1_7", user=user, data=WRONG)
            await deliver(page, "ses_1_8", user=user)
            assert '"asked":2' in await anext(lines)


async def test_what_greenroom_has_not_signed_is_refused_and_not_counted(
    page: httpx.AsyncClient,
) -> None:
    user = await user_of(page)
    assert await deliver(page, "ses_1_7", secret="whsec_" + "A" * 44, user=user) == 401
    for headers in ({}, {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "?"}):
        refused = await page.post("/webhook", content=b"{}", headers=headers)
        assert refused.status_code == 401
    assert (await score_of(page))["asked"] == 0


async def test_other_events_are_welcome_and_other_users_have_their_own_score(
    page: httpx.AsyncClient,
) -> None:
    user = await user_of(page)
    assert await deliver(page, "ses_1_1", user=user, type="voice.session.start", data={}) == 204
    assert await deliver(page, "ses_2_7", user="visitor-of-another-browser") == 204
    assert (await score_of(page))["asked"] == 0


async def test_nobody_gets_a_token_or_a_score_without_being_welcomed(
    page: httpx.AsyncClient,
) -> None:
    page.cookies.clear()
    assert (await page.post("/api/token")).status_code == 401
    assert (await page.get("/api/score")).status_code == 401


async def test_the_score_outlives_the_application(tmp_path: Path) -> None:
    answer = Answer(question="6 × 7", correct=True)
    async with Scores.opened(tmp_path / "scores.sqlite3") as scores:
        assert await scores.count("ses_1_7", "ada", answer)
    async with Scores.opened(tmp_path / "scores.sqlite3") as scores:
        assert not await scores.count("ses_1_7", "ada", answer)
        assert await scores.of("ada") == Score(right=1, asked=1, practise=[])
