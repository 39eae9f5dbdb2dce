"""The command ``greenroom stand-in daily``, started as somebody would start it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServedDaily:
    """Where it answers, and to which key."""

    address: str
    key: str


@contextlib.contextmanager
def served_daily() -> Iterator[ServedDaily]:
    """Run it for as long as the block lasts."""
    command = [sys.executable, "-m", "greenroom.cli", "stand-in", "daily", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            text = ""
            while "API_KEY=" not in text:
                line = process.stdout.readline()
                assert line, text
                text += line
            address = re.search(r"http://127\.0\.0\.1:\d+/v1", text)
            key = re.search(r"API_KEY=(\w+)", text)
            assert address is not None
            assert key is not None
            yield ServedDaily(address[0], key[1])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)
