"""Pages of the tests' own, each on an origin of its own, like somebody else's web site."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.serving import running

_APPS = Path(__file__).parents[2] / "web" / "apps"


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the browser's own record is what the tests read."""


@contextmanager
def a_stock_page() -> Iterator[str]:
    """Serve the built page with Pipecat's own client; gives its origin."""
    with a_page("stock") as origin:
        yield origin


@contextmanager
def a_page(app: str) -> Iterator[str]:
    """Serve the built page of ``web/apps/<app>`` on a free port of loopback; gives its origin."""
    built = _APPS / app / "dist"
    if not (built / "index.html").is_file():
        raise FileNotFoundError(f"the page {app} is not built: run make setup")
    handler = functools.partial(_Handler, directory=str(built))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as origin:
        yield origin
