"""No effect has an id that another had before: SQLite gave those of deleted rows again"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _made_anew(numbers_for_ever=True)


def downgrade() -> None:
    """Take back."""
    _made_anew(numbers_for_ever=False)


def _made_anew(*, numbers_for_ever: bool) -> None:
    """SQLite can be told so only when a table is made; PostgreSQL never did otherwise."""
    if op.get_bind().dialect.name == "sqlite":
        made = {"sqlite_autoincrement": numbers_for_ever}
        with op.batch_alter_table("effects", recreate="always", table_kwargs=made):
            pass
