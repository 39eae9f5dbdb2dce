"""The servers of `bench/events.py`, each in a process of its own: Greenroom, and bare Starlette.

Both run on uvicorn and uvloop with the same options. Greenroom's launcher is a fake, so that no
bot's work is counted; store, service, hub and API are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import uvicorn
import uvloop
from bench.streams.clients import allow_many_files
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from greenroom.api.app import build_app
from greenroom.api.server import server_config
from greenroom.assembly import Adapters, House, Plan, assemble
from greenroom.hub.memory import MemoryHub
from greenroom.logs import configure_logs
from greenroom.main import SystemClock
from greenroom.outbound.sender import HttpSender
from greenroom.ports.launcher import BotExit, ExitCause
from greenroom.ports.store import NewEvent
from greenroom.rooms.local import LocalRooms
from greenroom.service.events import ephemeral_word, words_of
from greenroom.service.feeds import HOUSE_TOPIC
from greenroom.service.purse import Money
from greenroom.service.sessions import Assistant, session_topic
from greenroom.session.model import Limits, Session
from greenroom.session.policy import UNLIMITED
from greenroom.store import database_at
from greenroom.testing.launcher import FakeLauncher
from greenroom.wire import http as w

SECRET = "b" * 32
END = {"reason": "emergency", "message": "All conversations were stopped.", "durationS": 61.5}
STARTS_AT_ONCE = 16

Answer = Callable[..., Awaitable[Any]]


class Server:
    """A server's process, as the bench sees it. Every call waits for its answer."""

    def __init__(self, main: Callable[[Connection], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs,), daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()

    def ask(self, what: str, *args: Any) -> Any:
        """Have something done, by name."""
        self._pipe.send((what, *args))
        return self._pipe.recv()

    @property
    def private_mb(self) -> float:
        """Its private memory."""
        return float(psutil.Process(self._process.pid).memory_full_info().uss) / 2**20

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join(10)


async def _serve(app: Any, pipe: Connection, answers: dict[str, Answer]) -> None:
    server = uvicorn.Server(server_config(app, port=0))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    pipe.send(server.servers[0].sockets[0].getsockname()[1])
    while True:
        asking = asyncio.create_task(asyncio.to_thread(pipe.recv))
        await asyncio.wait((asking, serving), return_when=asyncio.FIRST_COMPLETED)
        what, *args = asking.result()
        pipe.send(await answers[what](*args))


# ---- Greenroom


def greenroom(pipe: Connection) -> None:
    """Greenroom over SQLite in a folder of its own."""
    allow_many_files()
    configure_logs("error", as_json=False)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_greenroom(pipe, Path(folder)))


async def _greenroom(pipe: Connection, folder: Path) -> None:
    database = database_at(None, folder)
    await database.upgrade()
    adapters = Adapters(
        await database.open(),
        MemoryHub(),
        SystemClock(),
        _Launcher(),
        LocalRooms([], allow_loopback=True),
        HttpSender([]),
    )
    plan = Plan(
        secret=SECRET,
        anonymous=True,
        assistants=[Assistant("bench", "bench", "Bench", Limits(join_s=7200, idle_s=7200))],
        link_url="ws://127.0.0.1:1/link",
        memory_limit_bytes=1 << 29,
        hosts=["*"],
        quotas=UNLIMITED,
        money=Money(metering_s=7200),  # what is idle has nothing to tell, not even its cost
    )
    house = assemble(adapters, plan)
    async with asyncio.TaskGroup() as group:
        for run in house.background:
            group.create_task(run())
        await _serve(build_app(house.parts), pipe, _Acts(house).all())


class _Launcher(FakeLauncher):
    """Its processes end as soon as they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self._gone: asyncio.Queue[BotExit] = asyncio.Queue()

    async def end(self, launch_id: str, *, polite_s: float, term_s: float) -> None:
        """See `Launcher.end`."""
        if launch_id in self._alive:
            self._alive.discard(launch_id)
            session_id = self.orders[launch_id].session_id
            self._gone.put_nowait(
                BotExit(launch_id, session_id, ExitCause.EXITED, 0, None, "", time.time())
            )

    async def exits(self) -> AsyncIterator[BotExit]:
        """See `Launcher.exits`."""
        while True:
            yield await self._gone.get()


class _Acts:
    """What the bench has done in Greenroom's process. Times: ``time.monotonic``."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sessions: list[Session] = []
        self._seqs: dict[str, int] = {}

    def all(self) -> dict[str, Answer]:
        """By name."""
        acts = (self.start, self.tickets, self.tell_all, self.tell_each, self.stop_everything)
        return {act.__name__: act for act in acts}

    async def start(self, count: int) -> list[str]:
        """Start sessions until there are so many; returns the ids of their launches."""
        places = asyncio.Semaphore(STARTS_AT_ONCE)

        async def one(number: int) -> Session:
            async with places:
                return (await self._house.parts.sessions.start(f"user-{number}", None)).session

        numbers = range(len(self._sessions), count)
        self._sessions += await asyncio.gather(*map(one, numbers))
        return [session.launch_id for session in self._sessions]

    async def tickets(self, first: int, count: int) -> list[str]:
        """What so many sockets say first: each follows a session of its own, from now on."""
        some = self._sessions[first : first + count]
        tickets = [await self._house.parts.sessions.ticket(session) for session in some]
        return [w.Subscribe(ticket=t, after=some[0].last_seq).to_json() for t in tickets]

    async def tell_all(self) -> tuple[float, list[str]]:
        """One ephemeral event to everybody; when it began, and what was sent to each."""
        began_s = time.monotonic()
        data = {"message": "All conversations were stopped by the people in charge: fire."}
        word = ephemeral_word(None, time.time(), "voice.emergency", data)
        self._house.parts.hub.publish(HOUSE_TOPIC, [word])
        return began_s, [word.text] * len(self._sessions)

    async def tell_each(self) -> tuple[float, list[str]]:
        """To each session's page the next event, as if it had just been stored."""
        for session in self._sessions if not self._seqs else ():
            self._seqs |= await self._house.parts.store.last_seqs([session.id])
        texts, event = [], NewEvent("voice.session.end", END)
        began_s = time.monotonic()
        for session in self._sessions:
            words = words_of(session.id, self._seqs[session.id], time.time(), [event])
            self._house.parts.hub.publish(session_topic(session.id), words)
            self._seqs[session.id] += 1
            texts.append(words[0].text)
        return began_s, texts

    async def stop_everything(self) -> float:
        """The real thing; when it began."""
        began_s = time.monotonic()
        await self._house.emergency.stop("fire")
        return began_s


# ---- bare Starlette


def starlette(pipe: Connection) -> None:
    """Starlette with a WebSocket that does nothing but be there."""
    allow_many_files()
    uvloop.run(_starlette(pipe))


async def _starlette(pipe: Connection) -> None:
    sockets: list[WebSocket] = []

    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        await socket.send_text("welcome")
        sockets.append(socket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        sockets.remove(socket)

    async def broadcast(texts: list[str]) -> float:
        began_s = time.monotonic()
        for socket, text in zip(sockets, texts, strict=True):
            await socket.send_text(text)
        return began_s

    app = Starlette(routes=[WebSocketRoute("/ws", ws)])
    await _serve(app, pipe, {"broadcast": broadcast})
