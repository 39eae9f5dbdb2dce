"""The tools of one session: what its record names, called within bounds, and each call told of."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
import traceback
from collections.abc import Iterator
from typing import Any

import structlog
from pydantic_core import to_jsonable_python

from greenroom.bot.context import BotSession
from greenroom.bot.declare import ToolContext
from greenroom.bot.tools.answers import Answers
from greenroom.bot.tools.builtin import Builtins, Goodbye
from greenroom.bot.tools.folder import folder
from greenroom.bot.tools.functions import (
    NO_ARGUMENTS,
    BadTool,
    Function,
    ToolError,
    checked_by_schema,
)
from greenroom.bot.tools.limits import Limits
from greenroom.bot.tools.mcp import McpTools
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.base import size_bytes
from greenroom.wire.link import CommandKind, ReportKind
from greenroom.wire.tools import (
    CONSENT_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    MAX_ARGUMENTS_BYTES,
    MAX_RESULT_BYTES,
    ToolCallData,
    ToolOutcome,
    ToolResultData,
    Where,
)

log = structlog.get_logger("greenroom.bot.tools")

# The server has the same time limit and says so itself; this is for the way there and back.
ANSWER_TRAVELS_S = 2.0


class Toolbox:
    """The functions that a session's assistant has: exactly those that its record names.

    Made inside a running loop. `open` it before it is used, and `close` it at the end.

    Args:
        session: The session. Calls are reported to it, and answers come as its commands.
        tools: The record's.
        goodbye: Says a farewell, and ends the session.
        limits: How often tools may be used.
    """

    def __init__(
        self,
        session: BotSession,
        tools: list[ToolRecord],
        goodbye: Goodbye,
        limits: Limits | None = None,
    ) -> None:
        self._session = session
        self._tools = tools
        self._builtins = Builtins(session, goodbye)
        self._mcp = McpTools()
        self._limits = limits or Limits()
        self._answers = Answers()
        self._by_name: dict[str, Function] = {}
        self._calls: set[asyncio.Task[Any]] = set()
        session.on_command(CommandKind.TOOL_RESULTS, self._answers.take)
        session.on_command(CommandKind.MESSAGE, self._typed)
        session.overhear(self._overheard)

    @classmethod
    def of(cls, session: BotSession, *, goodbye: Goodbye) -> Toolbox:
        """The tools of a session's record; none if it has no record."""
        return cls(session, session.record.tools, goodbye)

    @property
    def functions(self) -> list[Function]:
        """What can be called now."""
        return list(self._by_name.values())

    async def open(self) -> None:
        """Load the folder, and reach the MCP servers; those in at most `mcp.CONNECT_WITHIN_S`.

        A tool that cannot be had is logged, reported as an error that ends nothing, and left out.
        """
        await self._mcp.open([tool for tool in self._tools if tool.kind == "mcp"])
        for tool in self._tools:
            try:
                for function in self._functions_of(tool):
                    self._by_name.setdefault(function.name, function)
            except BadTool as error:
                self._miss(tool, str(error))

    async def close(self) -> None:
        """Cancel what is being called, and leave the MCP servers, without waiting for them."""
        for call in list(self._calls):
            call.cancel()
        try:
            await asyncio.gather(*self._calls, return_exceptions=True)
        finally:
            self._mcp.close()

    async def call(self, name: str, arguments: Any) -> Any:
        """Call a function, and wait for what comes of it.

        Two events tell of it. Cancelled, it says so in the second, and an answer that comes later
        counts no more.

        Args:
            name: One of `functions`; any other is refused.
            arguments: As they came; what is no object of JSON values is refused.

        Returns:
            JSON values, up to `MAX_RESULT_BYTES`.

        Raises:
            ToolError: Nothing came of it; its sentence is for whoever called.
        """
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        try:
            return await self._told(name, arguments)
        finally:
            self._calls.discard(call)

    # ---- what there is

    def _functions_of(self, tool: ToolRecord) -> Iterator[Function]:
        match tool.kind:
            case "builtin":
                yield from self._builtins.functions_of(tool)
            case "function":
                yield folder().function_of(tool, lambda: ToolContext(self._session))
            case "mcp":
                yield from self._mcp.functions_of(tool, taken=self._by_name)
            case "http" | "page":
                yield handed_on(tool)

    def _miss(self, tool: ToolRecord, why: str) -> None:
        log.warning("tool.missing", tool=tool.name, kind=tool.kind, why=why)
        message = f"The tool “{tool.name}” cannot be used: {why}"[:500]
        error = {"code": "tool_missing", "message": message, "fatal": False}
        self._session.report(ReportKind.ERROR, error)

    # ---- one call

    async def _told(self, name: str, arguments: Any) -> Any:
        """Carry a call out between its two reports."""
        call_id, began = _new_call_id(), time.monotonic()
        name = _readable(name)
        function = self._by_name.get(name)
        outcome, message = ToolOutcome.CANCELLED, None
        called = False
        try:
            self._limits.count()
            if function is None:
                raise ToolError(ToolOutcome.REFUSED, self._no_such(name))
            checked = function.check(_plain(arguments))
            self._tell_call(call_id, function.tool.name, name, function.where, arguments, function)
            called = True
            result = bounded(await self._carried_out(call_id, function, checked))
            outcome = ToolOutcome.OK
            return result
        except ToolError as error:
            outcome, message = error.outcome, error.sentence
            if not called:
                if not self._limits.is_worth_telling:
                    raise
                # It is the bot that refuses: nobody else may take it for theirs to carry out.
                self._tell_call(call_id, _tool_name(function, name), name, Where.BOT, {}, None)
                called = True
            raise
        finally:
            if called:
                tool = _tool_name(function, name)
                self._tell_result(call_id, tool, name, outcome, began, message)

    async def _carried_out(self, call_id: str, function: Function, checked: Any) -> Any:
        within_s = _time_limit_s(function)
        try:
            async with asyncio.timeout(within_s):
                if function.run is not None:
                    return await function.run(checked)
                return await self._answers.wait(call_id)
        except TimeoutError as error:
            raise ToolError(
                ToolOutcome.TIMEOUT, f"“{function.name}” did not answer in time."
            ) from error
        except ToolError:
            raise
        except Exception as error:  # other people's code
            # What the model is told, the page may read, too: so it is not told the words either.
            # The log has where it was, and not what it said: that may quote the arguments.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.warning(
                "tool.raised", function=function.name, error=type(error).__name__, where=where
            )
            sentence = f"“{function.name}” failed ({type(error).__name__})."
            raise ToolError(ToolOutcome.FAILED, sentence) from error

    def _no_such(self, name: str) -> str:
        names = ", ".join(self._by_name) or "none"
        return f"There is no function “{name[:64]}”. There are: {names}"[:500]

    def _tell_call(
        self,
        call_id: str,
        tool: str,
        name: str,
        where: Where,
        arguments: dict[str, Any],
        expecting: Function | None,
    ) -> None:
        if expecting is not None and expecting.run is None:
            self._answers.expect(call_id, where)
        data = ToolCallData(
            tool_call_id=call_id,
            tool=tool,
            name=name[:64] or "?",
            where=where,
            arguments=arguments,
        )
        self._session.report(ReportKind.TOOL_CALL, data.model_dump(mode="json", by_alias=True))

    def _tell_result(
        self,
        call_id: str,
        tool: str,
        name: str,
        outcome: ToolOutcome,
        began: float,
        message: str | None,
    ) -> None:
        data = ToolResultData(
            tool_call_id=call_id,
            tool=tool,
            name=name[:64] or "?",
            outcome=outcome,
            duration_ms=round((time.monotonic() - began) * 1000),
            message=message[:500] if message else None,
        )
        told = data.model_dump(mode="json", by_alias=True, exclude_none=True)
        self._session.report(ReportKind.TOOL_RESULT, told)

    # ---- turns of the user

    def _overheard(self, kind: ReportKind, data: dict[str, Any]) -> None:
        if kind is ReportKind.USER_SPEECH and not data["speaking"]:
            self._limits.new_turn()

    async def _typed(self, data: dict[str, Any]) -> None:
        self._limits.new_turn()


