"""Deliveries to a real application on loopback: in order, signed, again, given up in sight."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from greenroom.errors import Unavailable
from greenroom.hub.memory import MemoryHub
from greenroom.outbound.sender import HttpSender
from greenroom.ports.deliveries import Answer, Delivery, DeliveryState
from greenroom.ports.store import NewEvent
from greenroom.service import deliveries as service
from greenroom.service.deliveries import (
    DELIVERIES_TOPIC,
    GIVE_UP_AFTER_S,
    MOST_TRIES,
    SCHEDULE_S,
    Deliverer,
    retry_in_s,
)
from greenroom.service.letters import SignedEvents
from greenroom.service.metrics import Metrics
from greenroom.session.model import Session
from greenroom.store.postgres import PostgresDatabase
from greenroom.store.sql import SqlStore
from greenroom.store.sqlite import SqliteDatabase
from greenroom.testing.clock import FakeClock
from greenroom.testing.store_contract import a_session, create
from greenroom.wire.webhooks import Endpoint
from tests.conftest import House
from tests.listening import OLD_SECRET, SECRET, Receiver, a_receiver, an_endpoint


class Office:
    """A store and what delivers from it; the clock is the test's."""

    def __init__(
        self,
        store: SqlStore,
        endpoints: Sequence[Endpoint],
        within_s: float,
        house: House | None,
    ) -> None:
        # Signatures are looked at by the receiver, whose clock is the real one.
        self.clock = house.clock if house else FakeClock(time.time())
        self.hub = house.parts.hub if house else MemoryHub()
        self.metrics = Metrics()
        self.store = store
        store.deliveries.route(endpoints)
        sender = HttpSender(["127.0.0.1"], within_s=within_s)
        self.deliverer = Deliverer(
            store.deliveries,
            self.hub,
            self.clock,
            sender,
            self.metrics,
            [SignedEvents(endpoint, self.clock) for endpoint in endpoints],
            jitter=lambda: 0.5,
        )
        self._sessions: dict[str, Session] = {}

    async def begin(self, number: int = 1) -> str:
        made = replace(a_session(number, f"user-{number}"), created_at=self.clock.now())
        self._sessions[made.id] = await create(self.store, made, [], [])
        return made.id

    async def happen(self, *types: str, session: str = "ses_1") -> None:
        before = self._sessions[session]
        events = [NewEvent(type_, {"what": type_}) for type_ in types]
        now = self.clock.now()
        self._sessions[session] = await self.store.commit(before, before, events, [], now)
        self.hub.publish(DELIVERIES_TOPIC)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.hub.publish(DELIVERIES_TOPIC)

    def count(self, endpoint: str, outcome: str) -> float:
        value: float = self.metrics.deliveries.labels(endpoint, outcome)._value.get()
        return value

    async def until_counted(self, endpoint: str, outcome: str, number: int) -> None:
        async with asyncio.timeout(20):
            while self.count(endpoint, outcome) < number:
                await asyncio.sleep(0.005)

    async def until_listed(self, *states: DeliveryState) -> list[Delivery]:
        async with asyncio.timeout(20):
            while True:
                found = await self.store.deliveries.listed(state=None, endpoint=None, limit=100)
                if [delivery.state for delivery in found] == list(states):
                    return found
                await asyncio.sleep(0.005)


@asynccontextmanager
async def an_office(
    store: SqlStore, *endpoints: Endpoint, within_s: float = 5.0, house: House | None = None
) -> AsyncIterator[Office]:
    """An office whose deliverer runs while the block lasts."""
    office = Office(store, endpoints, within_s, house)
    running = asyncio.create_task(office.deliverer.run())
    try:
        yield office
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await office.deliverer.close()


def to(app: Receiver, *, name: str = "app", types: Sequence[str] = ("*",)) -> Endpoint:
    return an_endpoint(app.url, name=name, types=types)


@pytest.fixture(params=["sqlite_file", "postgres_url"])
def place(request: pytest.FixtureRequest) -> Path | str:
    found: Path | str = request.getfixturevalue(request.param)
    return found


@asynccontextmanager
async def a_store(place: Path | str) -> AsyncIterator[SqlStore]:
    database = PostgresDatabase(place) if isinstance(place, str) else SqliteDatabase(place)
    store = await database.open()
    yield store
    await store.close()


@pytest.fixture
async def either_store(place: Path | str) -> AsyncIterator[SqlStore]:
    """On both databases, where it may make a difference."""
    async with a_store(place) as store:
        yield store


@pytest.fixture
async def file_store(sqlite_file: Path) -> AsyncIterator[SqlStore]:
    async with a_store(sqlite_file) as store:
        yield store


