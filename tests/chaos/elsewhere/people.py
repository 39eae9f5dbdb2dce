"""People whose rooms are Daily's: they go in by their token, forget to leave, and come back."""

from __future__ import annotations

import asyncio
from typing import Any

from greenroom.api.identity import Identity
from greenroom.testing.daily import DailyStandIn, JoinRefused, Participant
from tests.chaos.people import Person

_LOOK_EVERY_S = 0.3
_WAIT_MOST_LOOKS = 25


class Visitor(Person):
    """One user, in the room of each session unless it does not let them in."""

    def __init__(
        self, name: str, url: str, identity: Identity, seed: int, daily: DailyStandIn
    ) -> None:
        super().__init__(name, url, identity, "", seed)
        self._daily = daily
        self._token: tuple[str, str] | None = None
        self._here: Participant | None = None

    def _wish(self) -> dict[str, Any]:
        wish = super()._wish()
        del wish["offer"]
        wish["body"]["reports"] = self._rng.choice(("link", "webhook"))
        return wish

    async def _use(self, session_id: str) -> None:
        if await self._let_in(session_id) and await self._come_in(session_id):
            await super()._use(session_id)
        match self._rng.choice(("leaves", "forgets", "comes back by an old token")):
            case "leaves":
                self._leave()
            case "comes back by an old token":
                await asyncio.sleep(self._rng.uniform(0, 3))
                self._leave()
                self._enter()

    async def _let_in(self, session_id: str) -> bool:
        """Wait for one's turn; whether it came."""
        for _ in range(_WAIT_MOST_LOOKS):
            answer = await self._ask("GET", f"/api/voice/session/{session_id}")
            if answer is not None and answer.status_code == 200:
                stage = answer.json()["stage"]
                if stage != "queued":
                    return stage in ("connecting", "active", "lingering")
            await asyncio.sleep(_LOOK_EVERY_S)
        return False

    async def _come_in(self, session_id: str) -> bool:
        answer = await self._ask("POST", f"/api/voice/session/{session_id}/room")
        if answer is None or answer.status_code != 200:
            return False
        room = answer.json()
        self._token = (room["name"], room["token"])
        self._enter()
        return True

    def _enter(self) -> None:
        """As a page does that has a token; an older page of theirs is not closed for it."""
        if self._token is None:
            return
        room, token = self._token
        try:
            self._here = self._daily.join(room, token)
            self.answers["let in by Daily"] += 1
        except JoinRefused as refused:
            self.answers[f"not let in by Daily: {refused.reason}"] += 1

    def _leave(self) -> None:
        if self._here is not None:
            self._daily.leave(self._here)
            self._here = None

    async def _do_something(self, session_id: str) -> None:
        match self._rng.choice(("as everybody", "as everybody", "reload", "vanish")):
            case "reload":
                self._leave()
                await self._come_in(session_id)
            case "vanish":
                self._leave()
            case _:
                await super()._do_something(session_id)
