"""Port: the notes that users have had written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class TooManyNotes(Exception):
    """The user has as many notes as anybody may have; the argument says how many."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


@dataclass(frozen=True, slots=True)
class Note:
    """A note of a user, who is an id within a tenant. Times: seconds since the epoch."""

    id: str
    user_id: str
    tenant: str
    title: str
    text: str
    created_at: float
    updated_at: float


class NoteStore(Protocol):
    """Keeps notes. Nobody's notes are found by anybody else. Every call may raise `Unavailable`."""

    async def create(self, note: Note, call: str, most: int) -> Note:
        """Keep a new note.

        Args:
            note: What to keep.
            call: Whose doing it is; the note that the same call has made before is returned as it
                is now, and nothing is kept.
            most: So many notes a user may have.

        Raises:
            TooManyNotes: They have so many.
        """
        ...

    async def get(self, user_id: str, tenant: str, note_id: str) -> Note | None:
        """One of a user's notes, if it is one."""
        ...

    async def edit(
        self,
        user_id: str,
        tenant: str,
        note_id: str,
        *,
        title: str | None,
        text: str | None,
        now: float,
    ) -> Note | None:
        """Change one of a user's notes; what is None stays. The note as it is now, if it is one."""
        ...

    async def delete(self, user_id: str, tenant: str, note_id: str) -> Note | None:
        """Delete one of a user's notes; what it was, if it was one."""
        ...

    async def search(
        self, user_id: str, tenant: str, words: Sequence[str], limit: int
    ) -> list[Note]:
        """A user's notes that contain all of these words, in whatever case, the latest first.

        Without words: all of them. At most ``limit``.
        """
        ...
