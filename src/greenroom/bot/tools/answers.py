"""What the server and the page say that their calls have come to, brought to whoever waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from greenroom.bot.tools.functions import ToolError
from greenroom.wire.tools import ToolAnswer, ToolOutcome, Where


@dataclass(frozen=True, slots=True)
class _Waiting:
    where: Where
    answer: asyncio.Future[ToolAnswer]


class Answers:
    """The calls that somebody else carries out.

    An answer counts once, from whoever was to give it, and while somebody waits. Any other is
    dropped: it came twice after a link was lost, or too late, or from a page that was not asked.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def expect(self, call_id: str, where: Where) -> None:
        """From now on an answer to this call counts; before anybody is asked."""
        answer: asyncio.Future[ToolAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = _Waiting(where, answer)

    async def wait(self, call_id: str) -> Any:
        """What the call that is expected came to; nobody expects it afterwards.

        Raises:
            ToolError: It failed, or was refused.
        """
        try:
            told = await self._waiting[call_id].answer
        finally:
            del self._waiting[call_id]
        if told.refused:
            raise ToolError(ToolOutcome.REFUSED, told.error or "It was refused.")
        if told.error is not None:
            raise ToolError(ToolOutcome.FAILED, told.error)
        return told.result

    async def take(self, data: dict[str, Any]) -> None:
        """Handles the command ``tool_results``."""
        for one in data.get("results", []):
            try:
                told = ToolAnswer.model_validate(one)
            except ValidationError:  # of a VAPI call, or a newer server's
                continue
            waiting = self._waiting.get(told.tool_call_id)
            if waiting is None or waiting.where is not told.by or waiting.answer.done():
                continue
            waiting.answer.set_result(told)
