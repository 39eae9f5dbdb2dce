"""When what was said in a session was erased, and finding what is to be"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HAS_ENDED = sa.text("ended_at IS NOT NULL")
KEEPS_WORDS = sa.text("ended_at IS NOT NULL AND erased_at IS NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("erased_at", sa.Float(), nullable=True))
    for name, where in (("ended_at", HAS_ENDED), ("keeps_words", KEEPS_WORDS)):
        op.create_index(
            f"ix_sessions_{name}",
            "sessions",
            ["ended_at"],
            unique=False,
            sqlite_where=where,
            postgresql_where=where,
        )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_sessions_keeps_words", "sessions")
    op.drop_index("ix_sessions_ended_at", "sessions")
    op.drop_column("sessions", "erased_at")
