"""Where sessions are kept: SQLite by default, or PostgreSQL; one contract for every store."""

from __future__ import annotations

from pathlib import Path

from greenroom.store.database import Database

SQLITE_FILE = "greenroom.db"


def database_at(url: str | None, state_dir: Path) -> Database:
    """The database that the settings mean.

    Args:
        url: A PostgreSQL address; None for the SQLite file in the state folder.
        state_dir: Where that file is.
    """
    # Imported here: whoever uses the one need not load the driver of the other.
    if url is not None:
        from greenroom.store.postgres import PostgresDatabase

        return PostgresDatabase(url)
    from greenroom.store.sqlite import SqliteDatabase

    return SqliteDatabase(state_dir / SQLITE_FILE)
