"""Whether everything is stopped, and what people are told of an end"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    house = op.create_table(
        "house",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("halted_at", sa.Float()),
        sa.Column("halt_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_house"),
    )
    op.bulk_insert(house, [{"id": 1}])
    op.add_column("sessions", sa.Column("end_note", sa.Text()))
    op.drop_index("ix_effects_session_id", table_name="effects")
    op.create_index("ix_effects_session_id_id", "effects", ["session_id", "id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_effects_session_id_id", table_name="effects")
    op.create_index("ix_effects_session_id", "effects", ["session_id"])
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("end_note")
    op.drop_table("house")
