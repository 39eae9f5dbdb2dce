"""Group calls: their people, beside a session of one's own with the same assistant."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LIVE = sa.text("stage NOT IN ('ending', 'ended')")
_GROUP_CALLS = sa.text("kind = 'group' AND stage <> 'ended'")


def upgrade() -> None:
    """Apply."""
    kind = sa.Column("kind", sa.String(16), nullable=False, server_default="voice")
    op.add_column("sessions", kind)
    op.add_column("sessions", sa.Column("group_call", sa.JSON(), nullable=True))
    _only_one_live(["user_id", "assistant", "tenant", "kind"])
    op.create_index(
        "ix_sessions_group_calls",
        "sessions",
        ["tenant"],
        sqlite_where=_GROUP_CALLS,
        postgresql_where=_GROUP_CALLS,
    )


def downgrade() -> None:
    """Take back. Fails while a user has a session and a group call with one assistant."""
    op.drop_index("ix_sessions_group_calls", "sessions")
    _only_one_live(["user_id", "assistant", "tenant"])
    op.drop_column("sessions", "group_call")
    op.drop_column("sessions", "kind")


def _only_one_live(of: list[str]) -> None:
    op.drop_index("uq_sessions_live", "sessions")
    op.create_index(
        "uq_sessions_live",
        "sessions",
        of,
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
