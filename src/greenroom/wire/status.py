"""The one table from a session's stage to what people are shown."""

from __future__ import annotations

from greenroom.session.model import Stage
from greenroom.wire.events import SessionStatus

_SHOWN: dict[Stage, SessionStatus] = {
    Stage.QUEUED: SessionStatus.QUEUED,
    Stage.CONNECTING: SessionStatus.CONNECTING,
    Stage.ACTIVE: SessionStatus.ACTIVE,
    # Whoever looks at a lingering session is a page that is on its way back into it.
    Stage.LINGERING: SessionStatus.CONNECTING,
    Stage.ENDING: SessionStatus.DISCONNECTING,
    Stage.ENDED: SessionStatus.INACTIVE,
}
_PAUSABLE = (Stage.ACTIVE, Stage.LINGERING)


def shown_status(stage: Stage, *, paused: bool) -> SessionStatus:
    """What people are shown for a stage."""
    if paused and stage in _PAUSABLE:
        return SessionStatus.PAUSED
    return _SHOWN[stage]
