"""What every store must do with what is kept of people: a suite for pytest.

Subclass `RecordsContract` and give it a fixture ``store``.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from greenroom.errors import NotFound
from greenroom.ports.effects import GivenContext, NewEffect
from greenroom.ports.records import Erased, StillLive
from greenroom.ports.store import (
    NewEvent,
    StaleWrite,
    Store,
)
from greenroom.session.facts import EffectKind
from greenroom.session.group import GroupCall, Person
from greenroom.session.model import EndReason, Session, Stage
from greenroom.session.prices import Rate, Tariff
from greenroom.session.usage import used
from greenroom.testing.store_contract import a_session, create
from greenroom.wire.webhooks import Endpoint

_NOW = 1_800_000_000.0
_DAY_S = 86_400.0
_ALIAS = "erased-0123"
_DAY = "2027-01-15"
_TARIFF = Tariff({"tts.characters": Rate(Decimal("0.015"), 1000)})


def _said(text: str) -> NewEvent:
    data = {"role": "user", "text": text, "final": True, "turn": 1}
    return NewEvent("voice.transcript", data)


def _came(participant: str, user_id: str) -> NewEvent:
    data = {"participant": participant, "userId": user_id, "first": True, "present": 1}
    return NewEvent("voice.participant.joined", data)


def _went(participant: str, user_id: str) -> NewEvent:
    data = {"participant": participant, "userId": user_id, "present": 0}
    return NewEvent("voice.participant.left", data)


async def ended(
    store: Store, number: int, user_id: str = "ada", at: float = _NOW, tenant: str = "default"
) -> Session:
    """A session in which something was said, and which has ended."""
    made = replace(
        a_session(number, user_id), tenant=tenant, body={"name": user_id}, created_at=at - 60
    )
    events = [NewEvent("voice.session.start", {}), _said(f"I am {user_id}.")]
    begun = await create(store, made, events)
    over = replace(
        begun,
        stage=Stage.ENDED,
        ended_at=at,
        reason=EndReason.KICKED,
        end_note=f"{user_id} was loud.",
    )
    return await store.commit(begun, over, [NewEvent("voice.session.end", {})], [], at)


async def _texts(store: Store, session_id: str) -> list[str]:
    return [event.data["text"] for event in await store.records.transcript(session_id, 100)]


class RecordsContract:
    """The guarantees of `greenroom.ports.records.Records`."""

    async def test_a_transcript_is_what_was_said_in_order(self, store: Store) -> None:
        begun = await create(store, a_session(1), [_said("one"), NewEvent("app.n", {})])
        await store.commit(begun, begun, [_said("two"), _said("three")], [], _NOW)
        assert await _texts(store, "ses_1") == ["one", "two", "three"]
        two = await store.records.transcript("ses_1", 2)
        assert [(event.seq, event.data["text"]) for event in two] == [(1, "one"), (3, "two")]

    async def test_what_was_given_to_know_is_kept_in_order_and_goes_with_the_words(
        self, store: Store
    ) -> None:
        given = [GivenContext("It rains.", by_page=False), GivenContext("Tea.", by_page=True)]
        tells = [NewEffect(EffectKind.TELL_BOT, {"kind": "context"}, one) for one in given]
        begun = await create(store, a_session(1), [], [*tells, NewEffect(EffectKind.END_BOT, {})])
        for effect in await store.effects.of("ses_1"):
            await store.effects.settle(effect.id)
        over = replace(begun, stage=Stage.ENDED, ended_at=_NOW, reason=EndReason.IDLE)
        await store.commit(begun, over, [], [], _NOW)
        found = await store.records.contexts("ses_1")
        assert [(one.text, one.by_page) for one in found] == [("It rains.", False), ("Tea.", True)]
        assert await store.records.contexts("ses_2") == []
        assert await store.records.erase_words(_NOW + 1, _NOW + 1, 10) == 1
        assert await store.records.contexts("ses_1") == []

    async def test_a_users_sessions_come_page_by_page(self, store: Store) -> None:
        for number in (3, 1, 2):
            await ended(store, number)
        await ended(store, 4, "bob")
        await ended(store, 5, tenant="acme")
        of_user = store.records.of_user
        first = await of_user("ada", "default", after=None, limit=2)
        rest = await of_user("ada", "default", after=first[-1].id, limit=2)
        assert [session.id for session in (*first, *rest)] == ["ses_1", "ses_2", "ses_3"]
        assert await of_user("ada", "default", after="ses_3", limit=2) == []

    async def test_an_erased_user_leaves_times_and_sums(self, store: Store) -> None:
        signed = {"url": "https://app.example/in", "secret": f"whsec_{'YWFh' * 8}"}
        store.deliveries.route([Endpoint.model_validate(signed)])
        before = await ended(store, 1)
        assert [one.waiting for one in await store.deliveries.standings()] == [3]
        erased = await store.records.erase_user("ada", "default", _ALIAS, _NOW + 1)
        assert erased == Erased(sessions=1, events=3, notes=0)
        after = await store.get("ses_1")
        assert after == replace(
            before,
            user_id=_ALIAS,
            room="",
            participant=None,
            body={},
            end_note=None,
            version=before.version + 1,
        )
        assert await store.events_after("ses_1", 0, 10) == []
        assert await store.deliveries.standings() == []
        again = await store.records.erase_user("ada", "default", _ALIAS, _NOW + 2)
        assert again == Erased(0, 0, 0)

    async def test_what_an_erased_user_cost_is_added_up_under_the_alias(self, store: Store) -> None:
        """Twice, since who comes back the same day is erased again."""
        for number in (1, 2):
            begun = await create(store, replace(a_session(number), tariff=_TARIFF))
            said = replace(begun, meter=used(begun.meter, "tts", "characters", 1000))
            talked = await store.commit(begun, said, [], [], _NOW)
            over = replace(talked, stage=Stage.ENDED, ended_at=_NOW, reason=EndReason.IDLE)
            await store.commit(talked, over, [], [], _NOW)
            await store.records.erase_user("ada", "default", _ALIAS, _NOW)
            assert await store.spent(_DAY, user_id="ada") == 0
            assert await store.spent(_DAY, user_id=_ALIAS) == number * 15_000
        assert await store.spent(_DAY) == 2 * 15_000

    async def test_nobody_else_is_erased(self, store: Store) -> None:
        others = [await ended(store, 1, "bob"), await ended(store, 2, tenant="acme")]
        await store.records.erase_user("ada", "default", _ALIAS, _NOW)
        for other in others:
            assert await store.get(other.id) == other
            assert len(await store.events_after(other.id, 0, 10)) == 3

    async def test_who_talks_is_not_erased(self, store: Store) -> None:
        await ended(store, 1)
        live = await create(store, a_session(2), [_said("wait")])
        with pytest.raises(StillLive) as refused:
            await store.records.erase_user("ada", "default", _ALIAS, _NOW)
        assert refused.value.session_ids == [live.id]
        assert await _texts(store, "ses_1") == ["I am ada."]

    async def test_whoever_agreed_to_be_recorded_is_found_and_erased_also_in_others_calls(
        self, store: Store
    ) -> None:
        agreed = {"ada": _NOW, "bob": _NOW + 1}
        call = replace(a_session(1, "bob"), group_call=GroupCall(3), consents=agreed, tenant="acme")
        over = replace(
            await create(store, call), stage=Stage.ENDED, ended_at=_NOW, reason=EndReason.IDLE
        )
        known = await store.get("ses_1")
        await store.commit(known, over, [], [], _NOW)
        found = store.records.agreed_elsewhere
        assert await found("ada", "acme") == [("ses_1", _NOW)]
        assert await found("bob", "acme") == [], "it is their own"
        assert await found("ada", "default") == []
        await store.records.erase_user("ada", "acme", _ALIAS, _NOW)
        assert (await store.get("ses_1")).consents == {"bob": _NOW + 1}
        await store.records.erase_user("bob", "acme", "erased-4567", _NOW)
        assert (await store.get("ses_1")).consents == {}

    async def test_others_group_calls_name_an_erased_guest_no_more(self, store: Store) -> None:
        ada, bob = Person("user-a1", "ada", "c1", _NOW), Person("user-b2", "bob", None, _NOW)
        call = GroupCall(4, invited=frozenset({"ada", "eve"}), people=(ada, bob))
        for number, host in ((1, "bob"), (2, "ada")):
            made = replace(a_session(number, host), group_call=call)
            await create(store, made, [_came("user-b2", "bob"), _came("user-a1", "ada")])
        elsewhere = replace(a_session(3, "bob"), group_call=call, tenant="acme")
        await create(store, elsewhere, [_came("user-a1", "ada")])
        await store.put_ticket("of a guest", "ses_1", "ada", _NOW + 30, _NOW)
        with pytest.raises(StillLive) as refused:
            await store.records.erase_user("ada", "default", _ALIAS, _NOW)
        assert refused.value.session_ids == ["ses_1", "ses_2"]

        gone = replace(call, people=(replace(ada, connection=None), bob))
        for id_ in ("ses_1", "ses_2"):
            known = await store.get(id_)
            over = replace(known, group_call=gone, stage=Stage.ENDED, ended_at=_NOW)
            over = replace(over, reason=EndReason.IDLE)
            exclude = NewEffect(EffectKind.EXCLUDE, {"user_id": "ada"})
            await store.commit(known, over, [_went("user-a1", "ada")], [exclude], _NOW)
        await store.records.erase_user("ada", "default", _ALIAS, _NOW)

        renamed = (Person(_ALIAS, _ALIAS, None, _NOW), bob)
        for id_ in ("ses_1", "ses_2"):
            found = (await store.get(id_)).group_call
            assert found == replace(gone, invited=frozenset({_ALIAS, "eve"}), people=renamed)
        told = [event.data for event in await store.events_after("ses_1", 0, 10)]
        assert told == [
            _came("user-b2", "bob").data,
            _came(_ALIAS, _ALIAS).data,
            _went(_ALIAS, _ALIAS).data,
        ]
        assert [one.payload for one in await store.effects.of("ses_1")] == [{"user_id": _ALIAS}]
        assert await store.events_after("ses_2", 0, 10) == []
        assert await store.take_ticket("of a guest", _NOW) is None
        # Another tenant's ada is somebody else.
        assert (await store.get("ses_3")).group_call == call
        [told_elsewhere] = await store.events_after("ses_3", 0, 10)
        assert told_elsewhere.data["userId"] == "ada"

    async def test_nothing_late_brings_a_name_back(self, store: Store) -> None:
        known = await ended(store, 1)
        await store.records.erase_user("ada", "default", _ALIAS, _NOW)
        with pytest.raises(StaleWrite):
            await store.commit(known, known, [_said("late")], [], _NOW)

    async def test_words_are_erased_after_their_time(self, store: Store) -> None:
        old = await ended(store, 1, at=_NOW - 3 * _DAY_S)
        await ended(store, 2, at=_NOW - _DAY_S)
        live = await create(store, a_session(3, "eve"), [_said("still here")])
        erase = store.records.erase_words
        assert await erase(_NOW - 2 * _DAY_S, _NOW, 10) == 1
        assert await erase(_NOW - 2 * _DAY_S, _NOW, 10) == 0
        assert await store.get("ses_1") == replace(old, body={}, end_note=None)
        assert await _texts(store, "ses_1") == []
        assert await _texts(store, "ses_2") == ["I am ada."]
        assert await erase(_NOW + _DAY_S, _NOW, 10) == 1
        assert await _texts(store, live.id) == ["still here"]

    async def test_sessions_are_forgotten_oldest_first(self, store: Store) -> None:
        for number in (1, 2, 3):
            await ended(store, number, at=_NOW + number)
        live = await create(store, a_session(4, "eve"), [_said("still here")])
        forget = store.records.forget
        assert await forget(_NOW + 3, 1) == 1
        assert await forget(_NOW + 3, 10) == 1
        assert await forget(_NOW + 3, 10) == 0
        for gone in ("ses_1", "ses_2"):
            with pytest.raises(NotFound):
                await store.get(gone)
        assert await _texts(store, "ses_3") == ["I am ada."]
        assert await forget(_NOW + 99, 10) == 1
        assert [session.id for session in await store.unended()] == [live.id]
