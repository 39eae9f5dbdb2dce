"""``greenroom doctor --assistant``: what an assistant lacks, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from greenroom.doctor.assistant import assistant
from greenroom.doctor.finding import Level
from greenroom.ports.assistants import Source
from greenroom.ports.audit import Act, Actor, ActorKind, Entry
from greenroom.ports.readiness import Lack
from greenroom.settings import read_settings
from greenroom.store import database_at


class Bench:
    """Finds what it is told to, and keeps what it was asked."""

    def __init__(self, *lacks: Lack) -> None:
        self._lacks = list(lacks)
        self.asked: list[tuple[Mapping[str, Any], bool]] = []

    async def lacks(self, record: Mapping[str, Any], *, try_it: bool = False) -> list[Lack]:
        """See `Workbench.lacks`."""
        self.asked.append((record, try_it))
        return self._lacks


async def test_it_says_what_is_missing_and_how_to_mend_it(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = read_settings(state_dir=tmp_path)
    (unknown,) = await assistant(settings, "mary", Bench())
    assert unknown.level is Level.PROBLEM
    store = await database_at(settings.plain_database_url(), settings.state_dir).open()
    record = {"name": "mary", "llm": {"service": "openai"}, "limits": {"idleS": 60}}
    entry = Entry(1.0, Actor(ActorKind.OPERATOR, "ops"), Act.SAVE_ASSISTANT, "mary")
    await store.assistants.save(
        "mary", record, based_on=0, source=Source.COMMAND, publish=True, entry=entry
    )
    await store.close()

    bench = Bench(Lack("llm.service", "missing_key", "its key is missing: set OPENAI_API_KEY."))
    (found,) = await assistant(settings, "mary", bench)
    assert found.level is Level.PROBLEM
    assert "OPENAI_API_KEY" in found.message
    assert "GREENROOM_SECRETS_DIR" in found.mend
    # What the bot would be told is tried, and its model is asked.
    assert bench.asked == [
        ({"name": "mary", "llm": {"service": "openai", "settings": {}}}, True)
    ] or (bench.asked == [({"name": "mary", "llm": {"service": "openai"}}, True)])
    (ready,) = await assistant(settings, "mary", Bench())
    assert ready.level is Level.OK
