"""Tools that the server carries out: found in the session's own record, checked, and answered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from greenroom.assistants.paths import dotted
from greenroom.ports.clock import Clock
from greenroom.ports.effects import PendingEffect
from greenroom.service.sessions import Sessions
from greenroom.service.tool_calls import (
    Call,
    Done,
    Runner,
    Shown,
    ToolFailed,
    ToolRefused,
    ToolTooLate,
    answer_of,
)
from greenroom.service.tracing import ids_of
from greenroom.session.inputs import ToolAnswered
from greenroom.session.model import Session
from greenroom.wire.assistants import BotRecord, ToolRecord
from greenroom.wire.base import WireModel, size_bytes
from greenroom.wire.tools import (
    DEFAULT_TIMEOUT_S,
    MAX_RESULT_BYTES,
    TOOLBOX,
    ToolAnswer,
    ToolCallData,
    ToolOutcome,
    Where,
)

log = structlog.get_logger("greenroom.tools")

GIVEN_UP = "The tool could not be carried out. Try again later."
# A server that died may have carried it out, and not come to say so.
TOO_LATE = "Nobody knows whether the tool was carried out in time. Look before you try it again."


class Tools:
    """Carries out what bots ask of the server, each call with an answer, whatever happens.

    A session has the tools of its own record and no other (default deny): a bot that asks for one
    that stands not there, or for a function that such a tool does not have, is refused.

    Args:
        sessions: Answers go through the one writer, to the bot.
        clock: The time.
        runners: Who carries out what: by the name of a built-in tool, or the kind of another.
    """

    def __init__(self, sessions: Sessions, clock: Clock, runners: Mapping[str, Runner]) -> None:
        self._sessions = sessions
        self._clock = clock
        self._runners = runners

    async def run(self, session: Session, effect: PendingEffect) -> None:
        """Carry a call out and answer it.

        One that nobody waits for any more is answered, and not carried out: what would come of it
        comes as a surprise. What it has shown is told in the transaction that answers the bot and
        strikes the effect off, so that the page is shown it once.

        Args:
            session: Whose bot asks.
            effect: What it asks, and since when.

        Raises:
            AlreadySettled: It was answered meanwhile; nothing was told again.
            Unavailable: The store is away; nobody was answered, and it may be said again.
        """
        asked_at: float = effect.payload["asked_at"]
        asked = ToolCallData.model_validate(effect.payload["call"])
        began = time.monotonic()
        outcome = ToolOutcome.OK
        shown: tuple[Shown, ...] = ()
        try:
            done = await self._carried_out(session, asked_at, asked)
            answer, shown = _answer(asked.tool_call_id, done.result), done.shown
        except ToolFailed as failed:
            outcome, answer = failed.outcome, _error(asked.tool_call_id, failed)
        await self._sessions.apply(session.id, ToolAnswered(answer, shown), settles=effect)
        log.info(
            "tool.answered",
            **ids_of(session),
            tool=asked.tool,
            function=asked.name,
            call=asked.tool_call_id,
            outcome=outcome.value,
            duration_ms=round((time.monotonic() - began) * 1000),
        )

    async def give_up(self, session_id: str, asked: ToolCallData) -> None:
        """Answer a call that nobody tries any more: silence would keep the bot waiting."""
        answer = _error(asked.tool_call_id, ToolFailed(GIVEN_UP))
        await self._sessions.apply(session_id, ToolAnswered(answer))

    async def _carried_out(self, session: Session, asked_at: float, asked: ToolCallData) -> Done:
        tool = _tool_of(session, asked)
        runner = self._runners.get(tool.name if tool.kind == "builtin" else tool.kind)
        if runner is None:
            raise ToolRefused("This server does not carry out this tool.")
        timeout_s = tool.timeout_s or DEFAULT_TIMEOUT_S
        left_s = min(timeout_s, asked_at + timeout_s - self._clock.now())
        if left_s <= 0:
            raise ToolTooLate(TOO_LATE)
        checked = _checked(asked) if tool.kind == "builtin" else None
        call = Call(session, tool, asked.tool_call_id, asked.name, asked.arguments, checked, left_s)
        return await runner(call)


def _tool_of(session: Session, asked: ToolCallData) -> ToolRecord:
    """The tool that a call names, if the session has it and the server is to carry it out.

    Raises:
        ToolRefused: The session has no such tool, or it has no such function, or is another's.
    """
    try:
        tools = BotRecord.model_validate(session.record).tools if session.record else []
    except ValidationError:  # of an older or newer version, with other rules
        tools = []
    found = next((tool for tool in tools if tool.name == asked.tool), None)
    if found is None:
        raise ToolRefused(f"There is no tool called “{asked.tool}”.")
    if found.kind == "builtin":
        builtin = TOOLBOX.get(found.name, {}).get(asked.name)
        if builtin is None or builtin.where is not Where.SERVER:
            raise ToolRefused(f"“{found.name}” has no function “{asked.name}” on the server.")
    elif found.kind != "http" or asked.name != found.name:
        raise ToolRefused(f"“{found.name}” has no function “{asked.name}” on the server.")
    return found


def _checked(asked: ToolCallData) -> WireModel:
    """The arguments of a built-in function.

    Raises:
        ToolRefused: They do not match; it says which of them, by its path, and what is wrong.
    """
    try:
        return TOOLBOX[asked.tool][asked.name].arguments.model_validate(asked.arguments)
    except ValidationError as error:
        wrong = [f"{dotted(e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
        raise ToolRefused(f"The arguments do not match. {'; '.join(wrong)}") from None


def _answer(call_id: str, result: Any) -> dict[str, Any]:
    """The answer to a call that went well, if its result can be told."""
    try:
        answer = answer_of(ToolAnswer(tool_call_id=call_id, result=result))
    except ValueError:
        raise ToolFailed("The tool answered what JSON does not carry.") from None
    if size_bytes(answer.get("result")) > MAX_RESULT_BYTES:
        raise ToolFailed(f"The tool answered more than {MAX_RESULT_BYTES} bytes.")
    return answer


def _error(call_id: str, failed: ToolFailed) -> dict[str, Any]:
    refused = isinstance(failed, ToolRefused)
    return answer_of(ToolAnswer(tool_call_id=call_id, error=str(failed), refused=refused))
