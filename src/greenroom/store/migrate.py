"""A database's schema: how it stands to this version's, and bringing it there."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from greenroom.errors import BadSetting

_MIGRATIONS = Path(__file__).parent / "migrations"


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
    revision = MigrationContext.configure(connection).get_current_revision()
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
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before


def head() -> str:
    """The newest migration of this version."""
    return _revisions()[-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


@functools.cache
def _revisions() -> tuple[str, ...]:
    """Every migration of this version, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return tuple(found.revision for found in reversed(list(script.walk_revisions())))
