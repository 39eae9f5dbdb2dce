"""OpenAI's stand-in behind a port of this machine, for a test or until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import uvicorn

from greenroom.testing.listening import address_of, announce, bound
from greenroom.testing.openai.stand_in import OpenAI

# Whoever still waits for an answer then does not get it.
ENDS_WITHIN_S = 1


@contextlib.asynccontextmanager
async def served(openai: OpenAI, port: int = 0) -> AsyncIterator[str]:
    """Serve it in this loop as long as the block lasts.

    Args:
        openai: The stand-in.
        port: On loopback; 0 picks a free one.

    Yields:
        The address that clients call ``base_url``: ``http://127.0.0.1:…/v1``.

    Raises:
        BadSetting: The port is taken.
    """
    with bound(port) as listener:
        server = _Server(_config(openai))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            yield f"{address_of(listener)}/v1"
        finally:
            server.should_exit = True
            await serving


async def serve_openai(openai: OpenAI, *, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        openai: The stand-in.
        port: On loopback; 0 picks a free one.
        on_ready: Called with its address once it listens.

    Raises:
        BadSetting: The port is taken.
    """
    with bound(port) as listener:
        address = f"{address_of(listener)}/v1"
        server = uvicorn.Server(_config(openai))
        announcing = asyncio.create_task(announce(server, lambda: on_ready(address)))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)


class _Server(uvicorn.Server):
    """One that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """They are the test's."""
        yield


def _config(openai: OpenAI) -> uvicorn.Config:
    return uvicorn.Config(
        openai.app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
