"""A user is an id within a tenant"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LIVE = sa.text("stage NOT IN ('ending', 'ended')")


def upgrade() -> None:
    """Apply."""
    _only_one_live(["user_id", "assistant", "tenant"])


def downgrade() -> None:
    """Take back. Fails while two tenants have a user of the same id who talk at this moment."""
    _only_one_live(["user_id", "assistant"])


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
