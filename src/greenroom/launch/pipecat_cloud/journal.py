"""What was launched on Pipecat Cloud: one small file a launch, so that a killed server finds it.

A file is written before a session is asked for, and goes when its exit is forgotten. None holds a
secret. Files are replaced whole.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from greenroom.ports.launcher import BotExit

FOLDER = "pipecat-cloud"
REMEMBERED_LAUNCHES = 10_000


class Launched(BaseModel):
    """One launch. Times: seconds since the epoch.

    Attributes:
        launch_id: Ours.
        session_id: Ours.
        asked_at: When a session was last asked for there.
        ends_at: When it is stopped, whatever anybody says.
        cloud_id: The session's id there; None: it is not known that there is one.
        cold: Whether it had to wait for an instance; None while nobody knows.
        seen: Whether it was in a list already; only then does its absence mean that it ended.
        stopping: We have asked for its end.
        exit: How it ended; None: it has not.
        runs_until: Nobody could stop it, and it goes on so long at most; None: it does not.
        forgotten: Its exit is on record; it is kept only to be stopped after all.
    """

    model_config = ConfigDict(frozen=True)

    launch_id: str
    session_id: str
    asked_at: float
    ends_at: float
    cloud_id: str | None = None
    cold: bool | None = None
    seen: bool = False
    stopping: bool = False
    exit: BotExit | None = None
    runs_until: float | None = None
    forgotten: bool = False


class CloudJournal:
    """Every launch that is not forgotten, in memory and in files.

    Args:
        state_dir: The folder in which its own is made.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = {one.launch_id: one for one in self._read()}
        self._launches = {id_: one for id_, one in found.items() if not one.forgotten}
        self._leftovers = {id_: one for id_, one in found.items() if one.forgotten}
        self._forgotten: OrderedDict[str, None] = OrderedDict()

    def get(self, launch_id: str) -> Launched | None:
        """A launch; None: there was none, or it is forgotten."""
        return self._launches.get(launch_id)

    def was_forgotten(self, launch_id: str) -> bool:
        """Whether this launch id was used, and its exit is on record."""
        return launch_id in self._forgotten or launch_id in self._leftovers

    def all(self) -> list[Launched]:
        """Every launch that is not forgotten."""
        return list(self._launches.values())

    def put(self, launched: Launched) -> None:
        """Keep a launch as it is now.

        Raises:
            OSError: It cannot be written; it is kept in memory all the same.
        """
        self._launches[launched.launch_id] = launched
        self._write(launched)

    def leftovers(self) -> list[Launched]:
        """Every launch that is forgotten, and whose agent may go on."""
        return list(self._leftovers.values())

    def drop_leftover(self, launch_id: str) -> None:
        """Its agent is gone."""
        if self._leftovers.pop(launch_id, None) is not None:
            self._path(launch_id).unlink(missing_ok=True)
            self._remember(launch_id)

    def _write(self, launched: Launched) -> None:
        path = self._path(launched.launch_id)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(launched.model_dump_json(), encoding="utf-8")
        fresh.replace(path)

    def drop(self, launch_id: str) -> None:
        """A launch never was: it may be begun again."""
        if self._launches.pop(launch_id, None) is not None:
            self._path(launch_id).unlink(missing_ok=True)

    def forget(self, launch_id: str) -> None:
        """Drop a launch; its id stays used. An unknown one is ignored."""
        launched = self._launches.get(launch_id)
        if launched is None:
            return
        if launched.runs_until is None:
            self.drop(launch_id)
            self._remember(launch_id)
            return
        del self._launches[launch_id]
        self._leftovers[launch_id] = launched.model_copy(update={"forgotten": True})
        self._write(self._leftovers[launch_id])

    def _remember(self, launch_id: str) -> None:
        self._forgotten[launch_id] = None
        if len(self._forgotten) > REMEMBERED_LAUNCHES:
            self._forgotten.popitem(last=False)

    def _path(self, launch_id: str) -> Path:
        return self._folder / f"{launch_id}.json"

    def _read(self) -> list[Launched]:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(Launched.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):  # half of it, of a machine that went down
                path.unlink(missing_ok=True)
        return found
