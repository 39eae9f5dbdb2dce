"""When a step was reached: lines of JSON in one file, by the machine's clock, from any process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

ENV = "CHAIN_NOTES"


def note(step: str) -> None:
    """This step was reached now."""
    line = json.dumps({"step": step, "at_ms": time.time() * 1000})
    with Path(os.environ[ENV]).open("a") as file:
        file.write(line + "\n")


def noted(path: Path, since_ms: float) -> dict[str, float]:
    """Every step since then, and when it was reached first; epoch milliseconds."""
    steps: dict[str, float] = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        line = json.loads(text)
        if line["at_ms"] >= since_ms:
            steps.setdefault(line["step"], line["at_ms"])
    return steps
