"""The minimum: as small as promised, the same in the README, and safe to copy."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import pytest
from standardwebhooks import Webhook

from tests.listening import SECRET, listening

ROOT = Path(__file__).parents[1]
MINIMUM = ROOT / "examples" / "minimum"
GREENROOM_SECRET = "of the application and of Greenroom"


@pytest.mark.parametrize(("name", "most_lines"), [("app.py", 40), ("page/index.html", 25)])
def test_it_is_that_small_and_stands_in_the_readme(name: str, most_lines: int) -> None:
    text = (MINIMUM / name).read_text()
    assert len(text.splitlines()) <= most_lines
    assert text in (ROOT / "README.md").read_text()


@pytest.fixture
async def app_url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("GREENROOM_SECRET", GREENROOM_SECRET)
    monkeypatch.setenv("GREENROOM_WEBHOOK_SECRET", SECRET)
    example = importlib.import_module("examples.minimum.app")
    async with listening(example.app) as port:
        yield f"http://127.0.0.1:{port}"


async def test_a_browser_is_always_the_same_user_and_another_one_another(app_url: str) -> None:
    users = []
    for _ in range(2):
        async with httpx.AsyncClient(base_url=app_url, trust_env=False) as browser:
            tokens = [(await browser.post("/token")).json() for _ in range(2)]
            assert "<button>" in (await browser.get("/")).text
            assert (await browser.get("/app.py")).status_code == 404
        users += [
            jwt.decode(token, GREENROOM_SECRET, algorithms=["HS256"], audience="greenroom")["sub"]
            for token in tokens
        ]
    assert users[0] == users[1] != users[2] == users[3]


async def test_a_webhook_counts_only_if_it_is_signed(
    app_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()), UTC)
    body = '{"type": "voice.session.end", "user": "visitor-1", "data": {"durationS": 34.2}}'
    signed = {
        "webhook-id": "ses_1_9",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("ses_1_9", now, body),
    }
    async with httpx.AsyncClient(base_url=app_url, trust_env=False) as greenroom:
        forged = body.replace("34.2", "99.9")
        for content, headers in (
            (forged, signed),
            (body, {}),
            (body, {**signed, "webhook-id": "2"}),
        ):
            refused = await greenroom.post("/webhook", content=content, headers=headers)
            assert refused.status_code == 401
        assert capsys.readouterr().out == ""
        assert (await greenroom.post("/webhook", content=body, headers=signed)).is_success
    assert capsys.readouterr().out == "visitor-1 talked for 34 s\n"
