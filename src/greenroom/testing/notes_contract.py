"""What every store of notes must do: a suite for pytest, run on each implementation.

Subclass `NotesContract` and give it a fixture ``store``, a `greenroom.ports.store.Store`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from greenroom.ports.notes import Note, TooManyNotes
from greenroom.ports.store import Store

_NOW = 1_800_000_000.0
ADA = ("ada", "default")


def a_note(number: int = 1, title: str = "Milk", text: str = "") -> Note:
    """A note of Ada's; ``number`` makes its id and its time."""
    at = _NOW + number
    return Note(f"not_{number}", *ADA, title, text, at, at)


class NotesContract:
    """Notes are made once a call, found by their words, and are nobody else's."""

    async def test_the_same_call_makes_one_note(self, store: Store) -> None:
        made = [store.notes.create(a_note(n), "ses_1.c1", 9) for n in range(5)]
        notes = await asyncio.gather(*made)
        assert len({note.id for note in notes}) == 1
        assert await store.notes.search(*ADA, [], 9) == [notes[0]]
        changed = await store.notes.edit(*ADA, notes[0].id, title=None, text="2 l", now=_NOW + 9)
        assert await store.notes.create(a_note(7), "ses_1.c1", 9) == changed

    async def test_a_user_has_so_many_and_no_more(self, store: Store) -> None:
        for number in range(3):
            await store.notes.create(a_note(number), f"ses_1.c{number}", 3)
        with pytest.raises(TooManyNotes, match="3"):
            await store.notes.create(a_note(3), "ses_1.c3", 3)
        of_bob = replace(a_note(4), user_id="bob")
        assert await store.notes.create(of_bob, "ses_2.c1", 3) == of_bob
        assert await store.notes.create(a_note(5), "ses_1.c0", 3) == a_note(0)
        await store.notes.delete(*ADA, "not_1")
        assert await store.notes.create(a_note(6), "ses_1.c6", 3) == a_note(6)

    async def test_what_is_not_said_stays(self, store: Store) -> None:
        made = await store.notes.create(a_note(1, "Milk", "two litres"), "c", 9)
        titled = await store.notes.edit(*ADA, made.id, title="Oat milk", text=None, now=_NOW + 5)
        assert titled == replace(made, title="Oat milk", updated_at=_NOW + 5)
        emptied = await store.notes.edit(*ADA, made.id, title=None, text="", now=_NOW)
        assert emptied == replace(made, title="Oat milk", text="", updated_at=_NOW + 5)
        assert await store.notes.get(*ADA, made.id) == emptied
        assert await store.notes.search(*ADA, ["litres"], 9) == []

    async def test_words_are_found_in_whatever_case_the_latest_first(self, store: Store) -> None:
        texts = [("Größe", "ÄPFEL und Birnen"), ("Äpfel", "100 % Saft_x"), ("Milk", "")]
        for number, (title, text) in enumerate(texts, start=1):
            await store.notes.create(a_note(number, title, text), f"c{number}", 9)

        async def found(*words: str, limit: int = 9) -> list[str]:
            notes = await store.notes.search(*ADA, words, limit)
            return [note.id for note in notes]

        assert await found() == ["not_3", "not_2", "not_1"]
        assert await found(limit=2) == ["not_3", "not_2"]
        assert await found("äpfel") == ["not_2", "not_1"]
        assert await found("BIRNEN", "grösse") == ["not_1"]
        assert await found("birnen", "milk") == []
        assert await found("%") == ["not_2"]
        assert await found("t_x") == ["not_2"]
        assert await found("l%s") == []
        await store.notes.edit(*ADA, "not_1", title=None, text="birnen", now=_NOW + 9)
        assert await found() == ["not_1", "not_3", "not_2"]
        assert await found("äpfel") == ["not_2"]

    async def test_nobody_finds_anybody_elses(self, store: Store) -> None:
        made = await store.notes.create(a_note(), "c", 9)
        for other in (("bob", "default"), ("ada", "acme")):
            assert await store.notes.get(*other, made.id) is None
            assert await store.notes.edit(*other, made.id, title="x", text=None, now=_NOW) is None
            assert await store.notes.delete(*other, made.id) is None
            assert await store.notes.search(*other, [], 9) == []
        assert await store.notes.delete(*ADA, made.id) == made
        assert await store.notes.delete(*ADA, made.id) is None
        assert await store.notes.get(*ADA, made.id) is None

    async def test_an_erased_users_notes_are_gone(self, store: Store) -> None:
        await store.notes.create(a_note(), "c1", 9)
        kept = await store.notes.create(replace(a_note(2), tenant="acme"), "c2", 9)
        erased = await store.records.erase_user(*ADA, "erased-1", _NOW)
        assert (erased.sessions, erased.notes) == (0, 1)
        assert await store.notes.search(*ADA, [], 9) == []
        assert await store.notes.search("ada", "acme", [], 9) == [kept]
