"""The plan's migration: records from before it get a ``voiceSessionConfig``. Twice is once."""

from __future__ import annotations

import math
from typing import Any

# As the migration plan gives them to records that have none.
DEFAULTS: dict[str, Any] = {
    "enabled": True,
    "persistence": 300,
    "roomPrivacy": "private",
    "maxDuration": 3_600,
    "autoStart": False,
}


def with_voice_session_config(
    record: dict[str, Any],
    *,
    most_duration_s: float = math.inf,
    most_persistence_s: float = math.inf,
) -> dict[str, Any]:
    """The record with a ``voiceSessionConfig``; the very same one if it has one.

    Args:
        record: As JSON.
        most_duration_s: What this server allows; the plan's hour may be more.
        most_persistence_s: The same of the persistence.
    """
    if record.get("voiceSessionConfig"):
        return record
    config = {
        **DEFAULTS,
        "maxDuration": min(DEFAULTS["maxDuration"], most_duration_s),
        "persistence": min(DEFAULTS["persistence"], most_persistence_s),
    }
    return {**record, "voiceSessionConfig": config}
