"""INSERT … ON CONFLICT: both databases write it alike, and SQLAlchemy has it in each dialect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert(db: AsyncConnection, table: Table) -> Any:
    """An INSERT into this table that knows ``on_conflict_do_update``.

    Any: the two dialects' statements have no type in common that does.
    """
    return _INSERTS[db.dialect.name](table)
