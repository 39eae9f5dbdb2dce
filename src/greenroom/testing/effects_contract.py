"""What every store must do with effects: a suite for pytest, run on each implementation.

Subclass `EffectsContract` and give it a fixture ``store``, a `greenroom.ports.store.Store`.
"""

from __future__ import annotations

import pytest

from greenroom.ports.effects import AlreadySettled, NewEffect
from greenroom.ports.store import Store
from greenroom.session.facts import EffectKind
from greenroom.testing.store_contract import NOW, a_session, an_event, create


class EffectsContract:
    """The guarantees of `greenroom.ports.effects.EffectStore`, one test each."""

    async def test_effects_wait_until_settled(self, store: Store) -> None:
        launch = NewEffect(EffectKind.LAUNCH_BOT, {"launch_id": "lau_1"})
        room = NewEffect(EffectKind.ENSURE_ROOM, {"room": "r"})
        await create(store, a_session(), [], [room, launch])
        first, second = await store.effects.of("ses_1")
        assert (first.kind, second.kind) == (EffectKind.ENSURE_ROOM, EffectKind.LAUNCH_BOT)
        assert second.payload == {"launch_id": "lau_1"}
        both = {("ses_1", EffectKind.ENSURE_ROOM), ("ses_1", EffectKind.LAUNCH_BOT)}
        assert await store.effects.due_kinds(NOW) == both
        world = [EffectKind.ENSURE_ROOM, EffectKind.LAUNCH_BOT]
        following = await store.effects.next("ses_1", world, settled=first.id)
        assert following is not None
        assert following[0] == second
        assert await store.effects.next("ses_1", [EffectKind.ENSURE_ROOM]) is None
        await store.effects.postpone(second.id, NOW + 5, "no answer")
        assert await store.effects.due_kinds(NOW + 4) == set()
        assert await store.effects.due_kinds(NOW + 5) == {("ses_1", EffectKind.LAUNCH_BOT)}
        (again,) = await store.effects.of("ses_1")
        assert (again.id, again.attempts) == (second.id, 1)
        await store.effects.bury(second.id, "gave up")
        assert await store.effects.due_kinds(NOW + 5) == set()
        assert await store.effects.of("ses_1") == []

    async def test_effects_of_one_kind_are_found_whosever_they_are(self, store: Store) -> None:
        calls = [NewEffect(EffectKind.RUN_TOOL, {"asked_at": NOW, "call": {}}) for _ in range(2)]
        await create(store, a_session(), [], [NewEffect(EffectKind.ENSURE_ROOM, {}), *calls])
        await create(store, a_session(2, "bob"), [], calls[:1])
        assert await store.effects.due(EffectKind.RUN_TOOL, NOW - 1) == []
        first, second, of_bob = await store.effects.due(EffectKind.RUN_TOOL, NOW)
        whose = [effect.session_id for effect in (first, second, of_bob)]
        assert whose == ["ses_1", "ses_1", "ses_2"]
        await store.effects.settle(first.id)
        await store.effects.postpone(second.id, NOW + 5, "away")
        assert await store.effects.due(EffectKind.RUN_TOOL, NOW) == [of_bob]
        await store.effects.bury(of_bob.id, "gave up")
        (left,) = await store.effects.due(EffectKind.RUN_TOOL, NOW + 5)
        assert left.id == second.id

    async def test_a_change_settles_what_it_came_of_and_only_once(self, store: Store) -> None:
        call = NewEffect(EffectKind.RUN_TOOL, {"asked_at": NOW, "call": {}})
        tell = NewEffect(EffectKind.TELL_BOT, {"command": "c1"})
        before = await create(store, a_session(), [], [call])
        (asked,) = await store.effects.due(EffectKind.RUN_TOOL, NOW)
        await store.effects.postpone(asked.id, NOW + 5, "away")  # tried once more, it is the same
        after = await store.commit(before, before, [an_event(1)], [tell], NOW, asked)
        (told,) = await store.effects.of("ses_1")
        assert told.payload == {"command": "c1"}
        with pytest.raises(AlreadySettled):
            await store.commit(after, after, [an_event(2)], [tell], NOW, asked)
        assert await store.effects.of("ses_1") == [told]
        assert await store.last_seqs(["ses_1"]) == {"ses_1": 1}

    async def test_the_oldest_effect_of_a_kind_is_next(self, store: Store) -> None:
        tells = [NewEffect(EffectKind.TELL_BOT, {"number": n}) for n in (1, 2)]
        end = NewEffect(EffectKind.END_BOT, {"launch_id": "lau_1"})
        await create(store, a_session(), [], [*tells, end])
        first = await store.effects.next("ses_1", [EffectKind.TELL_BOT])
        assert first is not None
        assert (first[0].payload, first[1].id) == ({"number": 1}, "ses_1")
        world = await store.effects.next("ses_1", [EffectKind.LAUNCH_BOT, EffectKind.END_BOT])
        assert world is not None
        assert world[0].kind is EffectKind.END_BOT
        await store.effects.bury(first[0].id, "gave up")
        second = await store.effects.next("ses_1", [EffectKind.TELL_BOT])
        assert second is not None
        assert second[0].payload == {"number": 2}
        assert await store.effects.next("ses_2", [EffectKind.TELL_BOT]) is None

    async def test_an_id_is_one_effects_for_ever(self, store: Store) -> None:
        tell = NewEffect(EffectKind.TELL_BOT, {"command": "c1"})
        session = await create(store, a_session(), [], [tell])
        (first,) = await store.effects.of("ses_1")
        await store.effects.settle(first.id)
        await store.commit(session, session, [], [tell], NOW)
        await store.effects.settle(first.id)  # whoever comes second strikes off no other
        (second,) = await store.effects.of("ses_1")
        assert second.id != first.id
