"""What every store of a roll-out must do: a suite for pytest, run on each implementation.

Subclass `RolloutContract` and give it a fixture ``store``, a `greenroom.ports.store.Store`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from greenroom.ports.rollout import Decided, Outcome
from greenroom.ports.store import NewEvent, Store
from greenroom.session.model import Stage
from greenroom.testing.store_contract import a_session, create
from greenroom.wire.events import EventType

_NOW = 1_800_000_000.0
_DAY_S = 86_400.0


def an_outcome(number: int = 1) -> Outcome:
    """How a conversation went; ``number`` makes its id."""
    return Outcome(f"call-{number}", "default", "mary", _NOW, False, 60.0, 1.25, 123_456)


class RolloutContract:
    """Decisions are counted, outcomes count once, and our sessions have their first words."""

    async def test_the_same_decision_of_a_day_is_counted(self, store: Store) -> None:
        ada = ("mary", "default", "ada", "vapi", "percentage")
        await asyncio.gather(*(store.rollout.note(*ada, _NOW) for _ in range(5)))
        await store.rollout.note(*ada, _NOW + _DAY_S)
        await store.rollout.note("mary", "acme", "ada", "vapi", "percentage", _NOW)
        await store.rollout.note("mary", "default", "tess", "greenroom", "tester", _NOW)
        await store.rollout.note("eve", "default", "ada", "greenroom", "tester", _NOW)
        of_mary = [
            Decided("mary", "greenroom", "tester", users=1, times=1),
            Decided("mary", "vapi", "percentage", users=2, times=7),
        ]
        assert await store.rollout.decided(_NOW, "mary") == of_mary
        assert len(await store.rollout.decided(_NOW)) == 3
        later = [Decided("mary", "vapi", "percentage", users=1, times=1)]
        assert await store.rollout.decided(_NOW + _DAY_S) == later

    async def test_an_outcome_counts_once_and_as_it_was_told_last(self, store: Store) -> None:
        assert await store.rollout.add(an_outcome())
        corrected = replace(an_outcome(), failed=True, micro_usd=None)
        assert not await store.rollout.add(corrected)
        assert await store.rollout.add(replace(an_outcome(), tenant="acme"))
        await store.rollout.add(replace(an_outcome(2), at=_NOW - 1))
        found = await store.rollout.outcomes(_NOW, "mary", limit=10)
        assert corrected in found
        assert len(found) == 2
        assert len(await store.rollout.outcomes(0, limit=10)) == 3
        assert len(await store.rollout.outcomes(0, limit=2)) == 2
        assert await store.rollout.outcomes(0, "eve", limit=10) == []

    async def test_our_sessions_come_with_their_first_words(self, store: Store) -> None:
        spoke = NewEvent(EventType.BOT_SPEAKING.value, {"speaking": True})
        first = await create(store, a_session(1), [NewEvent(EventType.SESSION_START.value, {})])
        await store.commit(first, first, [spoke], [], _NOW + 2)
        await store.commit(await store.get(first.id), first, [spoke], [], _NOW + 9)
        silent = replace(a_session(2, "bob"), assistant="quiz", admitted_at=_NOW - 5)
        await create(store, silent)
        await create(store, replace(a_session(3, "eve", Stage.QUEUED), admitted_at=None))
        found = await store.rollout.sessions(0, limit=10)
        assert [(session.id, at) for session, at in found] == [("ses_1", _NOW + 2), ("ses_2", None)]
        assert [s.id for s, _ in await store.rollout.sessions(_NOW, limit=10)] == ["ses_1"]
        assert [s.id for s, _ in await store.rollout.sessions(0, "quiz", limit=10)] == ["ses_2"]

    async def test_whoever_is_erased_is_not_in_it(self, store: Store) -> None:
        ended = a_session(1, stage=Stage.ENDED)
        record = {"name": "cards", "firstMessage": "Hi Ada!"}
        stored = replace(ended, ended_at=_NOW, assistant_version=3, record=record)
        await create(store, stored)
        assert (await store.get("ses_1")).record == record
        await store.rollout.note("cards", "default", "ada", "vapi", "percentage", _NOW)
        await store.rollout.note("cards", "acme", "ada", "vapi", "percentage", _NOW)
        await store.records.erase_user("ada", "default", "gone", _NOW)
        session = await store.get("ses_1")
        assert (session.record, session.assistant_version) == ({}, 3)
        (left,) = await store.rollout.decided(0)
        assert left.users == 1
