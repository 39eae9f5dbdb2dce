"""What a bot is told of its session: on the link, or in what it is started with."""

from __future__ import annotations

from greenroom.ports.rooms import Rooms
from greenroom.service.tracing import traceparent_of
from greenroom.session.model import Session
from greenroom.wire.link import SessionSpec


def spec_of(session: Session, rooms: Rooms) -> SessionSpec:
    """The session as its bot is told."""
    return SessionSpec(
        session_id=session.id,
        launch_id=session.launch_id,
        assistant=session.assistant,
        room=rooms.describe(session.room),
        persistence_s=session.limits.persistence_s,
        traceparent=traceparent_of(session),
        muted=session.muted,
        paused=session.is_paused,
        body=session.body,
    )
