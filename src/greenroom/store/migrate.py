"""Bringing a database to this version's schema, and refusing one that is newer."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from greenroom.errors import BadSetting

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(address: str) -> None:
    """Apply what is missing.

    Args:
        address: A synchronous SQLAlchemy address.

    Raises:
        BadSetting: The database was written by a newer Greenroom.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    current = _revision(address)
    if current == script.get_current_head():
        return
    if current is not None and current not in {r.revision for r in script.walk_revisions()}:
        raise BadSetting(
            "The database was written by a newer Greenroom. Upgrade Greenroom, or use another "
            "database (GREENROOM_STATE_DIR)."
        )
    command.upgrade(config, "head")


def _revision(address: str) -> str | None:
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
