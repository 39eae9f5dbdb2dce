"""The tables, as SQLAlchemy describes them; migrations make them, a test compares the two.

Times (``…_at``) are seconds since the epoch, as everywhere in Greenroom.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

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
    Column("assistant_version", Integer),  # of its record; none: it has no record
    Column("record", JSON, nullable=False, server_default="{}"),
    Column("tenant", String(128), nullable=False, server_default="default"),
    Column("trace_id", String(32), nullable=False, server_default=""),
    Column("tariff", JSON, nullable=False, server_default="{}"),
    Column("meter", JSON, nullable=False, server_default="{}"),
    Column("report_seq", Integer, nullable=False),
    Column("bot_presence", String(16), nullable=False),
    Column("user_presence", String(16), nullable=False),
    Column("participant", String(64)),
    Column("muted", Boolean, nullable=False),
    Column("muted_at_ms", BigInteger, nullable=False),
    Column("pause_causes", JSON, nullable=False),
    Column("kind", String(16), nullable=False, server_default="voice"),
    Column("group_call", JSON(none_as_null=True)),
    Column("consents", JSON, nullable=False, server_default="{}"),
    Column("queued_at", Float),
    Column("queue_position", Integer),
    Column("admitted_at", Float),
    Column("active_at", Float),
    Column("last_activity_at", Float),
    Column("paused_at", Float),
    Column("left_at", Float),
    Column("warned_at", Float),
    Column("ending_at", Float),
    Column("ended_at", Float),
    Column("reason", String(32)),
    Column("end_note", Text),
    Column("last_seq", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    # Since then nothing is kept of what was said. No part of the record: nothing goes by it.
    Column("erased_at", Float),
)

# In these very words in the indexes and in every query that is to use them: a planner that meets
# parameters instead need not see that the partial index will do (SQLite's does not, in a list).
LIVE = text("stage NOT IN ('ending', 'ended')")
UNENDED = text("stage <> 'ended'")
QUEUED = text("stage = 'queued'")
GROUP_CALLS = text("kind = 'group' AND stage <> 'ended'")
HAS_ENDED = text("ended_at IS NOT NULL")
KEEPS_WORDS = text("ended_at IS NOT NULL AND erased_at IS NULL")
Index(
    "uq_sessions_live",
    sessions.c.user_id,
    sessions.c.assistant,
    sessions.c.tenant,
    sessions.c.kind,
    unique=True,
    sqlite_where=LIVE,
    postgresql_where=LIVE,
)
# Partial: looking for what runs must not grow with what has ended.
Index("ix_sessions_unended", sessions.c.stage, sqlite_where=UNENDED, postgresql_where=UNENDED)
Index("ix_sessions_queued", sessions.c.queue_position, sqlite_where=QUEUED, postgresql_where=QUEUED)
# Looked at whenever a user starts to talk: are they in one of them?
Index(
    "ix_sessions_group_calls",
    sessions.c.tenant,
    sqlite_where=GROUP_CALLS,
    postgresql_where=GROUP_CALLS,
)
# What a room tells is told of whoever talks in it.
Index("ix_sessions_room", sessions.c.room, sqlite_where=UNENDED, postgresql_where=UNENDED)
# Oldest first, for what is erased or forgotten after its time; what is done is not met again.
Index(
    "ix_sessions_ended_at", sessions.c.ended_at, sqlite_where=HAS_ENDED, postgresql_where=HAS_ENDED
)
Index(
    "ix_sessions_keeps_words",
    sessions.c.ended_at,
    sqlite_where=KEEPS_WORDS,
    postgresql_where=KEEPS_WORDS,
)
# For the day's starts, and for the last one of a user.
Index("ix_sessions_admitted_at", sessions.c.admitted_at)
Index("ix_sessions_user_id_admitted_at", sessions.c.user_id, sessions.c.admitted_at)

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
    Column("session_id", String(64), ForeignKey("sessions.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("state", String(8), nullable=False),  # pending | dead; what is done is deleted
    Column("error", Text),
    # Whoever still holds the id of an effect that is deleted must not mean another by it.
    sqlite_autoincrement=True,
)
# A lane takes its oldest effect, however many wait behind it.
Index("ix_effects_session_id_id", effects.c.session_id, effects.c.id)
Index("ix_effects_state_due_at", effects.c.state, effects.c.due_at)

# What was given to be known: kept with the session's words, and told to no page.
contexts = Table(
    "contexts",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("session_id", String(64), ForeignKey("sessions.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("by_page", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "session_id", "id"),
)

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

# What holds for the whole installation: one row, whose number is 1.
house = Table(
    "house",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("halted_at", Float),
    Column("halt_reason", Text),
)

# What was spent, in millionths of a dollar; every total is a sum of these. A row belongs to one
# user's sessions with one assistant, so that writers hardly ever meet in it.
spend = Table(
    "spend",
    metadata,
    Column("day", String(10), primary_key=True),  # UTC, 2026-11-21
    Column("tenant", String(128), primary_key=True),
    Column("user_id", String(255), primary_key=True),
    Column("assistant", String(128), primary_key=True),
    Column("component", String(32), primary_key=True),
    Column("micro_usd", BigInteger, nullable=False),
)
Index("ix_spend_user_id_day", spend.c.user_id, spend.c.day)

# What is delivered is deleted. Which event: its row is the body, so it is kept once.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("endpoint", String(64), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # waiting | dead
    Column("attempts", Integer, nullable=False),
    Column("queued_at", Float, nullable=False),
    Column("error", Text),
    # What is no longer on record is not delivered later either.
    ForeignKeyConstraint(
        ["session_id", "seq"], ["events.session_id", "events.seq"], ondelete="CASCADE"
    ),
    UniqueConstraint("endpoint", "session_id", "seq"),
    Index(None, "session_id", "seq"),
)

# A lane exists while something waits in it. Only the first delivery of a lane is tried.
delivery_lanes = Table(
    "delivery_lanes",
    metadata,
    Column("endpoint", String(64), primary_key=True),
    Column(
        "session_id",
        String(64),
        ForeignKey("sessions.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("due_at", Float, nullable=False),
    Index(None, "endpoint", "due_at"),
)

# Keys of applications' servers. A key is 256 random bits: nobody finds it by trying, so that a
# plain digest does, and a slow one (made for what people choose) would only slow down requests.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("begins", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("scopes", JSON, nullable=False),
    Column("tenant", String(128)),
    Column("created_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
)

# Triggers that the migration makes refuse every UPDATE and DELETE, and an INSERT over a line.
audit = Table(
    "audit",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text),
    Column("act", String(32), nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("detail", JSON, nullable=False),
)

# What new sessions get is the published version; versions themselves never change.
assistants = Table(
    "assistants",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("latest", Integer, nullable=False),
    Column("published", Integer),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("killed_at", Float),
    Column("kill_reason", Text, nullable=False, server_default=""),
    Column("deleted_at", Float),
)

assistant_versions = Table(
    "assistant_versions",
    metadata,
    Column("name", String(64), ForeignKey("assistants.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", JSON, nullable=False),
    Column("source", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("published_at", Float),
)

# Which side was chosen for whom, and why: a row a day, however often a page asks.
rollout_decisions = Table(
    "rollout_decisions",
    metadata,
    Column("day", String(10), primary_key=True),  # UTC, 2026-11-21
    Column("assistant", String(128), primary_key=True),
    Column("tenant", String(128), primary_key=True),
    Column("user_id", String(255), primary_key=True),
    Column("provider", String(16), primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)

# How conversations went on the other side, as its application tells.
rollout_outcomes = Table(
    "rollout_outcomes",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("assistant", String(128), nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("failed", Boolean, nullable=False),
    Column("duration_s", Float),
    Column("first_word_s", Float),
    Column("micro_usd", BigInteger),
)

# What users had their assistants write down. No part of any session, and kept when those go.
notes = Table(
    "notes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(255), nullable=False),
    Column("tenant", String(128), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("folded", Text, nullable=False),  # both, without case: what searching compares
    Column("made_by_call", String(192), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(None, "user_id", "tenant", "updated_at"),
)


def inserts_or_updates(table: Table) -> dict[str, Any]:
    """An INSERT into this table by dialect, to be given an ON CONFLICT.

    Both databases write it alike; SQLAlchemy has it in each dialect's own statement.
    """
    return {"sqlite": sqlite.insert(table), "postgresql": postgresql.insert(table)}
