"""Who was let in, and when; who waits, and in which place"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_QUEUED = sa.text("stage = 'queued'")


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("queue_position", sa.Integer()))
    op.add_column("sessions", sa.Column("admitted_at", sa.Float()))
    # Until now nobody had to wait.
    op.execute("UPDATE sessions SET admitted_at = created_at")
    op.create_index(
        "ix_sessions_queued",
        "sessions",
        ["queue_position"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    op.create_index("ix_sessions_admitted_at", "sessions", ["admitted_at"])
    op.create_index("ix_sessions_user_id_admitted_at", "sessions", ["user_id", "admitted_at"])


def downgrade() -> None:
    """Take back."""
    for name in ("user_id_admitted_at", "admitted_at", "queued"):
        op.drop_index(f"ix_sessions_{name}", "sessions")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        for name in ("admitted_at", "queue_position"):
            batch_op.drop_column(name)
