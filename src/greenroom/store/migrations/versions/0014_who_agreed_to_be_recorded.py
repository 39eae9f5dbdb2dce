"""Consent to being recorded: of whom, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    consents = sa.Column("consents", sa.JSON(), nullable=False, server_default="{}")
    op.add_column("sessions", consents)


def downgrade() -> None:
    """Take back."""
    op.drop_column("sessions", "consents")
