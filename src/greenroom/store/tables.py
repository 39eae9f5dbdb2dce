"""The tables, as SQLAlchemy describes them; migrations make them, a test compares the two.

Times (``…_at``) are seconds since the epoch, as everywhere in Greenroom.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only in an INTEGER key; PostgreSQL wants the room of a BIGINT.
_RowId = BigInteger().with_variant(Integer, "sqlite")

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(255), nullable=False),
    Column("assistant", String(128), nullable=False),
    Column("bot", Text, nullable=False),
    Column("room", String(128), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("launch_id", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("body", JSON, nullable=False, server_default="{}"),
    Column("report_seq", Integer, nullable=False),
    Column("bot_presence", String(16), nullable=False),
    Column("user_presence", String(16), nullable=False),
    Column("participant", String(64)),
    Column("muted", Boolean, nullable=False),
    Column("muted_at_ms", BigInteger, nullable=False),
    Column("pause_causes", JSON, nullable=False),
    Column("active_at", Float),
    Column("last_activity_at", Float),
    Column("paused_at", Float),
    Column("left_at", Float),
    Column("warned_at", Float),
    Column("ending_at", Float),
    Column("ended_at", Float),
    Column("reason", String(32)),
    Column("last_seq", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)

_LIVE = text("stage NOT IN ('ending', 'ended')")
_UNENDED = text("stage <> 'ended'")
Index(
    "uq_sessions_live",
    sessions.c.user_id,
    sessions.c.assistant,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
# Partial: looking for what runs must not grow with what has ended.
Index("ix_sessions_unended", sessions.c.stage, sqlite_where=_UNENDED, postgresql_where=_UNENDED)

events = Table(
    "events",
    metadata,
    Column("session_id", String(64), ForeignKey("sessions.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("type", String(128), nullable=False),
    Column("data", JSON, nullable=False),
)

effects = Table(
    "effects",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("session_id", String(64), ForeignKey("sessions.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("state", String(8), nullable=False),  # pending | dead; what is done is deleted
    Column("error", Text),
)
Index("ix_effects_state_due_at", effects.c.state, effects.c.due_at)

deadlines = Table(
    "deadlines",
    metadata,
    Column("session_id", String(64), ForeignKey("sessions.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("due_at", Float, nullable=False, index=True),
)

tickets = Table(
    "tickets",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("session_id", String(64), ForeignKey("sessions.id"), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("until", Float, nullable=False, index=True),
)
