"""Which of a record's tools a session gets: those that are for its user, and switched on."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from openfeature.evaluation_context import EvaluationContext

from greenroom.errors import Unavailable
from greenroom.service.assistants import Assistant
from greenroom.service.flags import Flags
from greenroom.wire.assistants import as_data

log = structlog.get_logger("greenroom.tools")


class ToolGate:
    """Decides once, at a session's start; what it got, it keeps.

    Args:
        flags: Asks for feature flags.
    """

    def __init__(self, flags: Flags) -> None:
        self._flags = flags

    async def record_for(self, assistant: Assistant, user_id: str, tenant: str) -> dict[str, Any]:
        """What the bot of a session is told of its assistant's record; nothing if it has none.

        A tool with ``users`` is there for those alone. One with a ``flag`` is there while that is
        on for the user; if nobody answers in time, or the flag is not known, it is off. Neither
        field is told to the bot.
        """
        if assistant.record is None:
            return {}
        wanted = [t for t in assistant.record.tools if t.users is None or user_id in t.users]
        flags = sorted({tool.flag for tool in wanted if tool.flag is not None})
        answers = await asyncio.gather(
            *(self._is_on(flag, assistant, user_id, tenant) for flag in flags)
        )
        on = {flag for flag, is_on in zip(flags, answers, strict=True) if is_on}
        granted = {tool.name for tool in wanted if tool.flag is None or tool.flag in on}
        return as_data(assistant.record.for_bot(granted))

    async def _is_on(self, flag: str, assistant: Assistant, user_id: str, tenant: str) -> bool:
        context = EvaluationContext(
            targeting_key=user_id,
            attributes={
                "assistant": assistant.name,
                "tenant": tenant,
                "version": assistant.version or 0,
            },
        )
        try:
            told = await self._flags.is_on(flag, context)
        except Unavailable as error:
            log.warning("tool.flag_unavailable", flag=flag, error=error.message)
            return False
        if told.error_code is not None:
            # Its message may hold anything; the code is OpenFeature's.
            log.warning("tool.flag_failed", flag=flag, code=str(told.error_code))
            return False
        return told.value is True
