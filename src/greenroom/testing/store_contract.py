"""What every store must do: a suite for pytest, run on each implementation.

Subclass `StoreContract` and give it a fixture ``store``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from greenroom.errors import NotFound
from greenroom.ports.store import AlreadyLive, NewEffect, NewEvent, StaleWrite, Store
from greenroom.session.facts import EffectKind
from greenroom.session.model import DeadlineKind, EndReason, Limits, PauseCause, Session, Stage

_NOW = 1_800_000_000.0


def a_session(number: int = 1, user_id: str = "ada", stage: Stage = Stage.CONNECTING) -> Session:
    """A session to store; ``number`` makes its ids."""
    return Session(
        id=f"ses_{number}",
        user_id=user_id,
        assistant="cards",
        bot="greenroom.bot.cards",
        room="voice-ada-0123456789ab",
        stage=stage,
        launch_id=f"lau_{number}",
        created_at=_NOW,
        limits=Limits(join_s=30, warning_share=0.5),
    )


def _event(number: int) -> NewEvent:
    return NewEvent("app.number", {"number": number})


class StoreContract:
    """The guarantees of `greenroom.ports.store.Store`, one test each."""

    async def test_a_session_comes_back_as_it_was(self, store: Store) -> None:
        made = replace(
            a_session(),
            muted=True,
            muted_at_ms=1_800_000_000_123,
            pause_causes=frozenset({PauseCause.USER, PauseCause.GROUP_CALL}),
            reason=EndReason.IDLE,
            participant="page-1",
        )
        stored = await store.create(made, [_event(1), _event(2)], [])
        assert await store.get("ses_1") == stored == replace(made, last_seq=2, version=1)
        assert await store.by_launch("lau_1") == stored

    async def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await store.get("ses_none")
        with pytest.raises(NotFound):
            await store.by_launch("lau_none")

    async def test_one_live_session_for_a_user_and_assistant(self, store: Store) -> None:
        first = await store.create(a_session(1), [], [])
        with pytest.raises(AlreadyLive) as caught:
            await store.create(a_session(2), [], [])
        assert caught.value.session_id == "ses_1"
        assert await store.live_of("ada", "cards") == first
        ending = replace(first, stage=Stage.ENDING, ending_at=_NOW)
        await store.commit(first, ending, [], [], _NOW)
        assert await store.live_of("ada", "cards") is None
        await store.create(a_session(3), [], [])

    async def test_of_many_starts_at_once_one_is_admitted(self, store: Store) -> None:
        async def start(number: int) -> bool:
            try:
                await store.create(a_session(number), [_event(1)], [])
            except AlreadyLive:
                return False
            return True

        admitted = await asyncio.gather(*(start(number) for number in range(1, 21)))
        assert sum(admitted) == 1

    async def test_of_two_writers_one_is_stale(self, store: Store) -> None:
        before = await store.create(a_session(), [], [])
        changed = replace(before, muted=True)
        results = await asyncio.gather(
            *(store.commit(before, changed, [_event(n)], [], _NOW) for n in (1, 2)),
            return_exceptions=True,
        )
        assert sorted(isinstance(result, StaleWrite) for result in results) == [False, True]
        assert [e.seq for e in await store.events_after("ses_1", 0, 10)] == [1]

    async def test_numbers_have_no_gap_whoever_writes(self, store: Store) -> None:
        await store.create(a_session(), [_event(0)], [])

        async def write(number: int) -> None:
            while True:
                before = await store.get("ses_1")
                after = replace(before, report_seq=before.report_seq + 1)
                try:
                    await store.commit(before, after, [_event(number)] * 2, [], _NOW)
                except StaleWrite:
                    continue
                return

        await asyncio.gather(*(write(number) for number in range(8)))
        events = await store.events_after("ses_1", 0, 100)
        assert [event.seq for event in events] == list(range(1, 18))
        assert (await store.get("ses_1")).last_seq == 17

    async def test_events_come_in_order_after_a_number(self, store: Store) -> None:
        await store.create(a_session(), [_event(n) for n in range(1, 8)], [])
        events = await store.events_after("ses_1", 3, 2)
        assert [(e.seq, e.data["number"], e.at) for e in events] == [(4, 4, _NOW), (5, 5, _NOW)]
        assert await store.events_after("ses_1", 7, 10) == []

    async def test_deadlines_follow_the_session(self, store: Store) -> None:
        session = await store.create(a_session(), [], [])
        assert await store.next_due_at() == _NOW + 30
        assert await store.due(_NOW + 29, 10) == []
        assert [d.kind for d in await store.due(_NOW + 30, 10)] == [DeadlineKind.JOIN]
        active = replace(session, stage=Stage.ACTIVE, active_at=_NOW, last_activity_at=_NOW)
        active = await store.commit(session, active, [], [], _NOW)
        due = await store.due(_NOW + 10_000, 10)
        assert [(d.kind, d.due_at - _NOW) for d in due] == [
            (DeadlineKind.IDLE, 120),
            (DeadlineKind.WARNING, 300),
            (DeadlineKind.HARD, 600),
        ]
        ended = replace(active, stage=Stage.ENDED, ended_at=_NOW)
        await store.commit(active, ended, [], [], _NOW)
        assert await store.next_due_at() is None

    async def test_effects_wait_until_settled(self, store: Store) -> None:
        launch = NewEffect(EffectKind.LAUNCH_BOT, {"launch_id": "lau_1"})
        room = NewEffect(EffectKind.ENSURE_ROOM, {"room": "r"})
        await store.create(a_session(), [], [room, launch])
        first, second = await store.effects_of("ses_1")
        assert (first.kind, second.kind) == (EffectKind.ENSURE_ROOM, EffectKind.LAUNCH_BOT)
        assert second.payload == {"launch_id": "lau_1"}
        both = {("ses_1", EffectKind.ENSURE_ROOM), ("ses_1", EffectKind.LAUNCH_BOT)}
        assert await store.due_kinds(_NOW) == both
        await store.settle_effect(first.id)
        await store.postpone_effect(second.id, _NOW + 5, "no answer")
        assert await store.due_kinds(_NOW + 4) == set()
        assert await store.due_kinds(_NOW + 5) == {("ses_1", EffectKind.LAUNCH_BOT)}
        (again,) = await store.effects_of("ses_1")
        assert (again.id, again.attempts) == (second.id, 1)
        await store.bury_effect(second.id, "gave up")
        assert await store.due_kinds(_NOW + 5) == set()
        assert await store.effects_of("ses_1") == []

    async def test_a_failed_commit_leaves_nothing(self, store: Store) -> None:
        before = await store.create(a_session(), [], [])
        stale = replace(before, version=99)
        effect = NewEffect(EffectKind.CLOSE_ROOM, {})
        with pytest.raises(StaleWrite):
            await store.commit(stale, stale, [_event(1)], [effect], _NOW)
        assert await store.events_after("ses_1", 0, 10) == []
        assert await store.effects_of("ses_1") == []

    async def test_a_ticket_is_good_once(self, store: Store) -> None:
        await store.create(a_session(), [], [])
        await store.put_ticket("digest", "ses_1", "ada", _NOW + 30)
        taken = await asyncio.gather(*(store.take_ticket("digest", _NOW) for _ in range(5)))
        assert sorted(taken, key=str) == [("ses_1", "ada"), None, None, None, None]

    async def test_an_old_ticket_is_no_good(self, store: Store) -> None:
        await store.create(a_session(), [], [])
        await store.put_ticket("digest", "ses_1", "ada", _NOW + 30)
        assert await store.take_ticket("digest", _NOW + 30) is None

    async def test_unended_are_found(self, store: Store) -> None:
        one = await store.create(a_session(1, "ada"), [], [])
        two = await store.create(a_session(2, "bob"), [], [])
        await store.commit(one, replace(one, stage=Stage.ENDED), [], [], _NOW)
        assert [session.id for session in await store.unended()] == [two.id]
        await store.ping()
