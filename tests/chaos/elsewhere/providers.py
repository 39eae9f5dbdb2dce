"""Daily and Pipecat Cloud as stand-ins behind gates, and the door by which agents see rooms."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import httpx
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from greenroom.api.server import server_config
from greenroom.testing.daily import DailyStandIn, JoinRefused
from greenroom.testing.daily.webhooks import Told
from greenroom.testing.deployments import Deployment
from greenroom.testing.pipecat_cloud import PipecatCloud
from tests.chaos.elsewhere.agents import Nursery
from tests.chaos.elsewhere.gate import Gate
from tests.chaos.spans import Spans
from tests.listening import serving

AGENT = "parrot"
MAX_AGENTS, MIN_AGENTS = 6, 2
COLD_START_S, MAX_SESSION_S = 0.8, 60.0
WEBHOOK_SECRET = "Y2hhb3MtY2hhb3MtY2hhb3MtY2hhb3MtMDEyMzQ1Njc="
_LOOK_EVERY_S = 0.05
# Whoever's webhook was given up makes it anew; here that takes so long.
_MADE_ANEW_S = 3.0


class _SystemClock:
    def now(self) -> float:
        return time.time()


class Post:
    """How Daily's webhooks travel. ``lost``: so many more are lost."""

    def __init__(self) -> None:
        self.held_until = 0.0
        self.backwards = False
        self.twice = 0
        self.lost = 0

    def order(self, due: list[Told]) -> list[Told]:
        """What of it arrives, and in which order."""
        lost = min(self.lost, len(due))
        self.lost -= lost
        kept = due[lost:]
        return kept[::-1] if self.backwards else kept


class Providers:
    """Both providers with their books, and when who could not be had.

    Attributes:
        daily: Daily's stand-in.
        cloud: Pipecat Cloud's.
        no_stop: When nobody could stop an agent.
        no_rooms: When Daily could not be had.
    """

    def __init__(self, folder: Path) -> None:
        self.daily = DailyStandIn(client=httpx.AsyncClient(trust_env=False))
        self.post = Post()
        self.no_stop, self.no_rooms = Spans(), Spans()
        self._folder = folder
        self._nursery: Nursery | None = None
        self._stack = contextlib.AsyncExitStack()
        self._ports: dict[str, int] = {}
        self.daily_gate = Gate(lambda: self._ports["daily"])
        self.cloud_gate = Gate(lambda: self._ports["cloud"])

    @property
    def nursery(self) -> Nursery:
        """Where agents come from."""
        assert self._nursery is not None
        return self._nursery

    async def open(self) -> dict[str, str]:
        """Both are up; returns what Greenroom has to be told of them."""
        media = await serve(self._seat, "127.0.0.1", 0, ping_interval=None, compression=None)
        self._stack.push_async_callback(_closed, media)
        self._nursery = Nursery(f"ws://127.0.0.1:{_port_of(media)}", self._folder / "agents.log")
        await self._nursery.open()
        self._stack.push_async_callback(self._nursery.close)
        self.deployment = Deployment(
            AGENT, self._nursery, MAX_AGENTS, MIN_AGENTS, COLD_START_S, MAX_SESSION_S
        )
        self.cloud = PipecatCloud([self.deployment], clock=_SystemClock())
        for name, app in (("daily", self.daily.app), ("cloud", self.cloud.app)):
            self._ports[name] = await self._stack.enter_async_context(
                serving(server_config(app, port=0))
            )
        for run in (self.cloud.run, self._deliver):
            task = asyncio.create_task(run())
            self._stack.push_async_callback(_cancelled, task)
        for gate in (self.daily_gate, self.cloud_gate):
            self._stack.push_async_callback(gate.close)
        return {
            "GREENROOM_ROOMS": "daily",
            "GREENROOM_DAILY_API_URL": f"http://127.0.0.1:{await self.daily_gate.open()}/v1",
            "GREENROOM_DAILY_API_KEY": self.daily.api_key,
            "GREENROOM_DAILY_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "GREENROOM_LAUNCHER": "pipecat-cloud",
            "GREENROOM_PIPECAT_CLOUD_URL": f"http://127.0.0.1:{await self.cloud_gate.open()}",
            "GREENROOM_PIPECAT_CLOUD_AGENT": AGENT,
            "GREENROOM_PIPECAT_CLOUD_PUBLIC_KEY": "pk_stand-in",
            "GREENROOM_PIPECAT_CLOUD_PRIVATE_KEY": "sk_stand-in",
            "GREENROOM_PIPECAT_CLOUD_MAX_SESSION_S": str(MAX_SESSION_S),
        }

    async def tell(self, url: str) -> None:
        """From now on Daily tells this address who comes and goes."""
        wish = {
            "url": url,
            "hmac": WEBHOOK_SECRET,
            "retryType": "exponential",
            "eventTypes": ["participant.joined", "participant.left"],
        }
        where = f"http://127.0.0.1:{self._ports['daily']}/v1/webhooks"
        key = {"authorization": f"Bearer {self.daily.api_key}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.post(where, json=wish, headers=key)).raise_for_status()

    async def close(self) -> None:
        """Nothing is left of them."""
        await self._stack.aclose()
        await self.daily.close()

    # ---- what they do by themselves

    async def _deliver(self) -> None:
        """Events go out, and rooms and tokens end; what was given up is made anew."""
        given_up_at: float | None = None
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.daily.settle()
            now, post = time.monotonic(), self.post
            if now >= post.held_until:
                twice, post.twice = post.twice > 0, max(0, post.twice - 1)
                await self.daily.webhooks.deliver(post.order, twice=twice)
                post.backwards = False
            if not self.daily.webhooks.given_up:
                given_up_at = None
            elif given_up_at is None:
                given_up_at = now
            elif now - given_up_at > _MADE_ANEW_S:
                self.daily.webhooks.revive()

    async def _seat(self, agent: ServerConnection) -> None:
        """An agent in its room: until it goes, or has to."""
        assert agent.request is not None
        room, token = (agent.request.headers[name] for name in ("x-room", "x-token"))
        try:
            here = self.daily.join(room, token, user_name="bot")
        except JoinRefused as refused:
            await agent.close(4403, refused.reason)
            return
        try:
            with contextlib.suppress(ConnectionClosed):
                await agent.send("in")
                gone = asyncio.create_task(agent.wait_closed())
                while here.present and not gone.done():
                    await asyncio.wait({gone}, timeout=_LOOK_EVERY_S)
                gone.cancel()
        finally:
            self.daily.leave(here)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _closed(server: Server) -> None:
    server.close()
    await server.wait_closed()


def _port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