async def test_each_event_arrives_once_in_order_signed_and_as_on_the_websocket(
    either_store: SqlStore,
) -> None:
    async with a_receiver() as app, an_office(either_store, to(app)) as office:
        session = await office.begin()
        await office.happen("voice.session.start", "app.one")
        await office.happen("voice.transcript")
        taken = await app.until(3)
        assert app.seqs == [1, 2, 3]
        first = taken[0]
        assert first.event == {
            "v": 1,
            "id": f"{session}.1",
            "session": session,
            "seq": 1,
            "time": first.event["time"],
            "type": "voice.session.start",
            "data": {"what": "voice.session.start"},
            "user": "user-1",
        }
        assert first.headers["webhook-id"] == f"{session}_1"
        assert first.headers["content-type"] == "application/json"
        await office.until_listed()
        assert office.count("app", "delivered") == 3


async def test_an_endpoint_gets_only_the_types_that_it_asked_for(file_store: SqlStore) -> None:
    async with a_receiver() as app, a_receiver() as log:
        endpoints = (to(app, types=("app.*",)), to(log, name="log", types=("voice.session.*",)))
        async with an_office(file_store, *endpoints) as office:
            await office.begin()
            await office.happen("voice.session.start", "app.one", "ui.card", "voice.session.end")
            await app.until(1)
            await log.until(2)
            await office.until_listed()
        assert (app.seqs, log.seqs) == ([2], [1, 4])


async def test_while_a_secret_is_changed_both_hold(file_store: SqlStore) -> None:
    async with a_receiver(secret=OLD_SECRET) as app:
        both = an_endpoint(app.url, SECRET, OLD_SECRET)
        async with an_office(file_store, both) as office:
            await office.begin()
            await office.happen("app.one")
            (taken,) = await app.until(1)
        Webhook(SECRET).verify(taken.body, taken.headers)
        assert len(taken.headers["webhook-signature"].split(" ")) == 2


async def test_a_failure_is_tried_again_later_and_nothing_overtakes_it(
    either_store: SqlStore,
) -> None:
    async with a_receiver(answers=[503]) as app, an_office(either_store, to(app)) as office:
        await office.begin()
        await office.happen("app.one", "app.two")
        await office.until_counted("app", "failed", 1)
        await office.happen("app.three")
        first, *_ = await office.until_listed(*[DeliveryState.WAITING] * 3)
        assert (first.attempts, first.error) == (1, "HTTP 503")
        assert first.due_at == pytest.approx(office.clock.now() + SCHEDULE_S[0])
        assert app.seqs == [1]
        office.advance(SCHEDULE_S[0])
        taken = await app.until(4)
        assert app.seqs == [1, 1, 2, 3]
        assert taken[0].headers["webhook-id"] == taken[1].headers["webhook-id"]
        assert taken[0].body == taken[1].body
        assert taken[0].headers["webhook-signature"] != taken[1].headers["webhook-signature"]
        await office.until_listed()


async def test_after_its_last_try_it_is_dead_in_sight_and_the_next_is_delivered(
    either_store: SqlStore,
) -> None:
    async with (
        a_receiver(verify=False, answers=[500] * MOST_TRIES) as app,
        an_office(either_store, to(app)) as office,
    ):
        await office.begin()
        await office.happen("app.poison", "app.fine")
        for tried, wait_s in enumerate(SCHEDULE_S, start=1):
            await office.until_counted("app", "failed", tried)
            await office.until_listed(*[DeliveryState.WAITING] * 2)
            office.advance(wait_s)
        (dead,) = await office.until_listed(DeliveryState.DEAD)
        assert (dead.event.type, dead.attempts, dead.error) == (
            "app.poison",
            MOST_TRIES,
            "HTTP 500",
        )
        assert app.seqs == [1] * MOST_TRIES + [2]
        assert office.count("app", "dead") == 1
        await office.deliverer.measure()
        assert office.metrics.deliveries_dead.labels("app")._value.get() == 1
        # The application is mended, and somebody replays.
        await office.store.deliveries.replay([dead.id], None, office.clock.now())
        office.hub.publish(DELIVERIES_TOPIC)
        taken = await app.until(MOST_TRIES + 2)
        assert taken[-1].headers["webhook-id"] == taken[0].headers["webhook-id"]
        await office.until_listed()


