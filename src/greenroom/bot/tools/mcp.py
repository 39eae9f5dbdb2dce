"""Tools of MCP servers: their connections, and what their functions come to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from greenroom.bot.apart import Apart
from greenroom.bot.tools.functions import (
    BadTool,
    Function,
    Run,
    ToolError,
    checked_by_schema,
)
from greenroom.bot.tools.mcp_servers import ServerConfig, filled, server_called
from greenroom.wire.assistants import ToolRecord
from greenroom.wire.tools import ToolOutcome, Where

if TYPE_CHECKING:
    from mcp.client.session import ClientSession
    from mcp.types import Tool

log = structlog.get_logger("greenroom.bot.tools.mcp")

# A session's beginning waits for it; a server that has to be installed first is none to start here.
CONNECT_WITHIN_S = 5.0
_MISSING = "the package `mcp` is not installed: pip install 'greenroom[mcp]'"


class Connection:
    """A connection to one server, opened anew after it was lost.

    The SDK's connections must be opened and closed by one task, so each has a task of its own.
    Pipecat's `MCPClient` keeps them the same way, but tells a failed call by words alone, which
    its caller cannot tell from an answer.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self._name = name
        self._config = config
        self._lock = asyncio.Lock()
        self._session: ClientSession | None = None
        self._owner: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def session(self) -> ClientSession:
        """The open session; connects if there is none.

        Raises:
            BadTool: It cannot be reached in `CONNECT_WITHIN_S`.
        """
        async with self._lock:
            if self._session is not None:
                return self._session
            ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
            self._owner = asyncio.create_task(self._own(ready))
            try:
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    self._session = await ready
            except TimeoutError:
                self._end()
                raise BadTool(f"the MCP server “{self._name}” does not answer") from None
            except BaseException:
                self._end()
                raise
            return self._session

    async def drop(self, session: ClientSession) -> None:
        """Leave a session that is dead, unless another has taken its place by now."""
        async with self._lock:
            if self._session is session:
                self._end()

    async def close(self) -> None:
        """Leave the server, and wait until its process is gone, if it has one.

        That is the SDK's: it closes the server's input, and kills it if it is there 4 s later.
        """
        async with self._lock:
            self._end()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _end(self) -> None:
        """Leave the server that there is. Nobody waits: the next connection has its own."""
        owner, self._owner, self._session = self._owner, None, None
        if owner is not None:
            # Once: a second time would have the SDK leave a stubborn process alone.
            owner.cancel()
            self._leaving.add(owner)
            owner.add_done_callback(self._leaving.discard)

    async def _own(self, ready: asyncio.Future[ClientSession]) -> None:
        try:
            async with _connected(self._config) as session:
                ready.set_result(session)
                await asyncio.Event().wait()
        except BadTool as error:
            if not ready.done():
                ready.set_exception(error)
        except Exception as error:  # transports raise whatever they raise, in groups
            log.warning("mcp.lost", server=self._name, error=_cause(error))
            if not ready.done():
                why = f"the MCP server “{self._name}” cannot be reached: {_cause(error)}"
                ready.set_exception(BadTool(why[:400]))


