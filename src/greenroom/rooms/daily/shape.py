"""What a room of ours on Daily is like, and whether one that is there is like that."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from greenroom.ports.rooms import Shape

# A room that nobody keeps is closed by Daily after so long, with whoever is in it. It is kept
# ahead every time that half of it is gone, so that a server may be away for a quarter of an hour.
AHEAD_S = 1_800.0


class Recording(StrEnum):
    """What Daily may record; only where it is asked for."""

    CLOUD = "cloud"
    CLOUD_AUDIO_ONLY = "cloud-audio-only"
    LOCAL = "local"
    RAW_TRACKS = "raw-tracks"


def properties(exp: float, shape: Shape, recording: Recording | None = None) -> dict[str, Any]:
    """The properties of a room of this shape, until ``exp`` (seconds since the epoch)."""
    return {
        "exp": int(exp),
        "eject_at_room_exp": True,
        "max_participants": shape.places,
        "enforce_unique_user_ids": True,
        "enable_knocking": False,
        "enable_prejoin_ui": False,
        "enable_screenshare": False,
        "enable_chat": False,
        "start_video_off": not shape.video,
        **({"enable_recording": recording.value} if recording else {}),
    }


def differs(room: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a room is not as ours are, but for how long it lasts."""
    config = room.get("config", {})
    fixed = {name: value for name, value in wanted.items() if name != "exp"}
    if any(config.get(name) != value for name, value in fixed.items()):
        return True
    # A recording that nobody asked for, or a beginning in the future.
    return any(config.get(name) and name not in wanted for name in ("enable_recording", "nbf"))


def changes(room: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What makes a room of whatever kind one of ours: ``null`` takes a property away."""
    config = room.get("config", {})
    unset = {name: None for name in ("enable_recording", "nbf") if name in config}
    return {**unset, **wanted}
