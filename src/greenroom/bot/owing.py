"""What a mind owes its user: an answer that something else than the user's own words cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from greenroom.bot.context import BotSession
from greenroom.wire.link import CommandKind

_PAUSED = (
    "The user had paused the conversation while you spoke, and is back. What is here of what you "
    "said was heard. Go on from there; if that was all, ask them in a few words to go on."
)


class Owing:
    """Gives what a pause, or somebody's words over it, has cut off, when that is over.

    Args:
        session: The session.
        thinks: Whether an answer is under way.
        speaks: Whether the assistant is heard.
        ask: Has the model answer; with what it is told before, if anything.
    """

    def __init__(
        self,
        session: BotSession,
        thinks: Callable[[], bool],
        speaks: Callable[[], bool],
        ask: Callable[[str | None], Awaitable[None]],
    ) -> None:
        self._session = session
        self._thinks = thinks
        self._speaks = speaks
        self._ask = ask
        self._answer = False
        self._rest = False

    def look_before(self) -> None:
        """See what commands cut off: to be called before others see to their being obeyed."""
        self._session.on_command(CommandKind.PAUSE, self._cut_off)
        self._session.on_command(CommandKind.SAY, self._cut_off)

    def look_after(self) -> None:
        """And give it once they are: to be called after that."""
        self._session.on_command(CommandKind.PAUSE, self._give)
        self._session.on_command(CommandKind.SAY, self._give)

    def hold(self) -> None:
        """A question that comes in a pause waits for its end."""
        self._answer = True

    async def _cut_off(self, data: dict[str, Any]) -> None:
        pauses = bool(data.get("paused"))
        if not (pauses or data.get("interrupt")):
            return
        if self._speaks():
            # Whoever has something said over it wants it no more.
            self._rest = pauses
        elif self._thinks():
            self._answer = True

    async def _give(self, data: dict[str, Any]) -> None:
        if self._session.paused:
            return
        answer, self._answer = self._answer, False
        rest, self._rest = self._rest, False
        if answer or rest:
            await self._ask(None if answer else _PAUSED)
