"""The state directory: where a supervisor is found, and what keeps it the only one."""

from __future__ import annotations

import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import BadSetting

# sockaddr_un.sun_path with its closing zero: 108 bytes on Linux (unix(7)), 104 on macOS and BSD.
MAX_SOCKET_PATH_BYTES = (108 if sys.platform == "linux" else 104) - 1


@dataclass(frozen=True, slots=True)
class StateDir:
    """The files of one supervisor. Two supervisors never share a directory."""

    root: Path

    @classmethod
    def prepare(cls, root: Path) -> StateDir:
        """Create the directory (owner only) and check that its socket can be named.

        Raises:
            BadSetting: The path is too long for a Unix socket.
        """
        state = cls(root.expanduser().absolute())
        length = len(os.fsencode(state.socket))
        if length > MAX_SOCKET_PATH_BYTES:
            raise BadSetting(
                "The state directory's path is too long for a Unix socket; choose a shorter one.",
                length_bytes=length,
                limit_bytes=MAX_SOCKET_PATH_BYTES,
            )
        for directory in (state.root, state.logs, state.launches):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return state

    @property
    def socket(self) -> Path:
        """Where the supervisor listens."""
        return self.root / "supervisor.sock"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor as long as it lives; its content is the pid, for people."""
        return self.root / "supervisor.lock"

    @property
    def log(self) -> Path:
        """The supervisor's own log: one JSON object a line."""
        return self.root / "supervisor.log"

    @property
    def errors(self) -> Path:
        """The supervisor's standard error: what kept it from starting."""
        return self.root / "supervisor.err"

    @property
    def logs(self) -> Path:
        """Standard output and error of zygotes and bots, one file each."""
        return self.root / "logs"

    @property
    def launches(self) -> Path:
        """The journal: one file per launch that is not forgotten."""
        return self.root / "launches"


def lock_or_none(path: Path) -> int | None:
    """Take a lock file's lock: a file descriptor to hold, or None if somebody has it.

    The kernel gives the lock back when its holder dies, however it dies.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
