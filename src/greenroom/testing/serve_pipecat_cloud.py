"""Pipecat Cloud's stand-in behind a port of this machine, until it is told to stop."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from greenroom.errors import BadSetting
from greenroom.testing.agents import Processes
from greenroom.testing.deployments import Agent, Deployment, Idle
from greenroom.testing.listening import address_of, announce, bound
from greenroom.testing.pipecat_cloud import PipecatCloud


class _SystemClock:
    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


def agent_of(text: str) -> tuple[str, Agent]:
    """What ``NAME`` or ``NAME=bot.py`` means.

    Raises:
        BadSetting: There is no such file.
    """
    name, _, bot = text.partition("=")
    if not bot:
        return name, Idle()
    path = Path(bot)
    if not path.is_file():
        raise BadSetting(f"There is no bot at {bot}.")
    return name, Processes(path, output=sys.stderr.buffer)


async def serve_pipecat_cloud(
    deployments: Sequence[Deployment], *, port: int, on_ready: Callable[[str, str, str], None]
) -> None:
    """Serve until SIGINT or SIGTERM; then no agent is left.

    Args:
        deployments: What can be started.
        port: On loopback; 0 picks a free one.
        on_ready: Called with its address, its public and its private key once it listens.

    Raises:
        BadSetting: The port is taken.
    """
    public, private = f"pk_{secrets.token_hex(16)}", f"sk_{secrets.token_hex(16)}"
    cloud = PipecatCloud(
        deployments, clock=_SystemClock(), public_keys=[public], private_keys=[private]
    )
    with bound(port) as listener:
        address = address_of(listener)
        config = uvicorn.Config(cloud.app, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        ticking = asyncio.create_task(cloud.run())
        announcing = asyncio.create_task(
            announce(server, lambda: on_ready(address, public, private))
        )
        try:
            await server.serve(sockets=[listener])
        finally:
            for task in (ticking, announcing):
                task.cancel()
            await asyncio.gather(ticking, announcing, return_exceptions=True)
