"""A session with nobody: what every session begins with, done once before there is one."""

from __future__ import annotations

import asyncio
import socket

from greenroom.bot import load
from greenroom.bot.serve import Serving
from greenroom.wire.process import BotSpec, Progress

WITHIN_S = 5.0
_GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def rehearse(bot: str) -> None:
    """Serve a session that is refused as soon as it has dialled; the bot itself does not run.

    What a process does for the first time is slow: it writes to pages that it still shares with
    its parent, and the kernel has to copy each. After this the beginning of a session takes a
    third of the time, for about 3 MB that the session would have needed anyway.

    Raises:
        TimeoutError: It took longer than `WITHIN_S`.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1) as door:
        door.setblocking(False)
        address = f"ws://127.0.0.1:{door.getsockname()[1]}/link"
        # Said as the launcher says it, so that reading it is part of it.
        nobody = BotSpec(launch_id="none", session_id="none", bot=bot, link_url=address, secret="")
        spec = BotSpec.model_validate_json(nobody.to_json())
        async with asyncio.timeout(WITHIN_S):
            refusing = asyncio.create_task(_refuse(door))
            await Serving(spec, load.load(bot), _tell_nobody).run()
            await refusing


async def _refuse(door: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    caller, _ = await loop.sock_accept(door)
    with caller:
        caller.setblocking(False)
        await loop.sock_recv(caller, 4096)
        await loop.sock_sendall(caller, _GONE)


def _tell_nobody(progress: Progress) -> None:
    """No launcher listens yet."""
