"""``greenroom serve`` whose clock can be set from outside: `python -m tests.chaos.server …`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from greenroom import main
from greenroom.cli import app

CLOCK_ENV = "CHAOS_CLOCK"


class MovedClock:
    """The machine's time plus what a file says, looked up each time."""

    def now(self) -> float:
        return time.time() + float(Path(os.environ[CLOCK_ENV]).read_text() or 0)


if __name__ == "__main__":
    main.SystemClock = MovedClock  # type: ignore[misc,assignment]
    app()
