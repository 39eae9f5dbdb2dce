"""The brake of this machine: a file in the state directory, while which no bot begins.

A file, because it must hold when neither server nor database nor supervisor lives to remember it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from greenroom.errors import Halted
from greenroom.ports.store import Halt

FILE = "halted"


def pull(root: Path, reason: str) -> Halt:
    """From the return on no launch begins here. Pulled again, the first time stays.

    Raises:
        OSError: The file cannot be written.
    """
    earlier = pulled(root)
    halt = Halt(earlier.at if earlier else time.time(), reason)
    fresh = root / f"{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps({"at": halt.at, "reason": reason}), encoding="utf-8")
    fresh.replace(root / FILE)
    return halt


def release(root: Path) -> bool:
    """Launches may begin again; whether they might not before."""
    was_pulled = (root / FILE).exists()
    (root / FILE).unlink(missing_ok=True)
    return was_pulled


def pulled(root: Path) -> Halt | None:
    """Whether the brake is pulled. A file that nobody can read counts."""
    try:
        text = (root / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return Halt(0.0, "")
    try:
        found = json.loads(text)
        return Halt(float(found["at"]), str(found["reason"]))
    except (ValueError, TypeError, KeyError):  # written by hand, say
        return Halt(0.0, text.strip()[:500])


def refuse_if_pulled(root: Path) -> None:
    """Raises `Halted` while the brake is pulled."""
    halt = pulled(root)
    if halt is not None:
        raise Halted.because(halt.reason)
