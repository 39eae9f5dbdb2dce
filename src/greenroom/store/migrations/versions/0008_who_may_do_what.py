"""API keys, an audit log that only grows, and users within their tenants

Whoever rebuilds ``audit`` one day (SQLite's ``batch_alter_table`` does) has to make its triggers anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LIVE = sa.text("stage NOT IN ('ending', 'ended')")
_REFUSAL = "the audit log is append-only"
# REPLACE deletes without asking the trigger of DELETE, hence the third.
_SQLITE = (
    ("audit_no_update", "UPDATE ON audit", ""),
    ("audit_no_delete", "DELETE ON audit", ""),
    (
        "audit_no_replace",
        "INSERT ON audit",
        "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)",
    ),
)
_POSTGRES = (
    f"""
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    """
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
    """,
)


def upgrade() -> None:
    """Apply."""
    _only_one_live(["user_id", "assistant", "tenant"])
    _make_keys()
    _make_audit()
    if op.get_bind().dialect.name == "postgresql":
        for statement in _POSTGRES:
            op.execute(statement)
        return
    for name, when, which in _SQLITE:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} {which} {refuse}")


def downgrade() -> None:
    """Take back. Fails while two tenants have a user of the same id who talk at this moment."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_append_only")
    op.drop_table("api_keys")
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


def _make_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("begins", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(128)),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float()),
        sa.Column("revoked_at", sa.Float()),
        sa.Column("last_used_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
