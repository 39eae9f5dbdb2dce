"""What is known of people: a session's transcript, a user's export, and its erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from greenroom.errors import Conflict
from greenroom.ports.clock import Clock
from greenroom.ports.records import Erased, StillLive
from greenroom.ports.store import SpendBy, Store, StoredEvent
from greenroom.service.events import as_event, events_of
from greenroom.service.names import Keyring
from greenroom.service.notes import MOST_NOTES, body_of
from greenroom.session.cost import cost_of
from greenroom.session.model import Session
from greenroom.session.prices import usd
from greenroom.wire import records as w
from greenroom.wire.events import TranscriptData
from greenroom.wire.translate import rfc3339, rfc3339_or_none

log = structlog.get_logger("greenroom.people")

# A conversation of hours has a few thousand sentences.
MOST_LINES = 10_000
_PAGE = 200
# Days are compared as texts.
_ALL_DAYS = ("0000-01-01", "9999-12-31")


class People:
    """Reads and erases what is kept of people.

    Args:
        store: Where it is kept.
        clock: The time.
        keyring: Makes the names of those who were erased.
    """

    def __init__(self, store: Store, clock: Clock, keyring: Keyring) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring

    async def transcript(self, session: Session) -> w.TranscriptBody:
        """What was said in a session: whole sentences, typed ones among them, in order."""
        found = await self._store.records.transcript(session.id, MOST_LINES + 1)
        lines = [line for event in found[:MOST_LINES] if (line := _line(event)) is not None]
        return w.TranscriptBody(
            session_id=session.id,
            assistant=session.assistant,
            started_at=rfc3339(session.created_at),
            ended_at=rfc3339_or_none(session.ended_at),
            lines=lines,
            more=len(found) > MOST_LINES,
        )

    async def export(self, user_id: str, tenant: str) -> AsyncIterator[w.Exported]:
        """Everything that is kept of a user, a piece at a time.

        Args:
            user_id: Whose, within the tenant.
            tenant: Whose user.

        Yields:
            Who it is; then each session, its events, and what its assistant was given to know; in
            whose calls they agreed to be recorded; then their notes, the latest first; then what
            they cost, by day.
        """
        now = rfc3339(self._clock.now())
        yield w.UserRecord(user_id=user_id, tenant=tenant, exported_at=now)
        async for session in self._sessions(user_id, tenant):
            yield _session_record(session)
            async for event in events_of(self._store, session.id):
                yield w.EventRecord(event=as_event(event))
            for given in await self._store.records.contexts(session.id):
                yield w.ContextRecord(
                    session_id=session.id,
                    at=rfc3339(given.at),
                    text=given.text,
                    by="page" if given.by_page else None,
                )
        for session_id, at in await self._store.records.agreed_elsewhere(user_id, tenant):
            yield w.ConsentRecord(session_id=session_id, at=rfc3339(at))
        for note in await self._store.notes.search(user_id, tenant, [], MOST_NOTES):
            yield w.NoteRecord(note=body_of(note))
        whose = {"user_id": user_id, "tenant": tenant}
        for total in await self._store.totals(SpendBy.DAY, *_ALL_DAYS, **whose):
            yield w.SpendRecord(day=total.name, component=total.component, usd=usd(total.micro_usd))

    def alias_of(self, user_id: str, tenant: str) -> str:
        """Who a user is once erased: the same each time, and told by nobody without the secret."""
        return self._keyring.alias_of(user_id, tenant)

    async def erase(self, user_id: str, tenant: str) -> w.ErasedBody:
        """Erase a user: names, words, notes, and what the application had said of their sessions.

        What remains, under an alias, are the times, ends and costs of their sessions, so that
        totals stay true; and on the audit log what was done for them, which nobody can change.

        Raises:
            Conflict: They are in a conversation.
        """
        alias = self.alias_of(user_id, tenant)
        now = self._clock.now()
        try:
            erased = await self._store.records.erase_user(user_id, tenant, alias, now)
        except StillLive as live:
            ends = " and ".join(f"greenroom end {one}" for one in live.session_ids)
            raise Conflict(f"This user is in a conversation. End it first: {ends}") from None
        _note(alias, erased)
        return w.ErasedBody(
            alias=alias, sessions=erased.sessions, events=erased.events, notes=erased.notes
        )

    async def _sessions(self, user_id: str, tenant: str) -> AsyncIterator[Session]:
        after = None
        while page := await self._store.records.of_user(user_id, tenant, after=after, limit=_PAGE):
            for session in page:
                yield session
            after = page[-1].id


def _note(alias: str, erased: Erased) -> None:
    log.info(
        "user.erased",
        alias=alias,
        sessions=erased.sessions,
        events=erased.events,
        notes=erased.notes,
    )


def _line(event: StoredEvent) -> w.Line | None:
    """A sentence; None if there is more of it to come."""
    said = TranscriptData.model_validate(event.data)
    if not said.final:
        return None
    return w.Line(
        seq=event.seq,
        time=rfc3339(event.at),
        role=said.role,
        text=said.text,
        turn=said.turn,
        typed=said.typed,
    )


def _session_record(session: Session) -> w.SessionRecord:
    return w.SessionRecord(
        session_id=session.id,
        assistant=session.assistant,
        room=session.room,
        stage=session.stage.value,
        started_at=rfc3339(session.created_at),
        active_at=rfc3339_or_none(session.active_at),
        ended_at=rfc3339_or_none(session.ended_at),
        reason=session.reason.value if session.reason else None,
        recording_consent_at=rfc3339_or_none(session.consents.get(session.user_id)),
        body=session.body,
        cost_usd=usd(cost_of(session).micro_usd),
    )
