"""What the bot is told by whoever starts its session"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("body", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("body")
