"""An example application as a user starts it: by one command, with its Greenroom beside it."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

from tests.e2e.server import Server

EXAMPLES = Path(__file__).parents[2] / "examples"
_UP = re.compile(r"The example is up: http://127\.0\.0\.1:(\d+)")


class Example(Server):
    """``examples/run.py`` on free ports of loopback; `url` is Greenroom's, `app_url` the page's."""

    def __init__(self, state_dir: Path, folder: Path, **settings: str) -> None:
        self.app_port = free_port()
        port = free_port()
        ports = {"PORT": str(self.app_port), "GREENROOM_PORT": str(port)}
        loopback = {"GREENROOM_STATE_DIR": str(state_dir), "GREENROOM_ALLOW_LOOPBACK_MEDIA": "true"}
        super().__init__(state_dir, str(folder), **{**ports, **loopback, **settings})
        self.port = port
        self._folder = folder

    @property
    def app_url(self) -> str:
        """Where a person finds the application's page."""
        return f"http://127.0.0.1:{self.app_port}"

    def command(self) -> list[str]:
        """See `Server.command`."""
        return [sys.executable, str(EXAMPLES / "run.py")]

    def arguments(self) -> list[str]:
        """See `Server.arguments`."""
        return [str(self._folder)]

    def _address_printed(self, written: int) -> bool:
        return super()._address_printed(written) and bool(_UP.search(self.log[written:]))


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
