"""A spare: a forked child that has done everything but to know its launch, and waits for that."""

from __future__ import annotations

import os
import socket

from greenroom.launch.child import BotHost
from greenroom.launch.packets import MAX_PACKET_BYTES, Taken, Waiting

# Made before there is a launch to keep waiting.
_WAITING = Waiting().to_json().encode()
_TAKEN = Taken().to_json().encode()


class Post:
    """The spare's end of the socket on which a launch is handed over to it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def wait(self, host: BotHost, bot: str) -> tuple[int, int] | None:
        """Rehearse, say so, and block until a launch is handed over.

        Returns:
            The descriptors of the launch's line and log; None if the supervisor has let go of
            this spare.
        """
        host.rehearse(bot)
        self._connection.send(_WAITING)
        packet, descriptors, _, _ = socket.recv_fds(
            self._connection, MAX_PACKET_BYTES, 2, socket.MSG_CMSG_CLOEXEC
        )
        if not packet:
            return None
        line, log = descriptors
        return line, log

    def taken(self) -> None:
        """Say that from now on this process is the launch's; nothing more is said here."""
        self._connection.send(_TAKEN)
        self._connection.close()


def write_to(log: int) -> None:
    """Let standard output and error of this process go to its launch's log."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
