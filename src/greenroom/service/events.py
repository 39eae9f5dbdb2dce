"""Stored events as they travel: the same to browsers and to applications."""

from __future__ import annotations

from greenroom.ports.store import StoredEvent
from greenroom.wire.events import Event
from greenroom.wire.translate import rfc3339


def as_event(stored: StoredEvent) -> Event:
    """A stored event as it travels."""
    return Event(
        id=f"{stored.session_id}.{stored.seq}",
        session=stored.session_id,
        seq=stored.seq,
        time=rfc3339(stored.at),
        type=stored.type,
        data=stored.data,
    )
