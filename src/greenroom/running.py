"""Which server runs on a state folder: written by the server, read by the commands beside it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = "server.lock"
ADDRESS_FILE = "server.url"


def is_served(state_dir: Path) -> bool:
    """Whether a server lives on this folder, answering or not.

    The kernel says so: its lock goes with it, however it dies, and no number can be mistaken.
    """
    try:
        descriptor = os.open(state_dir / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def address_of(state_dir: Path) -> str | None:
    """Where the living server of this folder answers; None if none lives or none has said."""
    if not is_served(state_dir):
        return None
    try:
        return (state_dir / ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


@contextlib.contextmanager
def announced(state_dir: Path, address: str) -> Iterator[None]:
    """Say where we answer, for as long as the block lasts."""
    path = state_dir / ADDRESS_FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{address}\n", encoding="utf-8")
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