class McpTools:
    """The MCP servers of one session, by the tools of its record that name them.

    Their connections live apart from the session's loop: it does not wait for a server that does
    not want to go, and yet none is left behind, whoever hosts the session.
    """

    def __init__(self) -> None:
        self._apart = Apart(self._leave_all)
        self._connections: dict[str, Connection] = {}
        self._offered: dict[str, list[Tool] | BadTool] = {}

    async def open(self, tools: list[ToolRecord]) -> None:
        """Connect to all, at the same time; what fails is told by `functions_of`."""
        if tools:
            await self._apart.run(self._open_all(tools))

    def close(self) -> None:
        """Leave all, and wait for none."""
        self._apart.leave()

    def functions_of(self, tool: ToolRecord, *, taken: Mapping[str, Any]) -> Iterator[Function]:
        """The functions of a tool that names a server: all, or those in ``settings.allow``.

        One whose name is taken is called ``tool_name``.

        Raises:
            BadTool: The server cannot be reached, or lacks a function that is named.
        """
        offered = self._offered[tool.name]
        if isinstance(offered, BadTool):
            raise offered
        allowed = tool.settings.get("allow")
        names = [one.name for one in offered]
        lacking = [name for name in allowed or () if name not in names]
        for one in offered:
            if allowed is None or one.name in allowed:
                name = one.name if one.name not in taken else f"{tool.name}_{one.name}"[:64]
                yield self._function(tool, one, name)
        if lacking:
            raise BadTool(f"the MCP server has no function “{str(lacking[0])[:64]}”")

    async def _open_all(self, tools: list[ToolRecord]) -> None:
        await asyncio.gather(*(self._open(tool) for tool in tools))

    async def _leave_all(self) -> None:
        await asyncio.gather(*(one.close() for one in self._connections.values()))

    async def _open(self, tool: ToolRecord) -> None:
        try:
            server = str(tool.settings.get("server", tool.name))
            connection = Connection(server, server_called(server))
            self._connections[tool.name] = connection
            session = await connection.session()
            async with asyncio.timeout(CONNECT_WITHIN_S):
                listed = await session.list_tools()
            self._offered[tool.name] = list(listed.tools)
        except BadTool as error:
            self._offered[tool.name] = error
        except Exception as error:  # the SDK's and its transports'
            self._offered[tool.name] = BadTool(f"its tools cannot be listed: {_cause(error)}")

    def _function(self, tool: ToolRecord, offered: Tool, name: str) -> Function:
        return Function(
            name=name,
            description=offered.description or offered.title or name,
            parameters=offered.input_schema,
            tool=tool,
            where=Where.BOT,
            check=checked_by_schema(offered.input_schema),
            run=self._runner(self._connections[tool.name], offered.name),
        )

    def _runner(self, connection: Connection, name: str) -> Run:
        async def call(arguments: dict[str, Any]) -> Any:
            try:
                session = await connection.session()
            except BadTool as error:
                raise ToolError(ToolOutcome.FAILED, f"{error}."[:500]) from None
            try:
                result = await session.call_tool(name, arguments)
            except Exception as error:
                if _is_lost(error):
                    await connection.drop(session)
                    raise ToolError(ToolOutcome.FAILED, "The MCP server has gone away.") from error
                raise ToolError(ToolOutcome.FAILED, _cause(error)[:500]) from error
            return _answer(result)

        async def run(arguments: dict[str, Any]) -> Any:
            return await self._apart.run(call(arguments))

        return run


@contextlib.asynccontextmanager
async def _connected(config: ServerConfig) -> Any:
    """An initialised session with a server, for as long as the block lasts."""
    try:
        from mcp.client.session import ClientSession
        from mcp.client.stdio import StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client
    except ImportError as error:
        raise BadTool(_MISSING) from error
    async with contextlib.AsyncExitStack() as stack:
        if config.command is not None:
            # The SDK adds only a few variables of its own: keys of the bot's are not for it.
            started = StdioServerParameters(
                command=config.command, args=config.args, env=filled(config.env), cwd=config.cwd
            )
            streams = await stack.enter_async_context(stdio_client(started))
        else:
            client = create_mcp_http_client(headers=filled(config.headers))
            await stack.enter_async_context(client)
            streams = await stack.enter_async_context(
                streamable_http_client(config.url or "", http_client=client)
            )
        session = await stack.enter_async_context(ClientSession(*streams))
        await session.initialize()
        yield session


def _answer(result: Any) -> Any:
    """What a call came to: what is structured, or else its text.

    Raises:
        ToolError: The server says that it failed, or wants what nobody here can give.
    """
    parts = [part.text for part in getattr(result, "content", []) if hasattr(part, "text")]
    text = "\n".join(parts)
    if not hasattr(result, "is_error") or result.is_error:
        raise ToolError(ToolOutcome.FAILED, text[:500] or "The tool failed without a word.")
    structured = result.structured_content
    return structured if structured is not None else text


def _is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, rather than the call refused by the server."""
    import anyio
    from mcp.shared.exceptions import MCPError
    from mcp.types import CONNECTION_CLOSED

    if isinstance(error, BaseExceptionGroup):
        return any(_is_lost(one) for one in error.exceptions)
    if isinstance(error, MCPError):
        return bool(error.error.code == CONNECTION_CLOSED)
    return isinstance(
        error, anyio.ClosedResourceError | anyio.BrokenResourceError | anyio.EndOfStream
    )


def _cause(error: BaseException) -> str:
    """What went wrong, out of groups that hold one thing; pages and logs may be told it.

    In a server's own words, or the system's. A transport's may quote a header with its key, an
    address or a path.
    """
    from mcp.shared.exceptions import MCPError

    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return str(error) or type(error).__name__
    said = error.strerror if isinstance(error, OSError) else None
    return said or type(error).__name__
