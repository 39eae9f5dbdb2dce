"""Connects a model that hears and speaks by itself again: after a loss Pipecat's is deaf."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from pipecat.frames.frames import ErrorFrame

from greenroom.bot.own_voice import OwnVoice
from greenroom.bot.services.openai_realtime import (
    cannot_connect,
    ends_connection,
    forget_what_is_heard,
    is_openai,
)

log = structlog.get_logger("greenroom.bot.reconnecting")

# Before each try: somebody waits, so there are few.
WAITS_S = (0.0, 0.5, 1.5)
# From a new connection, or from the end of what was said already, to the beginning of an answer.
LIVE_WITHIN_S = 5.0
# It answers faster than it speaks; more than this is never ahead.
SAID_WITHIN_S = 120.0
# Losses with no answer between them; one more will not be the last.
MOST_IN_A_ROW = 3
GO_ON = "The connection was lost for a moment. Go on from where you were."


class Reconnecting:
    """Takes care of a lost connection; only where it is known how.

    Args:
        voice: The model's.
        tell: Tells the model something, and has it answer.
        given_up: Awaited when it cannot be reached any more.
        settle: Waits until the pipeline has done what it was given.
        waits_s: Before each try, in seconds.
    """

    def __init__(
        self,
        voice: OwnVoice,
        tell: Callable[[str], Awaitable[None]],
        given_up: Callable[[], Awaitable[None]],
        settle: Callable[[], Awaitable[object]],
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        self._voice = voice
        self._tell = tell
        self._given_up = given_up
        self._settle = settle
        self._waits_s = waits_s
        self._mending: asyncio.Task[None] | None = None
        self._refused = asyncio.Event()
        self._failed_early = False
        self._hopeless = False
        self._in_a_row = 0
        self._began = False

    def cares_about(self, error: ErrorFrame) -> bool:
        """Whether an error of the model's is this one's affair, and nobody else's."""
        return is_openai(self._voice.model()) and ends_connection(error)

    def failed(self, error: ErrorFrame) -> None:
        """The model's service says that something failed."""
        if not self.cares_about(error):
            return
        if error.category is not None and error.category.is_permanent:
            self._hopeless = True
        if cannot_connect(error) or self._mending is not None:
            self._refused.set()
        if not self._began:
            # Nobody is there yet, and before a pipeline runs its errors reach nobody.
            self._failed_early = True
        elif self._mending is None:
            self._mending = asyncio.create_task(self._mend())

    def begin(self) -> None:
        """Somebody is there, and the model was asked for its first words."""
        self._began = True
        if self._failed_early and self._mending is None:
            self._mending = asyncio.create_task(self._mend(first=True))

    async def close(self) -> None:
        """The call is over."""
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)

    async def _mend(self, *, first: bool = False) -> None:
        model: Any = self._voice.model()
        # What was answered in between was no loss in a row.
        self._in_a_row = 1 if self._voice.answered else self._in_a_row + 1
        self._voice.answered = False
        told = first  # of its first words it knows already
        try:
            if first:
                # Pipecat's service cannot begin anew before it was told of a conversation at all.
                await self._settle()
            for wait_s in self._waits_s if self._in_a_row <= MOST_IN_A_ROW else ():
                if self._hopeless or self._voice.model() is not model:
                    break
                await asyncio.sleep(wait_s)
                log.warning("model.connects_again")
                await self._voice.ready_to_ask_again()
                self._refused.clear()
                forget_what_is_heard(model)
                await model.reset_conversation()
                if not told:
                    await self._tell(GO_ON)
                told = True
                if await self._comes_alive():
                    return
                told = not self._voice.live.is_set()  # else it was asked, and then lost again
            if self._voice.model() is model:
                self._voice.lost = True
                await self._given_up()
        finally:
            self._mending = None

    async def _comes_alive(self) -> bool:
        """Whether it answers. It is not asked before what it has answered already is heard.

        What it is told goes where that goes, so that it knows what it has said.
        """
        live, said = self._voice.live, self._voice.said
        heard, *waiting = [
            asyncio.create_task(event.wait()) for event in (said, live, self._refused)
        ]
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait([heard, *waiting], timeout=SAID_WITHIN_S, return_when=first)
            await asyncio.wait(waiting, timeout=LIVE_WITHIN_S, return_when=first)
        finally:
            for task in (heard, *waiting):
                task.cancel()
        return live.is_set() and not self._refused.is_set()
