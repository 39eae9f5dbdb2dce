"""`make example-minimum` runs this: an application that knows its user, and Greenroom beside it."""

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

import jwt
from fastapi import Cookie, FastAPI, HTTPException, Request, Response
from fastapi.staticfiles import StaticFiles
from standardwebhooks import Webhook, WebhookVerificationError

app = FastAPI()
webhooks = Webhook(os.environ["GREENROOM_WEBHOOK_SECRET"])
users: dict[str, str] = {}  # by the cookie that each of them has


@app.post("/token")
def token(response: Response, signed_in: Annotated[str, Cookie()] = "") -> str:
    if signed_in not in users:  # your own sign-in stands here
        signed_in = secrets.token_urlsafe()
        users[signed_in] = f"visitor-{secrets.token_hex(4)}"
        response.set_cookie("signed_in", signed_in, httponly=True, samesite="strict")
    claims = {"sub": users[signed_in], "aud": "greenroom", "exp": int(time.time()) + 600}
    return jwt.encode(claims, os.environ["GREENROOM_SECRET"])


@app.post("/webhook")
async def webhook(request: Request) -> None:
    try:
        event = webhooks.verify(await request.body(), dict(request.headers))
    except (WebhookVerificationError, ValueError) as error:
        raise HTTPException(401, "Greenroom has not signed this.") from error
    if event["type"] == "voice.session.end":
        print(f"{event['user']} talked for {event['data']['durationS']:.0f} s")


app.mount("/", StaticFiles(directory=Path(__file__).parent / "page", html=True))