def handed_on(tool: ToolRecord) -> Function:
    """A tool that the server or the page carries out, as its record describes it.

    Raises:
        BadTool: Its parameters are no JSON Schema.
    """
    parameters = dict(tool.parameters or NO_ARGUMENTS)
    return Function(
        name=tool.name,
        description=tool.description or tool.name.replace("_", " "),
        parameters=parameters,
        tool=tool,
        where=Where.SERVER if tool.kind == "http" else Where.PAGE,
        check=checked_by_schema(parameters),
    )


def bounded(result: Any) -> Any:
    """A result as JSON values.

    Raises:
        ToolError: It is too large, or JSON does not carry it.
    """
    try:
        plain = to_jsonable_python(result)
        size = size_bytes(plain)
    except Exception:  # whatever a strange object raises when it is looked at
        raise ToolError(
            ToolOutcome.FAILED, "The tool answered with what JSON does not carry."
        ) from None
    if size > MAX_RESULT_BYTES:
        raise ToolError(
            ToolOutcome.FAILED, f"The tool answered more than {MAX_RESULT_BYTES} bytes."
        )
    return plain


def _plain(arguments: Any) -> dict[str, Any]:
    """Arguments that are an object, and not too large."""
    if not isinstance(arguments, dict):
        raise ToolError(ToolOutcome.REFUSED, "The arguments must be an object.")
    try:
        # Written twice: what is told of a call is nested less deeply than `json` would still write.
        plain = to_jsonable_python(arguments)
        size = size_bytes(plain)
    except (TypeError, ValueError, RecursionError):
        raise ToolError(ToolOutcome.REFUSED, "The arguments are no JSON.") from None
    if size > MAX_ARGUMENTS_BYTES:
        raise ToolError(
            ToolOutcome.REFUSED, f"The arguments are larger than {MAX_ARGUMENTS_BYTES} bytes."
        )
    return arguments


def _readable(name: str) -> str:
    """A model's word for a function, without half characters, which no event carries."""
    return name.encode(errors="replace").decode()


def _time_limit_s(function: Function) -> float:
    usual = CONSENT_TIMEOUT_S if function.tool.name == "browser" else DEFAULT_TIMEOUT_S
    limit_s = function.tool.timeout_s or usual
    return limit_s + ANSWER_TRAVELS_S if function.where is Where.SERVER else limit_s


def _tool_name(function: Function | None, name: str) -> str:
    return function.tool.name if function is not None else name[:64] or "?"


def _new_call_id() -> str:
    """Letters only: what an application has taken out of people's words must leave it whole."""
    return "call_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(24))