async def test_what_waited_for_a_day_behind_others_is_tried_once(file_store: SqlStore) -> None:
    async with (
        a_receiver(verify=False, always=500) as app,
        an_office(file_store, to(app)) as office,
    ):
        await office.begin()
        await office.happen(*["app.n"] * 20)
        await office.until_counted("app", "failed", 1)
        await office.until_listed(*[DeliveryState.WAITING] * 20)
        office.advance(GIVE_UP_AFTER_S)
        await office.until_listed(*[DeliveryState.DEAD] * 20)
        assert len(app.taken) == 21


async def test_an_endpoint_that_says_it_is_gone_is_not_asked_again(file_store: SqlStore) -> None:
    async with a_receiver(answers=[410]) as app, an_office(file_store, to(app)) as office:
        await office.begin()
        await office.happen("app.one", "app.two")
        await office.until_listed(DeliveryState.DEAD)
        assert app.seqs == [1, 2]


async def test_a_redirect_is_a_failure_and_goes_nowhere(file_store: SqlStore) -> None:
    async with a_receiver(verify=False) as inner, a_receiver(always=302) as app:
        app.headers = {"location": inner.url}
        async with an_office(file_store, to(app)) as office:
            await office.begin()
            await office.happen("app.one")
            await office.until_counted("app", "failed", 1)
            (delivery,) = await office.until_listed(DeliveryState.WAITING)
            assert delivery.error == "HTTP 302; redirects are not followed"
        assert inner.taken == []


async def test_an_answer_that_was_lost_means_the_same_message_again(file_store: SqlStore) -> None:
    async with (
        a_receiver(hold=asyncio.Event()) as app,
        an_office(file_store, to(app), within_s=0.3) as office,
    ):
        await office.begin()
        await office.happen("app.one")
        await office.until_counted("app", "failed", 1)
        assert app.hold is not None
        app.hold.set()
        (delivery,) = await office.until_listed(DeliveryState.WAITING)
        assert delivery.error == "no answer within 0.3 s"
        office.advance(SCHEDULE_S[0])
        first, again = await app.until(2)
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        await office.until_listed()


async def test_a_dead_endpoint_slows_no_other_and_no_call(house: House) -> None:
    """Fifty sessions' events to an application that never answers; another gets its own."""
    store = house.parts.store
    assert isinstance(store, SqlStore)
    async with (
        a_receiver(verify=False, hold=asyncio.Event()) as mute,
        a_receiver(verify=False) as app,
        an_office(store, to(mute, name="mute"), to(app), house=house) as office,
    ):
        for number in range(50):
            await office.begin(number)
            await office.happen("app.one", session=f"ses_{number}")
        await app.until(50)
        await mute.until(service.AT_ONCE)
        session = (await house.sessions.start("ada", None)).session
        taken = await app.until(52)
        assert [t.event["type"] for t in taken if t.event["session"] == session.id] == [
            "voice.session.start",
            "voice.session.status",
        ]
        assert len(mute.taken) == service.AT_ONCE
        assert office.count("mute", "failed") == 0


async def test_sessions_do_not_wait_for_each_other(file_store: SqlStore) -> None:
    """One session's event is refused for long; the others' arrive."""
    async with a_receiver(answers=[503]) as app, an_office(file_store, to(app)) as office:
        for number in range(1, 4):
            await office.begin(number)
        await office.happen("app.one", session="ses_1")
        await office.until_counted("app", "failed", 1)
        for session in ("ses_2", "ses_3"):
            await office.happen("app.one", session=session)
        await office.until_counted("app", "delivered", 2)
        (left,) = await office.until_listed(DeliveryState.WAITING)
        assert left.event.session_id == "ses_1"


async def test_a_restart_between_tries_keeps_their_number_and_their_time(
    place: Path | str,
) -> None:
    async with a_receiver(answers=[503, 503]) as app:
        async with a_store(place) as store, an_office(store, to(app)) as office:
            await office.begin()
            await office.happen("app.one", "app.two")
            await office.until_counted("app", "failed", 1)
            office.advance(SCHEDULE_S[0])
            await office.until_counted("app", "failed", 2)
            await office.until_listed(*[DeliveryState.WAITING] * 2)
            stopped_at = office.clock.now()
        async with a_store(place) as store, an_office(store, to(app)) as office:
            first, _ = await office.until_listed(*[DeliveryState.WAITING] * 2)
            assert first.attempts == 2
            assert first.due_at == pytest.approx(stopped_at + SCHEDULE_S[1], abs=0.01)
            assert len(app.taken) == 2
            office.advance(SCHEDULE_S[1] + 1)
            await app.until(4)
            assert app.seqs == [1, 1, 1, 2]
            await office.until_listed()


