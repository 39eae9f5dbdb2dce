"""Between records and rows: one function each way."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import RowMapping

from greenroom.session.model import EndReason, Limits, PauseCause, Presence, Session, Stage

_PLAIN = {f.name for f in fields(Session)} - {
    "stage",
    "limits",
    "bot_presence",
    "user_presence",
    "pause_causes",
    "reason",
}


def to_row(session: Session) -> dict[str, Any]:
    """The row of a session."""
    row: dict[str, Any] = {name: getattr(session, name) for name in _PLAIN}
    row["stage"] = session.stage.value
    row["limits"] = asdict(session.limits)
    row["bot_presence"] = session.bot_presence.value
    row["user_presence"] = session.user_presence.value
    row["pause_causes"] = sorted(session.pause_causes)
    row["reason"] = session.reason.value if session.reason else None
    return row


def from_row(row: RowMapping) -> Session:
    """The session of a row."""
    plain = {name: row[name] for name in _PLAIN}
    return Session(
        **plain,
        stage=Stage(row["stage"]),
        limits=Limits(**row["limits"]),
        bot_presence=Presence(row["bot_presence"]),
        user_presence=Presence(row["user_presence"]),
        pause_causes=frozenset(PauseCause(cause) for cause in row["pause_causes"]),
        reason=EndReason(row["reason"]) if row["reason"] else None,
    )
