"""What is kept: the state folder, the name of its socket, and the database."""

from __future__ import annotations

import os
from pathlib import Path

from greenroom.doctor.finding import Finding, ok, problem, warning
from greenroom.errors import GreenroomError
from greenroom.launch.state import MAX_SOCKET_PATH_BYTES, StateDir
from greenroom.store.database import Database
from greenroom.store.migrate import Standing, head

_ELSEWHERE = "Choose another: GREENROOM_STATE_DIR=…"


def state_dir(folder: Path) -> list[Finding]:
    """Whether the state folder can be written, and its socket named."""
    folder = folder.expanduser().absolute()
    return [_writable(folder), *_socket(folder)]


def _writable(folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        return problem("state folder", f"{nearest} is not a folder.", _ELSEWHERE)
    if not os.access(nearest, os.W_OK | os.X_OK):
        return problem("state folder", f"{nearest} may not be written by this user.", _ELSEWHERE)
    return ok("state folder", f"{folder}" if nearest == folder else f"{folder} (will be made)")


def _socket(folder: Path) -> list[Finding]:
    length_bytes = len(os.fsencode(StateDir(folder).socket))
    if length_bytes <= MAX_SOCKET_PATH_BYTES:
        return []
    message = (
        f"The path of its socket has {length_bytes} bytes; this system takes "
        f"{MAX_SOCKET_PATH_BYTES}."
    )
    return [problem("state folder", message, f"{_ELSEWHERE} with a shorter path.")]


async def database(database: Database) -> Finding:
    """Whether the database answers, and its schema is this version's."""
    try:
        schema = await database.schema()
    except GreenroomError as error:
        mend = "Start it, or correct GREENROOM_DATABASE_URL (SQLite: GREENROOM_STATE_DIR)."
        return problem("database", error.message, mend)
    name = database.name
    if schema.standing is Standing.CURRENT:
        return ok("database", f"{name}; schema {schema.revision} is current")
    if schema.standing is Standing.NEWER:
        message = f"{name}; schema {schema.revision} is newer than this version's, {head()}."
        return problem("database", message, "Upgrade Greenroom, or use another database.")
    if schema.standing is Standing.EMPTY and database.upgraded_on_start:
        return ok("database", f"{name}; will be made at the first start")
    if database.upgraded_on_start:
        message = f"{name}; schema {schema.revision} is older. The next start copies and upgrades."
        return warning("database", message, "To do it now: greenroom db upgrade")
    message = f"{name}; the schema is {schema.standing}: the server will not start."
    return problem(
        "database", message, "Make a dump if it is not empty, then: greenroom db upgrade"
    )
