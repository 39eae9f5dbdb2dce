"""Deliveries of events to applications, and the lanes in which they wait"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "deliveries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.Float(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(
            ["session_id", "seq"],
            ["events.session_id", "events.seq"],
            name=op.f("fk_deliveries_session_id_seq"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "endpoint", "session_id", "seq", name=op.f("uq_deliveries_endpoint_session_id_seq")
        ),
    )
    op.create_index(op.f("ix_deliveries_session_id_seq"), "deliveries", ["session_id", "seq"])
    op.create_table(
        "delivery_lanes",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "session_id", name=op.f("pk_delivery_lanes")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name=op.f("fk_delivery_lanes_session_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        op.f("ix_delivery_lanes_endpoint_due_at"), "delivery_lanes", ["endpoint", "due_at"]
    )
    op.create_index(op.f("ix_delivery_lanes_session_id"), "delivery_lanes", ["session_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("delivery_lanes")
    op.drop_table("deliveries")
