"""Whose session it is, by which name it is traced, and when it began to wait"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    tenant = sa.Column("tenant", sa.String(128), nullable=False, server_default="default")
    op.add_column("sessions", tenant)
    trace_id = sa.Column("trace_id", sa.String(32), nullable=False, server_default="")
    op.add_column("sessions", trace_id)
    op.add_column("sessions", sa.Column("queued_at", sa.Float()))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        for name in ("queued_at", "trace_id", "tenant"):
            batch_op.drop_column(name)
