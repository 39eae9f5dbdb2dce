"""What sessions pay and use, and what was spent"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("tariff", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("sessions", sa.Column("meter", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "spend",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("assistant", sa.String(length=128), nullable=False),
        sa.Column("component", sa.String(length=32), nullable=False),
        sa.Column("micro_usd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "tenant", "user_id", "assistant", "component", name=op.f("pk_spend")
        ),
    )
    with op.batch_alter_table("spend", schema=None) as batch_op:
        batch_op.create_index("ix_spend_user_id_day", ["user_id", "day"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("spend")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("meter")
        batch_op.drop_column("tariff")
