"""Log files that other processes append to: their last words, their bounds, their number."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

LAST_WORDS_CHARS = 4000
MAX_LOG_BYTES = 1024 * 1024
KEPT_LOGS = 200

_DROPPED = b"[earlier output was dropped]\n"


def open_for_append(path: Path) -> int:
    """A file descriptor that appends to `path`, readable by its owner only. The caller closes it.

    Appending matters: a writer continues at the new end after `trim`.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def tail(path: Path, chars: int = LAST_WORDS_CHARS) -> str:
    """The last `chars` characters of a log; empty if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * chars))
            raw = file.read(4 * chars)
    except FileNotFoundError:
        return ""
    return raw.decode("utf-8", errors="replace").strip()[-chars:]


def trim(path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Cut a log that has outgrown `max_bytes` to its last half. Lines written meanwhile may go."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size <= max_bytes:
            return
        with path.open("r+b") as file:
            file.seek(-max_bytes // 2, os.SEEK_END)
            kept = file.read(max_bytes // 2)
            file.truncate(0)
        with path.open("ab") as file:
            file.write(_DROPPED + kept)


def prune(directory: Path, spared: Collection[Path], keep: int = KEPT_LOGS) -> None:
    """Delete the logs of `directory` but the newest `keep` and the `spared`, which are in use."""
    ended = [log for log in directory.glob("*.log") if log not in spared]
    logs = sorted(ended, key=_changed_at, reverse=True)
    for log in logs[keep:]:
        log.unlink(missing_ok=True)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
