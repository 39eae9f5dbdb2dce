"""What every store of assistants' records must do: a suite for pytest, run on each implementation.

Subclass `AssistantsContract` and give it a fixture ``store``, a `greenroom.ports.store.Store`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom.ports.assistants import Outdated, Source, Version
from greenroom.ports.audit import Act, Actor, ActorKind, Entry
from greenroom.ports.store import Store

_NOW = 1_800_000_000.0


def an_entry(act: Act, name: str, later_s: float = 0.0) -> Entry:
    """A line for the audit log."""
    return Entry(_NOW + later_s, Actor(ActorKind.COMMAND, "ada"), act, name)


async def save(
    store: Store, name: str = "mary", *, based_on: int = 0, publish: bool = False, **fields: Any
) -> Version:
    """Keep one more version."""
    return await store.assistants.save(
        name,
        {"name": name, **fields},
        based_on=based_on,
        source=Source.COMMAND,
        publish=publish,
        entry=an_entry(Act.SAVE_ASSISTANT, name, based_on),
    )


class AssistantsContract:
    """Versions never change, one of them counts, and every change is on the log."""

    async def test_a_version_is_kept_as_it_was_and_counts_once_it_is_published(
        self, store: Store
    ) -> None:
        first = await save(store, persona="“Mary”, who ist \N{SNOWMAN}", metadata={"n": [1, None]})
        assert (first.number, first.published_at, first.created_by) == (1, None, "ada")
        assert await store.assistants.published("mary") is None
        assert await store.assistants.version("mary", 1) == first
        entry = an_entry(Act.PUBLISH_ASSISTANT, "mary", 5)
        assert await store.assistants.publish("mary", 1, entry)
        found = await store.assistants.published("mary")
        assert found is not None
        standing, version = found
        assert (standing.latest, standing.published, standing.updated_at) == (1, 1, _NOW + 5)
        assert version.record == first.record
        assert version.published_at == _NOW + 5

    async def test_a_newer_version_does_not_count_until_it_is_published(self, store: Store) -> None:
        await save(store, publish=True, persona="one")
        await save(store, based_on=1, persona="two")
        found = await store.assistants.published("mary")
        assert found is not None
        assert (found[0].latest, found[1].record["persona"]) == (2, "one")
        assert [v.number for v in await store.assistants.versions("mary")] == [2, 1]
        assert not await store.assistants.publish("mary", 3, an_entry(Act.PUBLISH_ASSISTANT, "m"))

    async def test_of_two_who_edit_at_once_one_is_told(self, store: Store) -> None:
        await save(store)
        tries = [save(store, based_on=1, persona=f"p{n}") for n in range(6)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        kept = [r for r in results if isinstance(r, Version)]
        told = [r for r in results if isinstance(r, Outdated)]
        assert (len(kept), len(told)) == (1, 5)
        assert {r.latest for r in told} == {2}
        assert [v.number for v in await store.assistants.versions("mary")] == [2, 1]

    async def test_of_two_who_create_at_once_one_is_told(self, store: Store) -> None:
        results = await asyncio.gather(*(save(store) for _ in range(4)), return_exceptions=True)
        assert sum(isinstance(r, Version) for r in results) == 1
        assert sum(isinstance(r, Outdated) for r in results) == 3

    async def test_what_is_deleted_is_gone_and_goes_on_where_it_was(self, store: Store) -> None:
        await save(store, publish=True)
        assert await store.assistants.delete("mary", an_entry(Act.DELETE_ASSISTANT, "mary"))
        assert not await store.assistants.delete("mary", an_entry(Act.DELETE_ASSISTANT, "mary"))
        assert await store.assistants.published("mary") is None
        assert await store.assistants.listed() == []
        assert not await store.assistants.publish("mary", 1, an_entry(Act.PUBLISH_ASSISTANT, "m"))
        # Sessions that have it can still be understood.
        assert await store.assistants.version("mary", 1) is not None
        assert (await save(store, publish=True)).number == 2
        assert [s.name for s in await store.assistants.listed()] == ["mary"]

    async def test_a_kill_is_no_version(self, store: Store) -> None:
        await save(store, publish=True)
        assert await store.assistants.kill("mary", "it swears", an_entry(Act.KILL_ASSISTANT, "m"))
        found = await store.assistants.published("mary")
        assert found is not None
        assert (found[0].killed_at, found[0].kill_reason) == (_NOW, "it swears")
        # A new version does not bring it back to life.
        await save(store, based_on=1, publish=True)
        found = await store.assistants.published("mary")
        assert found is not None
        assert found[0].killed_at == _NOW
        assert await store.assistants.revive("mary", an_entry(Act.REVIVE_ASSISTANT, "mary"))
        assert not await store.assistants.revive("mary", an_entry(Act.REVIVE_ASSISTANT, "mary"))

    async def test_nobody_is_known_who_was_never_saved(self, store: Store) -> None:
        for name in ("nobody", "", "x" * 300, "mary\N{SNOWMAN}"):
            assert await store.assistants.published(name) is None
            assert await store.assistants.get(name) is None
            assert await store.assistants.versions(name) == []
        assert not await store.assistants.kill("nobody", "", an_entry(Act.KILL_ASSISTANT, "n"))

    async def test_all_that_can_be_started_are_found_at_once(self, store: Store) -> None:
        for name in ("zoe", "ada", "mary"):
            await save(store, name, publish=name != "mary")
        assert [s.name for s in await store.assistants.listed()] == ["ada", "mary", "zoe"]
        assert [v.name for _, v in await store.assistants.all_published()] == ["ada", "zoe"]

    async def test_every_change_is_on_the_log_and_what_changed_nothing_is_not(
        self, store: Store
    ) -> None:
        await save(store)
        with pytest.raises(Outdated):
            await save(store, based_on=7)
        await store.assistants.publish("mary", 9, an_entry(Act.PUBLISH_ASSISTANT, "mary"))
        await store.assistants.publish("mary", 1, an_entry(Act.PUBLISH_ASSISTANT, "mary"))
        await store.assistants.kill("mary", "", an_entry(Act.KILL_ASSISTANT, "mary"))
        await store.assistants.delete("mary", an_entry(Act.DELETE_ASSISTANT, "mary"))
        acts = [entry.act for entry in await store.audit.listed(limit=10)]
        assert acts == [
            Act.DELETE_ASSISTANT,
            Act.KILL_ASSISTANT,
            Act.PUBLISH_ASSISTANT,
            Act.SAVE_ASSISTANT,
        ]
