"""What a bot is told of its session: on the link, or in what it is started with."""

from __future__ import annotations

from greenroom.service.tracing import traceparent_of
from greenroom.session.model import Session, SessionKind
from greenroom.session.roster import people_in
from greenroom.wire.link import Present, RoomKind, RoomSpec, SessionSpec
from greenroom.wire.vapi.calls import for_the_bot


def spec_of(session: Session, room: RoomSpec, *, offer_follows: bool = False) -> SessionSpec:
    """The session as its bot is told, with what it needs to get into its room."""
    return SessionSpec(
        session_id=session.id,
        launch_id=session.launch_id,
        assistant=session.assistant,
        assistant_version=session.assistant_version,
        user_id=session.user_id,
        record=session.record,
        room=room,
        persistence_s=session.limits.persistence_s,
        traceparent=traceparent_of(session),
        muted=session.muted,
        paused=session.is_paused,
        offer_follows=offer_follows,
        group=session.kind is SessionKind.GROUP,
        present=None if room.kind is RoomKind.LOCAL else _present(session),
        body=for_the_bot(session.body),
    )


def _present(session: Session) -> list[Present]:
    found = people_in(session).items()
    return [Present(participant=id_, user_id=user_id) for id_, user_id in found]
