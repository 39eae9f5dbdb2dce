"""The language model of `bench/talk.py --model`: a stand-in in its own process, one for all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_TOKEN_MS = 200
TOKEN_MS = 20
_DOWN_WITHIN_S = 10.0


@contextmanager
def a_model() -> Iterator[None]:
    """A model answers as long as the block lasts; the bots find it by ``BENCH_LLM``."""
    command = [
        *(sys.executable, "-m", "greenroom.cli", "stand-in", "openai", "--port=0"),
        *(f"--first-token-ms={FIRST_TOKEN_MS}", f"--token-ms={TOKEN_MS}"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.environ["BENCH_LLM"] = _address(process)
            yield
        finally:
            os.environ.pop("BENCH_LLM", None)
            process.terminate()
            process.wait(_DOWN_WITHIN_S)


def _address(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+/v1", line):
            return found.group()
    raise RuntimeError("the stand-in of the model did not start")
