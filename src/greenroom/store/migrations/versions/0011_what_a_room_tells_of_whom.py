"""Finding who talks in a room: what Daily tells of one must not make us read all sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UNENDED = sa.text("stage <> 'ended'")


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_sessions_room",
        "sessions",
        ["room"],
        sqlite_where=_UNENDED,
        postgresql_where=_UNENDED,
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_sessions_room", "sessions")
