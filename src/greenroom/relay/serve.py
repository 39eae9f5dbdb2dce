"""Running a relay until it is told to stop."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn

from greenroom.relay.addresses import Addresses
from greenroom.relay.app import Relay, build_relay_app
from greenroom.relay.bounds import Bounds
from greenroom.relay.keep import open_keep
from greenroom.wire.relay import MAX_MESSAGE_BYTES

KEEP_FILE = "relay.db"
MOST_CONNECTIONS = 2_000


class _Server(uvicorn.Server):
    """Uvicorn, which also says when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


async def serve_relay(
    *,
    secret: str,
    host: str,
    port: int,
    public_url: str,
    state_dir: Path,
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM; what is kept stays in the state folder.

    Args:
        secret: The relay's, from which all addresses come.
        host: Address to listen on.
        port: Port to listen on.
        public_url: Where the world reaches it.
        state_dir: Folder of what is kept.
        on_ready: Called once it listens.

    Raises:
        BadSetting: The secret is too short.
    """
    bounds, addresses = Bounds(), Addresses(secret)
    keep = await open_keep(state_dir / KEEP_FILE, bounds)
    try:
        relay = Relay(addresses, keep, bounds, public_url=public_url, now=time.time)
        config = uvicorn.Config(
            build_relay_app(relay),
            host=host,
            port=port,
            log_config=None,
            access_log=False,  # it would write the addresses down
            lifespan="off",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=10.0,
            ws_ping_timeout=10.0,
            server_header=False,
        )
        await _Server(config, on_ready).serve()
    finally:
        await keep.close()
