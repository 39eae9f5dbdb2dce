"""Assistants' records with their versions, which version a session has, and the roll-out"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("assistant_version", sa.Integer()))
    op.add_column("sessions", sa.Column("record", sa.JSON(), nullable=False, server_default="{}"))
    _make_records()
    _make_rollout()


def downgrade() -> None:
    """Take back."""
    for table in ("rollout_outcomes", "rollout_decisions", "assistant_versions", "assistants"):
        op.drop_table(table)
    op.drop_column("sessions", "record")
    op.drop_column("sessions", "assistant_version")


def _make_records() -> None:
    op.create_table(
        "assistants",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("killed_at", sa.Float()),
        sa.Column("kill_reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("deleted_at", sa.Float()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_assistants")),
    )
    op.create_table(
        "assistant_versions",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.Float()),
        sa.ForeignKeyConstraint(
            ["name"], ["assistants.name"], name=op.f("fk_assistant_versions_name")
        ),
        sa.PrimaryKeyConstraint("name", "number", name=op.f("pk_assistant_versions")),
    )


def _make_rollout() -> None:
    op.create_table(
        "rollout_decisions",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("assistant", sa.String(128), nullable=False),
        sa.Column("tenant", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("day", "assistant", "tenant", "user_id", "provider", "reason"),
            name=op.f("pk_rollout_decisions"),
        ),
    )
    op.create_table(
        "rollout_outcomes",
        sa.Column("tenant", sa.String(128), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("assistant", sa.String(128), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("duration_s", sa.Float()),
        sa.Column("first_word_s", sa.Float()),
        sa.Column("micro_usd", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_rollout_outcomes")),
    )
    op.create_index("ix_rollout_outcomes_at", "rollout_outcomes", ["at"])
