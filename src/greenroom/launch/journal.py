"""The journal: one small file per launch, so that no exit is lost with its supervisor.

A file is written before a launch begins and rewritten when it ends; it goes when the exit is
forgotten. A supervisor that finds the file of a launch that never ended knows that its predecessor
died with it. No file holds a secret. Files are replaced atomically and not flushed to the disk:
when the machine itself goes down, no bot lives whose end could be missed.
"""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import ValidationError

from greenroom.launch.logs import tail
from greenroom.launch.packets import Message
from greenroom.launch.state import StateDir
from greenroom.ports.launcher import BotExit, ExitCause, LaunchOrder


class Entry(Message):
    """One launch. ``exit`` is missing as long as it lives."""

    launch_id: str
    session_id: str
    exit: BotExit | None = None


class Journal:
    """Which launches have begun and how they ended."""

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def started(self, order: LaunchOrder) -> None:
        """A launch begins."""
        self._write(Entry(launch_id=order.launch_id, session_id=order.session_id))

    def exited(self, exit: BotExit) -> None:
        """A launch has ended."""
        self._write(Entry(launch_id=exit.launch_id, session_id=exit.session_id, exit=exit))

    def forget(self, launch_id: str) -> None:
        """Its exit is on record elsewhere."""
        self._path(launch_id).unlink(missing_ok=True)

    def inherit(self) -> dict[str, BotExit]:
        """The exits not yet forgotten; launches that never ended died with their supervisor."""
        exits: dict[str, BotExit] = {}
        for path in sorted(self._state.launches.glob("*.json"), key=lambda p: p.stat().st_mtime):
            entry = _read(path)
            if entry.exit is None:
                entry = Entry(
                    launch_id=entry.launch_id,
                    session_id=entry.session_id,
                    exit=self._interrupted(entry),
                )
                self._write(entry)
            if entry.exit is not None:
                exits[entry.launch_id] = entry.exit
        return exits

    def _interrupted(self, entry: Entry) -> BotExit:
        return BotExit(
            launch_id=entry.launch_id,
            session_id=entry.session_id,
            cause=ExitCause.HOST_DIED,
            exit_code=None,
            signal=None,
            last_words=tail(self._state.logs / f"{entry.launch_id}.log"),
            at_s=time.time(),
        )

    def _path(self, launch_id: str) -> Path:
        return self._state.launches / f"{launch_id}.json"

    def _write(self, entry: Entry) -> None:
        path = self._path(entry.launch_id)
        fresh = path.with_suffix(".new")
        fresh.write_text(entry.to_json(), encoding="utf-8")
        fresh.replace(path)


def _read(path: Path) -> Entry:
    try:
        return Entry.model_validate_json(path.read_bytes())
    except ValidationError:
        # The machine went down before the file reached the disk.
        return Entry(launch_id=path.stem, session_id="")
