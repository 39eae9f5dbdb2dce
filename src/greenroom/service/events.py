"""Events as they travel: stored ones to browsers and applications, ephemeral ones to browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic import ValidationError

from greenroom.errors import BadRequest
from greenroom.ports.hub import Word
from greenroom.ports.store import NewEvent, Store, StoredEvent
from greenroom.wire.events import AudioLevelData, EphemeralEvent, EphemeralType, Event
from greenroom.wire.http import EphemeralMessage, EventMessage
from greenroom.wire.link import MAX_EPHEMERAL_BYTES, Ephemeral
from greenroom.wire.translate import APP_PREFIXES, check_shape, rfc3339

# So many are read at once.
PAGE = 500


async def events_of(
    store: Store, session_id: str, up_to: int | None = None
) -> AsyncIterator[StoredEvent]:
    """A session's events from the first on, a page at a time.

    Args:
        store: Where they are.
        session_id: Whose.
        up_to: The number of the last that is wanted; None: all there are.
    """
    seq = 0
    while up_to is None or seq < up_to:
        most = PAGE if up_to is None else min(PAGE, up_to - seq)
        page = await store.events_after(session_id, seq, most)
        if not page:
            return
        for event in page:
            yield event
        seq = page[-1].seq


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


def as_word(stored: StoredEvent) -> Word:
    """A stored event as browsers are told it."""
    return Word(stored.seq, stored.type, EventMessage(event=as_event(stored)).to_json())


def words_of(session_id: str, last_seq: int, at: float, events: Sequence[NewEvent]) -> list[Word]:
    """What browsers are told of events that were stored after ``last_seq``, at this time."""
    return [
        as_word(StoredEvent(session_id, seq, at, event.type, event.data))
        for seq, event in enumerate(events, start=last_seq + 1)
    ]


def ephemeral_word(session_id: str | None, at: float, type: str, data: dict[str, Any]) -> Word:
    """An ephemeral event as browsers are told it; without a session: to all of them."""
    event = EphemeralEvent(session=session_id, time=rfc3339(at), type=type, data=data)
    return Word(None, type, EphemeralMessage(event=event).to_json())


def word_of_a_bot(session_id: str, at: float, told: Ephemeral) -> Word:
    """What browsers are told of a bot's ephemeral event.

    Raises:
        BadRequest: It is not one that a bot may tell, or larger than `MAX_EPHEMERAL_BYTES`.
    """
    data = told.data
    if told.event == EphemeralType.AUDIO_LEVEL:
        try:
            data = AudioLevelData.model_validate(data).model_dump(mode="json", by_alias=True)
        except ValidationError as error:
            raise BadRequest("An audio level is malformed.") from error
    elif not told.event.startswith(APP_PREFIXES):
        raise BadRequest("A bot may not tell an event of this type.")
    else:
        try:
            check_shape(told.event, data)
        except ValidationError as error:
            raise BadRequest("It is not shaped as what pages show is.") from error
    word = ephemeral_word(session_id, at, told.event, data)
    if len(word.text) > MAX_EPHEMERAL_BYTES:
        raise BadRequest("An ephemeral event is too large.")
    return word
