"""The links of living bots: who is connected, and asking one of them for an SDP answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greenroom.errors import BadOffer, BotSilent, Unavailable
from greenroom.wire.base import WireModel
from greenroom.wire.link import Answer, BotLevel, Candidates, Command, Offer, OfferRefused

REMEMBERED_LAUNCHES = 1_000

Send = Callable[[WireModel], Awaitable[None]]


class Link:
    """One bot's open link.

    Args:
        launch_id: Whose link it is.
        send: Puts a message on the wire; raises when the wire is gone.
    """

    def __init__(self, launch_id: str, send: Send) -> None:
        self.launch_id = launch_id
        self.replaced = asyncio.Event()
        self._send = send
        self._done: dict[str, asyncio.Future[None]] = {}
        self._answers: dict[str, asyncio.Future[Answer]] = {}

    async def answer(self, offer: Offer, timeout_s: float) -> Answer:
        """Ask the bot to answer an offer; two who ask the same get the same answer.

        Raises:
            BadOffer: The bot cannot use this offer.
            BotSilent: It did not answer in time.
        """
        future = self._answers.get(offer.offer_id)
        if future is None or future.done():
            future = asyncio.get_running_loop().create_future()
            self._answers[offer.offer_id] = future
            await self._put(offer)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except TimeoutError as error:
            self._answers.pop(offer.offer_id, None)  # asked again, it is sent again
            raise BotSilent("The assistant did not answer in time. Try again.") from error
        finally:
            if future.done():
                self._answers.pop(offer.offer_id, None)

    async def tell(self, command: Command, timeout_s: float) -> None:
        """Send a command and wait until the bot has carried it out.

        Raises:
            Unavailable: The link closed, or the bot said nothing in time.
        """
        future = self._done.setdefault(
            command.command_id, asyncio.get_running_loop().create_future()
        )
        await self._put(command)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(future)
        except TimeoutError as error:
            raise Unavailable("The bot did not confirm a command in time.") from error
        finally:
            self._done.pop(command.command_id, None)

    async def trickle(self, candidates: Candidates) -> None:
        """Pass on further candidates."""
        await self._put(candidates)

    def answered(self, answer: Answer) -> None:
        """The bot's answer came in."""
        future = self._answers.get(answer.offer_id)
        if future is not None and not future.done():
            future.set_result(answer)

    def refused(self, refusal: OfferRefused) -> None:
        """The bot refused an offer."""
        future = self._answers.get(refusal.offer_id)
        if future is not None and not future.done():
            future.set_exception(BadOffer(refusal.message))

    def done(self, command_id: str) -> None:
        """The bot carried a command out."""
        future = self._done.get(command_id)
        if future is not None and not future.done():
            future.set_result(None)

    def close(self) -> None:
        """Whoever still waits on this link is told that it is gone."""
        everybody: list[asyncio.Future[Any]] = [*self._done.values(), *self._answers.values()]
        for waiting in everybody:
            if not waiting.done():
                waiting.set_exception(Unavailable("The bot's link closed."))
                # Whoever waits has it; nobody waiting is no reason for a warning.
                waiting.exception()

    async def _put(self, message: WireModel) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:
            raise Unavailable("The bot's link closed.") from error


class Links:
    """All open links, by launch. In memory: a link is its connection."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._launched_s: dict[str, float] = {}
        self._wanted: Counter[str] = Counter()
        self._without_reading: dict[str, None] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self._links)

    def get(self, launch_id: str) -> Link | None:
        """The link of this launch, if it is up."""
        return self._links.get(launch_id)

    @contextmanager
    def wanted(self, launch_id: str) -> Iterator[None]:
        """For as long as a page's offer waits for this launch's link."""
        self._wanted[launch_id] += 1
        try:
            yield
        finally:
            self._wanted[launch_id] -= 1
            if not self._wanted[launch_id]:
                del self._wanted[launch_id]

    def is_wanted(self, launch_id: str) -> bool:
        """Whether an offer goes to this launch as soon as it is linked."""
        return launch_id in self._wanted

    def launched(self, launch_id: str) -> None:
        """The launcher has begun: its bot is expected to dial."""
        self._launched_s[launch_id] = time.monotonic()
        while len(self._launched_s) > REMEMBERED_LAUNCHES:  # those that never came
            del self._launched_s[next(iter(self._launched_s))]

    def joined(self, launch_id: str, level: object) -> None:
        """A bot has said what it turned out to be."""
        if level in (BotLevel.LAUNCHED, BotLevel.OBSERVED):
            self._without_reading[launch_id] = None
        while len(self._without_reading) > REMEMBERED_LAUNCHES:
            del self._without_reading[next(iter(self._without_reading))]

    def reads(self, launch_id: str) -> bool:
        """Whether a bot may be told what somebody typed; of an unknown one it is hoped."""
        return launch_id not in self._without_reading

    def opened(self, link: Link) -> float | None:
        """A bot was welcomed; an older connection of the same launch is replaced.

        Returns:
            Seconds since its launch; None if it had been here before.
        """
        older = self._links.get(link.launch_id)
        self._links[link.launch_id] = link
        if older is not None:
            older.replaced.set()
        launched_s = self._launched_s.pop(link.launch_id, None)
        return None if launched_s is None else time.monotonic() - launched_s

    def closed(self, link: Link) -> None:
        """A connection is gone."""
        if self._links.get(link.launch_id) is link:
            del self._links[link.launch_id]
        link.close()
