"""`make example-flashcards` runs this: flash cards by voice, whose score is the application's own.

The page talks with Greenroom. Greenroom tells this backend of every answer, by signed webhook, and
the backend tells the page what it has counted. A webhook that comes twice (its answer was lost on
the way, somebody replays it) counts once: the store knows it by its `webhook-id`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import aiosqlite
import jwt
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.sse import EventSourceResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from standardwebhooks import Webhook, WebhookVerificationError

HERE = Path(__file__).parent
PAGE = HERE / "page" / "dist"
COOKIE_LIFETIME_S = 365 * 24 * 3600
TOKEN_LIFETIME_S = 600
MOST_TO_PRACTISE = 5

# What is kept are the webhooks that told of an answer; everything shown is derived from them.
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    webhook_id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    question TEXT NOT NULL,
    correct INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_by_user ON answers (user);
"""
TOTALS = "SELECT coalesce(sum(correct), 0), count(*) FROM answers WHERE user = ?"
TO_PRACTISE = """
SELECT question FROM answers WHERE user = ?
GROUP BY question HAVING sum(correct) < count(*) - sum(correct) ORDER BY max(rowid) DESC LIMIT ?
"""


class Answer(BaseModel):
    """What is kept of the data of `app.answer`."""

    question: str
    correct: bool


class Score(BaseModel):
    """What the page shows of a user: over all their conversations."""

    right: int
    asked: int
    practise: list[str]


class Scores:
    """The application's own store, and who waits for news of it."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db
        self._counted = 0
        self._news = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path) -> AsyncIterator[Scores]:
        """The store in this file while the block lasts."""
        path.parent.mkdir(parents=True, exist_ok=True)
        async with aiosqlite.connect(path, isolation_level=None) as db:  # each statement commits
            await db.executescript(SCHEMA)
            yield cls(db)

    async def count(self, webhook_id: str, user: str, answer: Answer) -> bool:
        """Keep an answer, unless this very webhook was kept before. Says whether it was new."""
        kept = await self._db.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (webhook_id, user, answer.question, answer.correct),
        )
        async with self._news:
            self._counted += kept.rowcount
            self._news.notify_all()
        return kept.rowcount == 1

    async def of(self, user: str) -> Score:
        """The user's score as it stands."""
        async with self._db.execute(TOTALS, (user,)) as totals:
            right, asked = await totals.fetchone() or (0, 0)
        async with self._db.execute(TO_PRACTISE, (user, MOST_TO_PRACTISE)) as questions:
            return Score(right=right, asked=asked, practise=[q async for (q,) in questions])

    async def follow(self, user: str) -> AsyncIterator[Score]:
        """The user's score now, and again whenever it changes."""
        shown = None
        while True:
            seen = self._counted
            score = await self.of(user)
            if score != shown:
                shown = score
                yield score
            await self._more_than(seen)

    async def _more_than(self, seen: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._counted > seen)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The store is open while the application runs."""
    path = Path(os.environ.get("FLASHCARDS_DB", HERE / "var" / "scores.sqlite3"))
    async with Scores.opened(path) as app.state.scores:
        yield


app = FastAPI(lifespan=lifespan)


def signed_in(visitor: Annotated[str, Cookie()] = "") -> str:
    """The user's id: known by the cookie, and not to be guessed from it."""
    if not visitor:
        raise HTTPException(401, "Say hello first.")
    return f"visitor-{hashlib.sha256(visitor.encode()).hexdigest()[:32]}"


async def verified(request: Request) -> dict[str, Any]:
    """The event that Greenroom has signed; from anybody else there is none."""
    webhooks = Webhook(os.environ["GREENROOM_WEBHOOK_SECRET"])
    try:
        event: dict[str, Any] = webhooks.verify(await request.body(), dict(request.headers))
    except (WebhookVerificationError, ValueError) as error:
        raise HTTPException(401, "Greenroom has not signed this.") from error
    return event


def opened_scores(request: Request) -> Scores:
    """The store."""
    scores: Scores = request.app.state.scores
    return scores


User = Annotated[str, Depends(signed_in)]
Store = Annotated[Scores, Depends(opened_scores)]


@app.post("/api/hello")
def hello(response: Response, visitor: Annotated[str, Cookie()] = "") -> str:
    """Your own sign-in stands here; this one knows a browser again. Says where Greenroom is."""
    secret = visitor or secrets.token_urlsafe()
    response.set_cookie(
        "visitor", secret, max_age=COOKIE_LIFETIME_S, httponly=True, samesite="strict"
    )
    return os.environ["GREENROOM_URL"]


@app.post("/api/token")
def token(user: User) -> str:
    """Says to Greenroom who is asking. The secret that signs it stays here."""
    claims = {"sub": user, "aud": "greenroom", "exp": int(time.time()) + TOKEN_LIFETIME_S}
    return jwt.encode(claims, os.environ["GREENROOM_SECRET"])


@app.get("/api/score", response_class=EventSourceResponse)
async def score(user: User, scores: Store) -> AsyncIterator[Score]:
    """The user's score, now and whenever it changes (server-sent events)."""
    async for each in scores.follow(user):
        yield each


@app.post("/webhook", status_code=204)
async def webhook(
    event: Annotated[dict[str, Any], Depends(verified)],
    webhook_id: Annotated[str, Header()],
    scores: Store,
) -> None:
    """Greenroom tells what happened. What is no answer is welcome, too, and not counted."""
    if event["type"] == "app.answer":
        await scores.count(webhook_id, event["user"], Answer.model_validate(event["data"]))


app.mount("/", StaticFiles(directory=PAGE, html=True))