async def test_a_server_that_dies_in_the_middle_of_a_try_sends_again(place: Path | str) -> None:
    async with a_receiver(hold=asyncio.Event()) as app:
        async with a_store(place) as store, an_office(store, to(app)) as office:
            await office.begin()
            await office.happen("app.one")
            await app.until(1)
        assert app.hold is not None
        app.hold.set()
        async with a_store(place) as store, an_office(store, to(app)) as office:
            first, again = await app.until(2)
            assert first.headers["webhook-id"] == again.headers["webhook-id"]
            await office.until_listed()


async def test_a_flood_arrives_whole_and_in_order(either_store: SqlStore) -> None:
    """Five hundred events of twenty sessions, to an application that fails now and then."""
    chance = random.Random(7)
    answers = [chance.choice([204, 204, 204, 503]) for _ in range(100)]
    async with (
        a_receiver(verify=False, answers=answers) as app,
        an_office(either_store, to(app)) as office,
    ):
        sessions = [await office.begin(number) for number in range(20)]
        for _ in range(5):
            for session in sessions:
                await office.happen(*["app.n"] * 5, session=session)
        async with asyncio.timeout(60):
            while office.count("app", "delivered") < 500:
                office.advance(0.5)
                await asyncio.sleep(0.01)
        await office.until_listed()
    for session in sessions:
        seqs = [taken.event["seq"] for taken in app.taken if taken.event["session"] == session]
        assert list(dict.fromkeys(seqs)) == list(range(1, 26))
        assert seqs == sorted(seqs)


async def test_what_cannot_be_noted_is_not_sent_without_pause(
    file_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(delivery_id: int) -> None:
        raise Unavailable("The database does not answer.")

    async with a_receiver() as app, an_office(file_store, to(app)) as office:
        await office.begin()
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(service, "AFTER_TROUBLE_S", 0.3)
            patch.setattr(file_store.deliveries, "settle", away)
            await office.happen("app.one")
            await app.until(2)
            assert "store.unavailable" in [log["event"] for log in logs]
            assert len(app.taken) == 2
        await office.until_listed()


async def test_logs_and_metrics_name_the_endpoint_and_nothing_that_was_said(
    file_store: SqlStore,
) -> None:
    async with a_receiver(always=500) as app, an_office(file_store, to(app)) as office:
        await office.begin()
        with capture_logs() as logs:
            await office.happen("voice.transcript")
            await office.until_counted("app", "failed", 1)
            await office.until_listed(DeliveryState.WAITING)
        (failed,) = [log for log in logs if log["event"] == "delivery.failed"]
        told = {key: failed[key] for key in ("endpoint", "session", "seq", "attempt", "error")}
        assert told == {
            "endpoint": "app",
            "session": "ses_1",
            "seq": 1,
            "attempt": 1,
            "error": "HTTP 500",
        }
        assert "what" not in str(logs)
        office.clock.advance(0.25)
        await office.deliverer.measure()
        gauges = office.metrics
        assert gauges.deliveries_waiting.labels("app")._value.get() == 1
        assert gauges.delivery_oldest_seconds.labels("app")._value.get() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("attempts", "answer", "jitter", "wait_s"),
    [
        (0, None, 0.5, 1),
        (0, None, 0.0, 0.8),
        (0, None, 1.0, 1.2),
        (9, None, 0.5, 28_800),
        (0, Answer(503, 90), 0.5, 90),
        (4, Answer(429, 90), 0.5, 600),
        (0, Answer(503, 10_000_000), 0.5, 3_600),
    ],
)
def test_the_next_try_waits(
    attempts: int, answer: Answer | None, jitter: float, wait_s: float
) -> None:
    assert retry_in_s(attempts, answer, jitter) == pytest.approx(wait_s)


async def test_a_call_is_delivered_by_the_server_that_has_it(server: House) -> None:
    """From the API to the application: what a page sees on its socket is what arrives."""
    store = server.parts.store
    assert isinstance(store, SqlStore)
    async with a_receiver(verify=False) as app:
        store.deliveries.route([to(app, types=("voice.session.*",))])
        sender = HttpSender(["127.0.0.1"])
        writers = [SignedEvents(to(app), server.clock)]
        deliverer = Deliverer(
            store.deliveries, server.parts.hub, server.clock, sender, Metrics(), writers
        )
        running = asyncio.create_task(deliverer.run())
        async with httpx.AsyncClient(base_url=server.address, trust_env=False) as client:
            started = await client.post("/api/voice/session", json={})
        assert started.status_code == 201, started.text
        taken = await app.until(1)
        assert taken[0].event["type"] == "voice.session.start"
        assert taken[0].event["session"] == started.json()["session"]["sessionId"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await deliverer.close()
