"""Limits at the door, and the waiting room behind it, over real HTTP and a real WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from greenroom.session.model import Stage
from greenroom.session.policy import Load, Quotas
from greenroom.wire.link import ReportKind
from tests.api.fakebot import FakeBot
from tests.api.test_events import subscribed
from tests.conftest import House

OFFER = {"id": "offer-0001", "participant": "page-0001", "sdp": "v=0 offer"}
START = "/api/voice/session"


@pytest.fixture
def quotas() -> Quotas:
    """The guide's, but for two places at once and as many in the waiting room."""
    return Quotas(live=2, queue=2)


def user(house: House, name: str, tenant: str | None = None) -> httpx.AsyncClient:
    """A page of a user whom the application has given a token."""
    token = house.parts.identity.token_for(name, 60, tenant)
    return house.client(authorization=f"Bearer {token}")


async def start(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(START, json=body)
    assert response.status_code in (200, 201), response.text
    session: dict[str, Any] = response.json()["session"]
    return session


async def over(house: House, session_id: str) -> None:
    """Stop it, and let its bot go."""
    launch_id = (await house.session(session_id)).launch_id
    await house.until_true(lambda: launch_id in house.launcher.orders)
    await house.sessions.stop(session_id, None)
    await house.launcher.exit(launch_id)
    await house.until(lambda s: s.stage is Stage.ENDED, session_id)


def refused(response: httpx.Response, code: str, **facts: Any) -> int:
    """It was refused so; in how many seconds to come back."""
    body = response.json()
    assert (response.status_code, body["code"], body["retryable"]) == (429, code, True)
    assert body["facts"] == facts
    assert body["message"] == body["detail"]
    assert body["message"].endswith((".", "UTC."))
    return int(response.headers["retry-after"])


async def test_two_starts_at_the_same_moment_are_one_session_and_count_once(
    server: House,
) -> None:
    """FAILURES 1: two starts for the same user at the same moment."""
    async with user(server, "ada") as ada:
        answers = await asyncio.gather(*(ada.post(START, json={}) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
        assert len({answer.json()["session"]["sessionId"] for answer in answers}) == 1
        await server.until_true(lambda: bool(server.launcher.orders))
        assert len(server.launcher.orders) == 1


async def test_a_start_repeated_while_the_bot_is_cold_meets_no_limit(server: House) -> None:
    """FAILURES 2: no second bot is launched, and nobody is told to wait for the first."""
    async with user(server, "ada") as ada:
        first = await start(ada)
        server.clock.advance(5)
        assert (await start(ada))["sessionId"] == first["sessionId"]
        assert len(await server.parts.store.unended()) == 1


async def test_when_every_place_is_taken_the_next_is_refused(server: House) -> None:
    """FAILURES 24: ten thousand forgotten tabs; here the third."""
    async with user(server, "ada") as ada, user(server, "bob") as bob, user(server, "eve") as eve:
        await start(ada)
        taken = await start(bob)
        after_s = refused(
            await eve.post(START, json={}), "limit_live", limit="live", value=2, allowed=2
        )
        assert after_s == 7  # 5 s, and half of the 2.5 s over which pages are spread
        await over(server, taken["sessionId"])
        await start(eve)
        metrics = (await eve.get("/metrics")).text
        assert 'greenroom_sessions_refused_total{code="limit_live"} 1.0' in metrics


async def test_between_two_sessions_of_a_user_there_is_a_pause(server: House) -> None:
    async with user(server, "ada") as ada:
        await over(server, (await start(ada))["sessionId"])
        server.clock.advance(10)
        after_s = refused(
            await ada.post(START, json={}),
            "limit_user_cooldown",
            limit="user_cooldown",
            value=10,
            allowed=30,
        )
        assert after_s == 25  # the 20 s that are left, and half of the 10 s of spreading
        server.clock.advance(after_s)
        await start(ada)


async def test_ten_starts_a_day_and_a_new_day(server: House) -> None:
    async with user(server, "ada") as ada:
        for _ in range(10):
            await over(server, (await start(ada))["sessionId"])
            server.clock.advance(31)
        refusal = await ada.post(START, json={"wait": True})
        refused(refusal, "limit_user_day", limit="user_day", value=10, allowed=10)
        server.clock.advance(86_400)
        await start(ada)


async def test_a_failed_launch_counts_for_nothing(server: House) -> None:
    async with user(server, "ada") as ada:
        for _ in range(12):
            session = await server.session((await start(ada))["sessionId"])
            await server.until_true(
                lambda launch=session.launch_id: launch in server.launcher.orders  # type: ignore[misc]
            )
            await server.launcher.exit(session.launch_id, exit_code=1)
            await server.until(lambda s: s.stage is Stage.ENDED, session.id)


async def test_a_visitor_of_ones_own_machine_starts_again_at_once(server: House) -> None:
    async with server.client() as guest:
        for _ in range(12):
            await over(server, (await start(guest))["sessionId"])


async def test_a_user_talks_with_one_assistant_at_a_time(server: House) -> None:
    async with user(server, "ada") as ada:
        await start(ada)
        other = await ada.post(START, json={"assistant": "quiz"})
        refused(other, "limit_user_live", limit="user_live", value=1, allowed=1)


async def test_a_full_machine_is_said_with_its_load(server: House) -> None:
    server.capacity.measured = Load(cores=2, busy_cores=1.6, free_bytes=1 << 34)
    async with user(server, "ada") as ada, user(server, "bob") as bob:
        await start(ada)
        refused(
            await bob.post(START, json={}),
            "machine_full",
            limit="machine",
            resource="cpu",
            value=0.9,  # the call that has only just begun included
            allowed=0.85,
        )
        assert (await start(bob, wait=True))["status"] == "queued"
        server.clock.advance(11)
        server.capacity.measured = Load(cores=2, busy_cores=0.4, free_bytes=1 << 34)
        await server.whole.waiting_room.look()
        assert len(await server.parts.store.waiting()) == 0


@pytest.mark.parametrize(
    ("limits", "field", "says"),
    [
        ('{"maxDurationS": 601}', "limits.maxDurationS", "at most 600"),
        ('{"idleS": 0}', "limits.idleS", "above 0"),
        ('{"pauseS": -1}', "limits.pauseS", "above 0"),
        ('{"persistenceS": -1}', "limits.persistenceS", "not below 0"),
        ('{"joinS": NaN}', "limits.joinS", "a number of seconds"),
        ('{"queueS": Infinity}', "limits.queueS", "a number of seconds"),
        ('{"idleS": "soon"}', "limits.idleS", "number"),
    ],
)
async def test_a_wish_beyond_measure_is_refused_by_its_name(
    server: House, limits: str, field: str, says: str
) -> None:
    async with server.client(**{"content-type": "application/json"}) as client:
        answer = await client.post(START, content=f'{{"limits": {limits}}}')
        body = answer.json()
        assert (answer.status_code, body["code"]) == (400, "bad_request")
        assert body["facts"]["field"] == field
        assert says in body["message"]
        assert await server.parts.store.unended() == []


async def test_a_start_may_ask_for_less(server: House) -> None:
    async with server.client() as client:
        wishes = {"maxDurationS": 60, "persistenceS": 0, "idleS": 20}
        session = await server.session((await start(client, limits=wishes))["sessionId"])
        limits = session.limits
        assert (limits.max_duration_s, limits.persistence_s, limits.idle_s) == (60, 0, 20)
        assert (limits.join_s, limits.pause_s) == (30, 600)


# ---- the waiting room


async def two_calls(house: House) -> list[str]:
    """Every place is taken; the sessions' ids."""
    ids = []
    for name in ("ada", "bob"):
        async with user(house, name) as client:
            ids.append((await start(client))["sessionId"])
    return ids


async def until_event(page: ClientConnection, kind: str) -> dict[str, Any]:
    """The data of the next event of this type; those before it are passed over."""
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await page.recv())
            if message["type"] == "event" and message["event"]["type"] == kind:
                data: dict[str, Any] = message["event"]["data"]
                return data


async def until_status(page: ClientConnection, status: str) -> None:
    """Until the page is told that the session is in this status."""
    while (await until_event(page, "voice.session.status"))["status"] != status:
        pass


async def test_a_place_in_the_queue_from_the_click_to_the_voice(server: House) -> None:
    """The position comes as events; when the turn comes, the page offers and is answered."""
    ada, bob = await two_calls(server)
    async with user(server, "eve") as eve, user(server, "zoe") as zoe:
        first = await eve.post(START, json={"wait": True, "offer": OFFER})
        assert first.status_code == 201
        assert "answer" not in first.json() or first.json()["answer"] is None
        waiting = first.json()["session"]
        assert (waiting["status"], waiting["stage"]) == ("queued", "queued")
        assert waiting["queuePosition"] == 1
        second = await start(zoe, wait=True)
        assert second["queuePosition"] == 2

        eves = await subscribed(server, waiting["sessionId"])
        zoes = await subscribed(server, second["sessionId"])
        assert await until_event(eves, "voice.session.queued") == {"position": 1, "endsInS": 300}
        assert await until_event(zoes, "voice.session.queued") == {"position": 2, "endsInS": 300}
        early = await eve.post(f"{START}/{waiting['sessionId']}/offer", json=OFFER)
        assert (early.status_code, early.json()["code"]) == (409, "still_queued")

        server.clock.advance(60)
        await over(server, ada)
        assert (await until_event(eves, "voice.session.start"))["assistant"] == "cards"
        await until_status(eves, "connecting")
        assert await until_event(zoes, "voice.session.queued") == {"position": 1, "endsInS": 240}

        connecting = asyncio.create_task(
            eve.post(f"{START}/{waiting['sessionId']}/offer", json=OFFER)
        )
        launch_id = (await server.session(waiting["sessionId"])).launch_id
        await server.until_true(lambda: launch_id in server.launcher.orders)
        bot = await FakeBot.join(server, server.launcher.orders[launch_id])
        await bot.answer_offer()
        assert (await connecting).json()["sdp"] == "v=0 answer"
        await bot.report(ReportKind.BOT_JOINED)
        await bot.report(ReportKind.USER_JOINED, participant="page-0001")
        await until_status(eves, "active")
        await over(server, bob)
        await until_status(zoes, "connecting")
        for closing in (eves, zoes, bot):
            await closing.close()


async def test_the_waiting_room_has_an_end(server: House) -> None:
    await two_calls(server)
    for name in ("eve", "zoe"):
        async with user(server, name) as client:
            await start(client, wait=True)
    async with user(server, "kim") as kim:
        refusal = await kim.post(START, json={"wait": True})
        refused(refusal, "limit_queue", limit="queue", value=2, allowed=2)


async def test_leaving_the_queue_counts_for_nothing_and_lets_the_others_move_up(
    server: House,
) -> None:
    await two_calls(server)
    async with user(server, "eve") as eve, user(server, "zoe") as zoe:
        for _ in range(12):
            leaving = await start(eve, wait=True)
            path = f"{START}/{leaving['sessionId']}"
            first, second = [(await eve.delete(path)).json() for _ in range(2)]
            assert first["status"] == second["status"] == "inactive"
            assert first["reason"] == "user"
        leaving = await start(eve, wait=True)
        staying = await start(zoe, wait=True)
        page = await subscribed(server, staying["sessionId"])
        assert (await until_event(page, "voice.session.queued"))["position"] == 2
        await eve.delete(f"{START}/{leaving['sessionId']}")
        assert (await until_event(page, "voice.session.queued"))["position"] == 1
        await page.close()
        assert len(server.launcher.orders) == 2
        assert server.launcher.ended == []


async def test_nobody_waits_for_ever(server: House) -> None:
    await two_calls(server)
    async with user(server, "eve") as eve:
        waiting = await start(eve, wait=True, limits={"queueS": 100})
        page = await subscribed(server, waiting["sessionId"])
        server.clock.advance(101)
        await server.timekeeper.tick()
        end = await until_event(page, "voice.session.end")
        assert (end["reason"], end["durationS"]) == ("queue_timeout", 0)
        await page.close()


async def test_a_second_start_finds_the_place_in_the_queue(server: House) -> None:
    await two_calls(server)
    async with user(server, "eve") as eve:
        first = await start(eve, wait=True)
        again = await eve.post(START, json={"offer": OFFER})
        assert (again.status_code, again.json()["reused"]) == (200, True)
        assert again.json()["session"]["sessionId"] == first["sessionId"]
        current = (await eve.get(f"{START}/current")).json()
        assert (current["status"], current["queuePosition"]) == ("queued", 1)


async def test_a_server_that_drains_lets_nobody_in(server: House) -> None:
    ada, _ = await two_calls(server)
    async with user(server, "eve") as eve:
        waiting = await start(eve, wait=True)
        server.sessions.refuse_new()
        await over(server, ada)
        await server.whole.waiting_room.look()
        assert (await server.session(waiting["sessionId"])).stage is Stage.QUEUED


async def test_a_microphone_switched_off_while_waiting_is_off_from_the_start(
    server: House,
) -> None:
    ada, _ = await two_calls(server)
    async with user(server, "eve") as eve:
        waiting = await start(eve, wait=True)
        mute = {"sessionId": waiting["sessionId"], "isMuted": True, "timestamp": 1}
        assert (await eve.post("/api/voice/mute", json=mute)).json()["muted"] is True
        await over(server, ada)
        session = await server.until(lambda s: s.stage is Stage.CONNECTING, waiting["sessionId"])
        assert session.muted
