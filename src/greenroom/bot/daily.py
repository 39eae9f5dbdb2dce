"""How a bot joins a room on Daily: microphone on, and a camera only where it may have one."""

from __future__ import annotations

from typing import Any

from pipecat.transports.daily.transport import DailyParams

from greenroom.bot.context import current
from greenroom.wire.link import SessionSpec


def params(spec: SessionSpec | None = None, **more: Any) -> DailyParams:
    """The parameters of Pipecat's `DailyTransport` for a session.

    Voice-only, which every session for one is, and a group call that was started so: camera off,
    and nobody's video is looked at. Its token says the same, so that no other parameters could turn
    one on.

    Args:
        spec: The session; the one that this process serves if None.
        **more: What else the bot wants, in `DailyParams`' words; it holds against ours.
    """
    video = (spec or current().spec).room.video
    usual: dict[str, Any] = {
        "audio_in_enabled": True,
        "audio_out_enabled": True,
        "microphone_out_enabled": True,
        "camera_out_enabled": video,
        "video_in_enabled": video,
        "video_out_enabled": video,
    }
    return DailyParams(**{**usual, **more})
