"""What strangers and friends find when they come: sessions, keys, tokens; and what must not happen.

A world is a listening house with bots. Whoever asks is one of `ASKING`; where a request names a
session it may be one of `NAMED`. `World.judge` is what holds for every answer, `World.is_clean`
what holds when all have gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from greenroom.errors import Halted
from greenroom.session.model import Stage
from greenroom.wire.keys import Scope
from greenroom.wire.link import Offer
from tests.api.test_keys import make
from tests.conftest import SECRET, House
from tests.fuzz.bots import obedient_bots

ANSWER_WITHIN_S = 30.0
# By whose credentials a request may come.
ASKING = ("nobody", "ada", "bob", "operator", "server", "forged")
# Sessions that a request may name.
NAMED = ("ada's", "bob's", "ended")
# Secrets that an answer gives to the one who asked for them, and to nobody afterwards.
_GIVEN = re.compile(r'"(?:key":"gr_|token":"|ticket":")([\w.-]{24,})"')


@dataclass
class World:
    """A house, who lives there, and every secret that was ever heard of."""

    house: House
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    tasks_at_first: set[asyncio.Task[object]] = field(default_factory=asyncio.all_tasks)

    async def meet(self) -> None:
        """Give everybody what they show."""
        identity = self.house.parts.identity
        ada, bob = (identity.token_for(user, 3_600) for user in ("ada", "bob"))
        by_key = (await make(self.house, *Scope))["key"]
        by_token = {"ada": ada, "bob": bob, "operator": identity.operator_token("ops", 3_600)}
        self.secrets |= {SECRET, by_key, *(token.rpartition(".")[2] for token in by_token.values())}
        self.credentials = {who: _bearer(token) for who, token in by_token.items()}
        self.credentials["server"] = {**_bearer(by_key), "X-Greenroom-User": "ada"}
        self.credentials["forged"] = _bearer(ada[:-9] + "A" * 9)
        self.credentials["nobody"] = {}
        ended = (await self.house.sessions.start("ada", None)).session.id
        await self.house.sessions.stop(ended, None)
        await self.house.until(lambda session: not session.stage.is_live, ended)
        self.sessions["ended"] = ended

    async def settle(self) -> None:
        """Bring it (back) to where everybody is in conversation."""
        if await self.house.emergency.halted():
            await self.house.emergency.resume()
        for user in ("ada", "bob"):
            named, page = f"{user}'s", f"page-of-{user}"
            known = self.sessions.get(named)
            if known and (await self.house.session(known)).stage is Stage.ACTIVE:
                continue
            session_id = self.sessions[named] = await self._a_call(user, page)
            launch_id = (await self.house.session(session_id)).launch_id
            keyring = self.house.parts.keyring
            self.secrets |= {keyring.launch_secret(launch_id), keyring.webhook_secret(launch_id)}

    async def _a_call(self, user: str, page: str) -> str:
        sessions = self.house.sessions
        session_id = (await sessions.start(user, None)).session.id
        live = await self.house.until(lambda s: s.stage is not Stage.ENDING, session_id)
        if live.stage is Stage.ENDED:
            session_id = (await sessions.start(user, None)).session.id
        await sessions.connect(session_id, user, Offer(offer_id="o", participant=page, sdp="v=0"))
        await self.house.until(lambda session: session.stage is Stage.ACTIVE, session_id)
        return session_id

    async def unended(self) -> set[str]:
        """The sessions that have not ended."""
        return {session.id for session in await self.house.parts.store.unended()}

    def judge(self, answer: httpx.Response) -> None:
        """No failure of ours, and nobody's secret."""
        told = f"{answer.text}{answer.headers}"
        halted = Halted.code if answer.status_code == Halted.status else "-"
        assert answer.status_code < 500 or halted in told, told
        given = set(_GIVEN.findall(answer.text))
        # Of one user, two tokens that are minted in the same second are the same.
        again = given if answer.request.url.path == "/api/tokens" else set()
        for secret in self.secrets - again:
            assert secret not in told, f"a secret is in the answer to {answer.request.url}"
        self.secrets |= given

    async def is_clean(self) -> None:
        """Everybody goes; nothing of them is left."""
        await self.house.emergency.stop("")
        assert not await self.unended(), "a session was left behind"
        await self.house.until_true(lambda: not self.house.connections)
        assert (len(self.house.parts.links), len(self.house.parts.feeds)) == (0, 0)
        assert self.house.parts.metrics.sockets._value.get() == 0
        for place in ("api", "events", "link"):
            assert self.house.parts.metrics.uncaught.labels(place=place)._value.get() == 0
        try:
            await self.house.until_true(lambda: not self._new_tasks())
        except TimeoutError:
            raise AssertionError(f"tasks were left behind: {self._new_tasks()}") from None

    def _new_tasks(self) -> set[asyncio.Task[object]]:
        return {
            task
            for task in asyncio.all_tasks() - self.tasks_at_first
            if task is not asyncio.current_task()
        }


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextlib.asynccontextmanager
async def a_world(house: House) -> AsyncIterator[World]:
    """A world for the duration of the context; it is clean afterwards, or the test fails."""
    async with obedient_bots(house):
        world = World(house)
        await world.meet()
        yield world
        await world.is_clean()
