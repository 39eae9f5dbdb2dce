"""One address: what comes in, who listens, and what passes between the two.

Everything is kept before it is passed, so nothing is lost to a socket that breaks. What was kept
while nobody listened passes first, in order, one at a time; then live requests, several at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from greenroom.relay.bounds import Bounds, Rate
from greenroom.relay.keep import Keep, Kept, Request
from greenroom.wire.relay import REPLACED, Answered, Headers, Passing, Replay, Welcome

log = structlog.get_logger("greenroom.relay")

_SEND_WITHIN_S = 10.0
_GATEWAY_TIMEOUT = 504


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender is told."""

    status: int
    headers: Headers
    body: bytes


class Socket(Protocol):
    """A machine that listens."""

    async def send(self, text: str) -> None:
        """Send a message."""
        ...

    async def close(self, code: int) -> None:
        """Hang up."""
        ...


class _Listener:
    """One machine, as long as it listens. ``answers``: what was handed to it, by number."""

    def __init__(self, socket: Socket, bounds: Bounds) -> None:
        self.socket = socket
        self.places = asyncio.Semaphore(bounds.at_once)
        self.answers: dict[int, asyncio.Future[Answer]] = {}

    async def send(self, text: str) -> None:
        async with asyncio.timeout(_SEND_WITHIN_S):
            await self.socket.send(text)


class Line:
    """One address of the relay.

    Args:
        name: Of the address; logs say it, and never the address itself.
        address: For people, in full.
        keep: What is kept, of all addresses.
        now: The time, in seconds since the epoch.
    """

    def __init__(
        self, name: str, address: str, keep: Keep, bounds: Bounds, now: Callable[[], float]
    ) -> None:
        self.name = name
        self.address = address
        self.rate = Rate(bounds.per_s, bounds.burst, now)
        self._keep = keep
        self._bounds = bounds
        self._now = now
        self._listener: _Listener | None = None
        self._live: dict[int, asyncio.Future[Answer | None]] = {}
        self._more = asyncio.Event()
        self._after = 0

    @property
    def listening(self) -> bool:
        """Whether a machine listens now."""
        return self._listener is not None

    async def take(self, request: Request) -> Answer | None:
        """Pass a request to the application, and wait for its answer.

        Returns:
            The answer; None if there is none yet, and the request is kept and will pass later.

        Raises:
            Full: Nothing more is kept.
        """
        number = await self._keep.add(self.name, request, self._now())
        if self._listener is None:
            return None
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._live[number] = answer
        self._more.set()
        try:
            async with asyncio.timeout(self._bounds.hop_s):
                return await answer
        except TimeoutError:
            return await self._give_up(number)
        finally:
            self._live.pop(number, None)

    async def _give_up(self, number: int) -> Answer | None:
        """Nobody answered in time. Handed over, it counts as passed; else it is kept."""
        listener = self._listener
        if listener is None or number not in listener.answers:
            return None
        listener.answers[number].cancel()
        await self._keep.passed(number, _GATEWAY_TIMEOUT)
        text = f"The application did not answer within {self._bounds.hop_s:g} s."
        return Answer(_GATEWAY_TIMEOUT, [("content-type", "text/plain")], text.encode())

    # ---- the machine that listens

    async def listen(
        self, socket: Socket, receive: Callable[[], Awaitable[Answered | Replay]]
    ) -> None:
        """Serve a machine until its socket breaks; whoever listened before is told to go."""
        listener = _Listener(socket, self._bounds)
        before, self._listener = self._listener, listener
        if before is not None:
            await before.socket.close(REPLACED)
        self._after = 0
        log.info("relay.listening", name=self.name, replaced=before is not None)
        try:
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(listener, group))
                try:
                    while True:
                        await self._heard(listener, await receive())
                finally:
                    pump.cancel()
        finally:
            self._gone(listener)

    def _gone(self, listener: _Listener) -> None:
        for answer in listener.answers.values():
            answer.cancel()
        if self._listener is listener:
            self._listener = None
            for live in self._live.values():
                if not live.done():
                    live.set_result(None)  # it is kept, and passes when somebody listens again
        log.info("relay.left", name=self.name)

    async def _heard(self, listener: _Listener, message: Answered | Replay) -> None:
        if isinstance(message, Replay):
            count = await self._keep.replay(self.name, last=message.last, numbers=message.numbers)
            log.info("relay.replayed", name=self.name, count=count)
            self._after = 0
            self._more.set()
            return
        answer = listener.answers.get(message.number)
        if answer is not None and not answer.done():  # answered twice, or too late: once counts
            answer.set_result(Answer(message.status, message.headers, message.body))

    async def _pump(self, listener: _Listener, group: asyncio.TaskGroup) -> None:
        """Hand over what waits, in the order in which it came."""
        waiting, waiting_bytes = await self._keep.waiting(self.name)
        welcome = Welcome(
            name=self.name, address=self.address, waiting=waiting, waiting_bytes=waiting_bytes
        )
        await listener.send(welcome.to_json())
        while True:
            self._more.clear()
            kept = await self._keep.next_waiting(self.name, self._after)
            if kept is None:
                await self._more.wait()
                continue
            self._after = kept.number
            if kept.number in listener.answers:
                continue  # under way already: the cursor was set back by a replay
            await listener.places.acquire()
            handing = group.create_task(self._hand_over(listener, kept))
            if kept.number not in self._live:
                await handing

    async def _hand_over(self, listener: _Listener, kept: Kept) -> None:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        listener.answers[kept.number] = answer
        try:
            await listener.send(_passing(kept, live=kept.number in self._live).to_json())
            await asyncio.wait([answer])
            if answer.cancelled():
                return  # given up, or the machine went away
            await self._keep.passed(kept.number, answer.result().status)
            sender = self._live.get(kept.number)
            if sender is not None and not sender.done():
                sender.set_result(answer.result())
        finally:
            listener.answers.pop(kept.number, None)
            listener.places.release()


def _passing(kept: Kept, *, live: bool) -> Passing:
    request = kept.request
    return Passing.model_construct(
        number=kept.number,
        received_at=kept.received_at,
        live=live,
        method=request.method,
        query=request.query,
        headers=request.headers,
        body=request.body,
    )
