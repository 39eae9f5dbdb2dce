"""A port of this machine for a stand-in, and the word that it listens there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from greenroom.errors import BadSetting

# Nobody but this machine: a stand-in does what it is told by whoever has its key.
LOOPBACK = "127.0.0.1"


def bound(port: int) -> socket.socket:
    """A socket on loopback; 0 picks a free port.

    Raises:
        BadSetting: The port is taken.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise BadSetting(f"Cannot listen on {LOOPBACK}:{port} ({error.strerror}).") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Where it is, without a path: ``http://127.0.0.1:…``."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


async def announce(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    """Call `ready` once the server listens; not at all if it ends before."""
    while not server.started and not server.should_exit:
        await asyncio.sleep(0.01)
    if server.started:
        ready()
