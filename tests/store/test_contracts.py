"""Effects, assistants' records, the roll-out and notes keep their contracts on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.ports.store import Store
from greenroom.store import database_at
from greenroom.testing.assistants_contract import AssistantsContract
from greenroom.testing.effects_contract import EffectsContract
from greenroom.testing.notes_contract import NotesContract
from greenroom.testing.rollout_contract import RolloutContract


@pytest.fixture
async def store(place: Path | str) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    database = (
        database_at(None, place.parent) if isinstance(place, Path) else database_at(place, Path())
    )
    opened = await database.open()
    yield opened
    await opened.close()


class TestEffects(EffectsContract):
    pass


class TestAssistants(AssistantsContract):
    pass


class TestRollout(RolloutContract):
    pass


class TestNotes(NotesContract):
    pass
