"""Asks again when the user says nothing: a few times in a row, and never into anybody's words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from greenroom.bot.sphinx import NotUnderstoodFrame
from greenroom.wire.assistants import IdlePrompts


class Nudging(FrameProcessor):
    """Watches who speaks; `run` says the prompts.

    Args:
        prompts: What to say, after how long, and how often in a row.
        say: Says it, if it may be said.
        may: Whether the user could be expected to say something.
    """

    def __init__(
        self,
        prompts: IdlePrompts,
        say: Callable[[str], Awaitable[None]],
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__()
        self._prompts = prompts
        self._say = say
        self._may = may
        self._speaking: set[str] = set()
        self._heard_anything = False
        self._said = 0
        self._said_before = 0
        self._stirred = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take note of who speaks; pass everything on."""
        await super().process_frame(frame, direction)
        match frame:
            case UserStartedSpeakingFrame():
                self._said_before, self._said = self._said, 0
                self._note("user", speaks=True)
            case NotUnderstoodFrame():
                # It may have been a noise, which is no reason to begin anew.
                self._said = max(self._said, self._said_before)
            case UserStoppedSpeakingFrame():
                self._note("user", speaks=False)
            case BotStartedSpeakingFrame():
                self._note("bot", speaks=True)
            case BotStoppedSpeakingFrame():
                self._note("bot", speaks=False)
        await self.push_frame(frame, direction)

    async def typed(self, data: dict[str, Any]) -> None:
        """The user has typed: as good as spoken. Takes the command of that kind."""
        self._said = 0
        self._stirred.set()

    async def run(self) -> None:
        """Say a prompt whenever nobody has spoken for long enough; until cancelled."""
        while True:
            self._stirred.clear()
            try:
                async with asyncio.timeout(self._prompts.after_s):
                    await self._stirred.wait()
            except TimeoutError:
                await self._nudge()

    async def _nudge(self) -> None:
        # Before anybody has spoken, nobody is there yet.
        if self._speaking or not self._heard_anything or not self._may():
            return
        if self._said < self._prompts.most:
            text = self._prompts.messages[self._said % len(self._prompts.messages)]
            self._said += 1
            await self._say(text)

    def _note(self, who: str, *, speaks: bool) -> None:
        self._heard_anything = True
        (self._speaking.add if speaks else self._speaking.discard)(who)
        self._stirred.set()
