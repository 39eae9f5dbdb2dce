"""A version of Greenroom that does not exist yet: today's, and one migration more."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greenroom.store import migrate

AddMigration = Callable[[str], str]

_NEXT = '''"""What the next version does"""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE TABLE of_the_next_version (id INTEGER)")
    {more}
'''


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddMigration]:
    """Called with a statement, makes this the next version, whose migration also runs it."""

    def become(more: str = "") -> str:
        before = migrate.head()
        folder = tmp_path / "migrations"
        shutil.copytree(migrate._MIGRATIONS, folder)
        migration = _NEXT.format(revision="next", before=before, more=more)
        (folder / "versions" / "next.py").write_text(migration)
        monkeypatch.setattr(migrate, "_MIGRATIONS", folder)
        migrate._revisions.cache_clear()
        return "next"

    yield become
    monkeypatch.undo()
    migrate._revisions.cache_clear()
