"""A version of Greenroom that does not exist yet: today's, and one migration more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.store import migrate

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


@contextmanager
def a_next_version(folder: Path) -> Iterator[NextVersion]:
    """While the block lasts, this can become the next version (``folder``: for its migrations)."""
    with pytest.MonkeyPatch.context() as patch:
        yield NextVersion(folder, patch)
    migrate._revisions.cache_clear()


class NextVersion:
    """Called with a statement, this is the next version, whose migration also runs it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch

    def __call__(self, more: str = "") -> None:
        """From now on there is a migration ``9999``."""
        before = migrate.head()
        shutil.copytree(migrate._MIGRATIONS, self._folder)
        migration = _NEXT.format(revision="9999", before=before, more=more)
        (self._folder / "versions" / "9999_next.py").write_text(migration)
        self._patch.setattr(migrate, "_MIGRATIONS", self._folder)
        migrate._revisions.cache_clear()

    def undo(self) -> None:
        """Back to this version, which does not know that migration."""
        self._patch.undo()
        migrate._revisions.cache_clear()
