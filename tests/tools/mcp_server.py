"""An MCP server as people write them, with tools that misbehave when they are asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("numbers")


@server.tool()
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("there is no such number")


@server.tool()
def flood() -> str:
    """Answer ten megabytes."""
    return "x" * 10_000_000


@server.tool()
async def sleep() -> str:
    """Answer never."""
    await asyncio.sleep(3600)
    return "late"


@server.tool()
def die() -> str:
    """Die."""
    os._exit(1)


@server.tool()
def secret() -> str:
    """Tell what the server was given."""
    return f"{os.environ.get('GIVEN')} {os.environ.get('KEY_OF_THE_BOT')}"


@server.tool()
def pid() -> int:
    """Tell who it is."""
    return os.getpid()


@server.tool()
def hang_up() -> str:
    """Close every line; a stubborn one lives on."""
    os.closerange(3, 256)
    os.closerange(0, 2)
    return "nobody hears this"


if __name__ == "__main__":
    if "stubborn" not in sys.argv:
        server.run()
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            server.run()
        finally:
            while True:
                time.sleep(60)
