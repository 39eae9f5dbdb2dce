"""Notes: what an assistant writes down for its user, finds again, changes and deletes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

from greenroom.errors import BadRequest, NotFound
from greenroom.ports.clock import Clock
from greenroom.ports.notes import Note, NoteStore, TooManyNotes
from greenroom.service.names import new_id
from greenroom.service.tool_calls import Call, Done, Shown, ToolFailed
from greenroom.wire import tools as w
from greenroom.wire.base import WireModel
from greenroom.wire.translate import rfc3339

# So many notes a user may have; whoever wants more keeps them elsewhere, by a tool of their own.
MOST_NOTES = 500
# A model is told of so many, with so much of each; it reads the one that it wants.
MOST_FOUND = 10
SHOWN_CHARS = 200
MOST_WORDS = 16
# Room for the rest of an answer beside the text of a note.
_ROOM_BYTES = 2 * 1024

Action = Literal["created", "changed", "deleted", "shown"]


class Notes:
    """A user's notes, for themselves: on the page and over HTTP.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: NoteStore) -> None:
        self._store = store

    async def listed(self, user_id: str, tenant: str) -> w.NotesAnswer:
        """All of a user's notes, the latest changed first."""
        found = await self._store.search(user_id, tenant, [], MOST_NOTES)
        return w.NotesAnswer(notes=[body_of(note) for note in found])

    async def delete(self, user_id: str, tenant: str, note_id: str) -> None:
        """Delete one of a user's notes.

        Raises:
            NotFound: They have no such note.
        """
        if await self._store.delete(user_id, tenant, note_id) is None:
            raise NotFound("There is no such note.")


class NoteTools:
    """Implements `greenroom.service.tool_calls.Runner` for the built-in tool ``notes``.

    The notes are the session's user's, whoever else is in its room. What a call changes shows
    itself by a ``ui.note``.

    Args:
        store: Where they are kept.
        clock: The time.
    """

    def __init__(self, store: NoteStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._functions: dict[type[WireModel], Callable[[Call, Any], Awaitable[Done]]] = {
            w.CreateNote: self._create,
            w.ReadNote: self._read,
            w.EditNote: self._edit,
            w.DeleteNote: self._delete,
            w.SearchNotes: self._search,
        }

    async def __call__(self, call: Call) -> Done:
        """See `Runner`."""
        assert call.checked is not None  # it is built in
        try:
            return await self._functions[type(call.checked)](call, call.checked)
        except BadRequest:  # by the database: an id that cannot be one
            raise ToolFailed("There is no such note.") from None

    async def _create(self, call: Call, asked: w.CreateNote) -> Done:
        now = self._clock.now()
        session = call.session
        title, text = _storable(asked.title), _storable(asked.text)
        new = Note(new_id("not"), session.user_id, session.tenant, title, text, now, now)
        try:
            note = await self._store.create(new, call.key, MOST_NOTES)
        except TooManyNotes as full:
            raise ToolFailed(
                f"The user has {full.most} notes, and can have no more. Delete one first."
            ) from None
        return Done(_told(note), (_shown("created", note),))

    async def _read(self, call: Call, asked: w.ReadNote) -> Done:
        session = call.session
        note = _found(await self._store.get(session.user_id, session.tenant, asked.id))
        text = _cut(note.text)
        told = {**_told(note), "text": text, "updatedAt": rfc3339(note.updated_at)}
        if len(text) < len(note.text):
            told["cut"] = True
        return Done(told, (_shown("shown", note),))

    async def _edit(self, call: Call, asked: w.EditNote) -> Done:
        if asked.title is None and asked.text is None:
            raise ToolFailed("Say what is to change: the title, the text, or both.")
        session = call.session
        note = await self._store.edit(
            session.user_id,
            session.tenant,
            asked.id,
            title=None if asked.title is None else _storable(asked.title),
            text=None if asked.text is None else _storable(asked.text),
            now=self._clock.now(),
        )
        return Done(_told(_found(note)), (_shown("changed", _found(note)),))

    async def _delete(self, call: Call, asked: w.DeleteNote) -> Done:
        session = call.session
        note = _found(await self._store.delete(session.user_id, session.tenant, asked.id))
        # What is deleted is not written down once more in the session's events.
        return Done({**_told(note), "deleted": True}, (_shown("deleted", replace(note, text="")),))

    async def _search(self, call: Call, asked: w.SearchNotes) -> Done:
        session = call.session
        words = list(dict.fromkeys(_storable(asked.query).split()))[:MOST_WORDS]
        found = await self._store.search(session.user_id, session.tenant, words, MOST_FOUND + 1)
        notes = [{**_told(n), "text": n.text[:SHOWN_CHARS]} for n in found[:MOST_FOUND]]
        return Done({"notes": notes, "more": len(found) > MOST_FOUND})


def body_of(note: Note) -> w.NoteBody:
    """A note as it travels."""
    return w.NoteBody(
        id=note.id,
        title=note.title,
        text=note.text,
        created_at=rfc3339(note.created_at),
        updated_at=rfc3339(note.updated_at),
    )


def _told(note: Note) -> dict[str, Any]:
    return {"id": note.id, "title": note.title}


def _shown(action: Action, note: Note) -> Shown:
    data = w.NoteData(action=action, note=body_of(note))
    return w.UI_NOTE, data.model_dump(mode="json", by_alias=True)


def _found(note: Note | None) -> Note:
    if note is None:
        raise ToolFailed("There is no note with this id. Search the notes for it.")
    return note


def _storable(text: str) -> str:
    """Without zero bytes, which PostgreSQL does not keep."""
    return text.replace("\0", "")


def _cut(text: str) -> str:
    """As much of a text as fits into a result."""
    most = w.MAX_RESULT_BYTES - _ROOM_BYTES
    while len(json.dumps(text, ensure_ascii=False).encode()) > most:
        text = text[: len(text) * 3 // 4]
    return text
