"""Daily's stand-in behind a port of this machine, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import uvicorn

from greenroom.errors import BadSetting
from greenroom.testing.daily.app import ROOT
from greenroom.testing.daily.stand_in import DailyStandIn
from greenroom.testing.listening import address_of, announce, bound

DELIVER_EVERY_S = 0.2


async def serve_daily(
    *, port: int, api_key: str | None, domain: str, on_ready: Callable[[str, str], None]
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        port: On loopback; 0 picks a free one.
        api_key: The key that it accepts; a new one if None.
        domain: The domain's name.
        on_ready: Called with the API's address and its key once it listens.

    Raises:
        BadSetting: The port is taken, or the key is too short to sign tokens with.
    """
    if api_key is not None and len(api_key) < 32:
        raise BadSetting("A key has 32 characters or more: it signs tokens.")
    stand_in = DailyStandIn(api_key=api_key, domain=domain)
    with bound(port) as listener:
        address = f"{address_of(listener)}{ROOT}"
        config = uvicorn.Config(stand_in.app, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(_deliver(stand_in))
            group.create_task(announce(server, lambda: on_ready(address, stand_in.api_key)))
            await server.serve(sockets=[listener])
            delivering.cancel()
    await stand_in.close()


async def _deliver(stand_in: DailyStandIn) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            stand_in.settle()
            await stand_in.webhooks.deliver()
            await asyncio.sleep(DELIVER_EVERY_S)
