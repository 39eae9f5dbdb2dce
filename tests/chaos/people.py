"""People who start, mute, pause, type, stop and forget; each lives by dice of their own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from typing import Any

import httpx

from greenroom.api.identity import Identity
from tests.chaos.bot import HANG

_ASK_WITHIN_S = 12.0
_FATES = {"stay": 5, "goodbye": 3, "leave": 2, "crash": 1}
_REST_S = 0.4

# Every refusal has a code, whatever happens to the server.
NO_CODE = "(no code)"


class Person:
    """One user, who starts sessions again and again and does this and that with them."""

    def __init__(self, name: str, url: str, identity: Identity, sdp: str, seed: int) -> None:
        self.name = name
        self.answers: Counter[str] = Counter()
        self._rng = random.Random(f"{seed}/{name}")
        self._sdp = sdp
        token = identity.token_for(name, 24 * 3600)
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            timeout=_ASK_WITHIN_S,
            trust_env=False,
        )

    async def live(self) -> None:
        """Until cancelled."""
        async with self._http:
            while True:
                session_id = await self._start()
                if session_id is not None:
                    await self._use(session_id)
                await asyncio.sleep(self._rng.uniform(0, 2 * _REST_S))

    def _wish(self) -> dict[str, Any]:
        """What they ask for."""
        participant = uuid.uuid4().hex
        body = {
            "seed": self._rng.random(),
            "turns": self._rng.randint(0, 12),
            "fate": self._rng.choices(list(_FATES), list(_FATES.values()))[0],
            "participant": participant,
        }
        offer = {"id": uuid.uuid4().hex, "participant": participant, "sdp": self._sdp}
        wish: dict[str, Any] = {"offer": offer, "body": body}
        if self._rng.random() < 0.3:
            wish["wait"] = True
        return wish

    async def _start(self) -> str | None:
        wish = self._wish()
        # Impatient people press twice.
        presses = 2 if self._rng.random() < 0.2 else 1
        answers = await asyncio.gather(
            *(self._ask("POST", "/api/voice/session", wish) for _ in range(presses))
        )
        for answer in answers:
            if answer is not None and answer.status_code in (200, 201):
                return str(answer.json()["session"]["sessionId"])
        current = await self._ask("GET", "/api/voice/session/current")
        if current is not None and current.status_code == 200:
            return str(current.json()["sessionId"])
        return None

    async def _use(self, session_id: str) -> None:
        for _ in range(self._rng.randint(0, 6)):
            await asyncio.sleep(self._rng.uniform(0.1, 1.2))
            await self._do_something(session_id)
        if self._rng.random() < 0.5:  # else it is forgotten, and a deadline has to end it
            await self._ask("DELETE", f"/api/voice/session/{session_id}")

    async def _do_something(self, session_id: str) -> None:
        match self._rng.choice(("mute", "message", "look", "pause", "resume")):
            case "mute":
                muted = self._rng.random() < 0.5
                now_ms = int(time.time() * 1000) - self._rng.randint(0, 500)
                wish = {"sessionId": session_id, "isMuted": muted, "timestamp": now_ms}
                await self._ask("POST", "/api/voice/mute", wish)
            case "message":
                path = f"/api/voice/session/{session_id}/message"
                await self._ask("POST", path, {"text": "hello"})
            case "look":
                await self._ask("GET", f"/api/voice/session/{session_id}")
            case "pause" | "resume" as what:
                cause = self._rng.choice(("user", "group_call"))
                wish = {"sessionId": session_id, "cause": cause, "paused": what == "pause"}
                await self._ask("POST", "/api/voice/pause", wish)

    async def hang_bot(self) -> None:
        """Say the words after which this person's bot hears nothing any more."""
        current = await self._ask("GET", "/api/voice/session/current")
        if current is not None and current.status_code == 200:
            path = f"/api/voice/session/{current.json()['sessionId']}/message"
            await self._ask("POST", path, {"text": HANG})

    async def _ask(self, method: str, path: str, json: Any = None) -> httpx.Response | None:
        """Ask, and count the answer; the server may be away."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._http.request(method, path, json=json)
            self.answers[f"{answer.status_code} {_code_of(answer)}".strip()] += 1
            return answer
        self.answers["nobody answered"] += 1
        return None


def _code_of(answer: httpx.Response) -> str:
    """The code of a refusal; whatever else a server says of one is a promise broken."""
    if answer.status_code < 400:
        return ""
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return NO_CODE
