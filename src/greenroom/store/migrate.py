"""A database's schema: how it stands to this version's, and bringing it there."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from greenroom.errors import BadSetting

_MIGRATIONS = Path(__file__).parent / "migrations"
_APPLIED = "alembic_version"


class Standing(StrEnum):
    """How a database's schema stands to this version's."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of one database.

    Attributes:
        revision: The last migration that was applied; None if none was.
        missing: The migrations that this version would apply, in their order.
    """

    revision: str | None
    missing: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """How it stands to this version's."""
        if self.revision is None:
            return Standing.EMPTY
        if self.revision not in _revisions():
            return Standing.NEWER
        return Standing.OLDER if self.missing else Standing.CURRENT


def schema_of(connection: Connection) -> Schema:
    """The schema of the connected database. Only reads."""
    revision = _applied(connection)
    known = _revisions()
    if revision is None:
        return Schema(None, missing=known)
    if revision not in known:
        return Schema(revision, missing=())
    return Schema(revision, missing=known[known.index(revision) + 1 :])


def refuse_newer(schema: Schema) -> None:
    """Leave alone what a newer version has written.

    Raises:
        BadSetting: The schema is newer than this version knows.
    """
    if schema.standing is Standing.NEWER:
        raise BadSetting(
            f"The database was written by a newer Greenroom (its schema is {schema.revision}, "
            f"this version knows {head()}). Upgrade Greenroom, or use another database "
            "(GREENROOM_DATABASE_URL, GREENROOM_STATE_DIR)."
        )


def upgrade(connection: Connection) -> Schema:
    """Apply what is missing, in the transaction that the caller has begun and will commit.

    Returns:
        The schema as it was before.

    Raises:
        BadSetting: The database was written by a newer Greenroom.
    """
    before = schema_of(connection)
    refuse_newer(before)
    if before.missing:
        _migrate(connection)
    return before


def _migrate(connection: Connection) -> None:
    # Alembic takes a quarter of a second to import; a server whose database is up to date, and
    # which may be on its way back to living calls, does without it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _applied(connection: Connection) -> str | None:
    """The newest migration that Alembic has noted in this database."""
    if not inspect(connection).has_table(_APPLIED):
        return None
    noted = connection.execute(text(f"SELECT version_num FROM {_APPLIED}")).scalar()  # noqa: S608
    return None if noted is None else str(noted)


def head() -> str:
    """The newest migration of this version."""
    return _revisions()[-1]


@functools.cache
def _revisions() -> tuple[str, ...]:
    """Every migration of this version, oldest first; the files are named after them."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))
