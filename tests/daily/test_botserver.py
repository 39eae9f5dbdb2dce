"""``/api/bot`` as the migration plan's page uses it: the room first, then the bot called to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from greenroom import assembly
from greenroom.api.app import build_app
from greenroom.service.sessions import Assistant
from greenroom.session.model import EndReason, Limits, Session, Stage
from greenroom.session.policy import Quotas
from greenroom.testing.daily import DailyStandIn
from greenroom.wire.keys import Scope
from tests.conftest import House
from tests.daily.conftest import WEBHOOK_SECRET
from tests.daily.test_own_rooms import opened
from tests.daily.test_sessions import bot_in

JOIN, LEAVE = "/api/bot/join", "/api/bot/leave"


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    """Somebody may wait for a vanished user for up to ten minutes, and start three times a day."""
    usual = Limits()
    cards = Assistant("cards", "bot.py", "Cards", usual, replace(usual, persistence_s=600.0))
    quiz = Assistant("quiz", "bot.py", "Quiz", usual)
    quotas = Quotas(user_live=1, user_day=3, user_cooldown_s=None)
    secret = WEBHOOK_SECRET
    return replace(plan, daily_webhook_secret=secret, assistants=[cards, quiz], quotas=quotas)


@pytest.fixture
async def ada(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A user who is signed in."""
    async with _client(house, house.parts.identity.token_for("ada", 3_600)) as client:
        yield client


def _client(house: House, token: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(build_app(house.parts), client=("127.0.0.1", 1))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


async def a_key(house: House, *scopes: Scope) -> str:
    """The key of an application's server."""
    body = {"name": "web", "scopes": [scope.value for scope in scopes]}
    async with _client(house, house.parts.identity.operator_token("ops", 60)) as operator:
        made: dict[str, str] = (await operator.post("/api/operator/keys", json=body)).json()
    return made["key"]


async def joined(web: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await web.post(JOIN, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def refused(web: httpx.AsyncClient, path: str = JOIN, **body: Any) -> tuple[int, str]:
    answer = await web.post(path, json=body)
    return answer.status_code, answer.json()["code"]


async def session_of(house: House, told: dict[str, Any]) -> Session:
    return await house.session(told["sessionId"])


async def test_a_call_is_an_ordinary_start_and_answers_by_the_plans_names(
    house: House, ada: httpx.AsyncClient
) -> None:
    room = await opened(ada)
    told = await joined(
        ada,
        room_url=room["roomUrl"],
        personalityId="pearl",
        persona="Pearl",
        tenantId="default",
        voice="aria",
        voiceParameters={"speed": 1.1},
        voiceOnly=True,
        sessionPersistence=450,
        token=room["token"],
        sessionUserId="ada",
        detailsNobodyKnows=True,
    )
    assert told == {
        "pid": 1,
        "room_url": room["roomUrl"],
        "roomName": room["roomName"],
        "personalityId": "pearl",
        "persona": "Pearl",
        "voice": "aria",
        "voiceOnly": True,
        "reused": False,
        "sessionId": told["sessionId"],
        "assistant": "cards",
        "sessionPersistence": 450.0,
        "status": "connecting",
    }
    session = await session_of(house, told)
    assert session.limits == replace(Limits(), persistence_s=450.0, queue_s=0.0)
    assert session.body == {
        "personalityId": "pearl",
        "persona": "Pearl",
        "voice": "aria",
        "voiceParameters": {"speed": 1.1},
        "voiceOnly": True,
        "sessionUserId": "ada",
        "tenantId": "default",
    }


async def test_a_second_call_finds_the_running_session_as_it_was_begun(
    house: House, ada: httpx.AsyncClient
) -> None:
    first = await joined(ada, personalityId="pearl", sessionPersistence=450)
    again = await joined(ada, personalityId="other", sessionPersistence=10)
    assert again == {**first, "reused": True}
    assert len(house.launcher.orders) == 1


async def test_the_same_limits_hold_as_for_any_start(ada: httpx.AsyncClient) -> None:
    above = await ada.post(JOIN, json={"sessionPersistence": 601})
    assert (above.status_code, above.json()["code"]) == (400, "bad_request")
    assert above.json()["facts"] == {"field": "limits.persistenceS", "most": 600.0}
    await joined(ada)
    assert await refused(ada, assistant="quiz") == (429, "limit_user_live")


@pytest.mark.usefixtures("webhook")
async def test_a_page_that_was_there_before_its_bot_is_seen(
    house: House, daily: DailyStandIn, ada: httpx.AsyncClient
) -> None:
    """Its joining was told while there was no session yet; nobody tells it again."""
    room = await opened(ada)
    gone = daily.join(room["roomName"], room["token"])
    daily.leave(gone)
    page = daily.join(room["roomName"], room["token"])
    await daily.webhooks.deliver(order=lambda due: due[::-1])
    told = await joined(ada, room_url=room["roomUrl"])
    await bot_in(house, daily, told["sessionId"])
    await daily.webhooks.deliver()
    session = await session_of(house, told)
    assert (session.stage, session.participant) == (Stage.ACTIVE, page.id)
    assert page.present  # nobody disturbed them


async def test_a_bot_is_sent_away_and_there_is_none_any_more(
    house: House, ada: httpx.AsyncClient
) -> None:
    told = await joined(ada)
    left = (await ada.post(LEAVE, json={"room_url": told["room_url"]})).json()
    assert left == {"success": True, "sessionId": told["sessionId"]}
    assert (await session_of(house, told)).reason is EndReason.USER
    again = (await ada.post(LEAVE, json={"room_url": told["room_url"]})).json()
    assert again == {"success": True, "sessionId": None}


async def test_no_bot_comes_to_a_room_elsewhere_or_of_somebody_else(
    house: House, ada: httpx.AsyncClient
) -> None:
    """FAILURES 25. No key opens one either."""
    async with _client(house, house.parts.identity.token_for("bob", 60)) as bob:
        theirs = await opened(bob)
    mine = await opened(ada)
    elsewhere = mine["roomUrl"].replace("stand-in", "evil")
    for url in (theirs["roomUrl"], theirs["roomName"], elsewhere, "https://x/y", "nonsense"):
        assert await refused(ada, room_url=url) == (403, "foreign_room")
        assert await refused(ada, LEAVE, room_url=url) == (403, "foreign_room")
    async with _client(house, await a_key(house, Scope.START, Scope.OPERATE)) as server:
        for url in (theirs["roomUrl"], elsewhere):
            told = {"room_url": url, "sessionUserId": "ada"}
            assert await refused(server, **told) == (403, "foreign_room")
    wrong = {"room_url": mine["roomUrl"], "assistant": "quiz"}
    assert await refused(ada, **wrong) == (403, "foreign_room")
    assert house.launcher.orders == {}


async def test_nobody_becomes_another_by_saying_so(house: House, ada: httpx.AsyncClient) -> None:
    assert await refused(ada, sessionUserId="bob") == (403, "forbidden")
    assert await refused(ada, tenantId="acme") == (403, "forbidden")
    async with _client(house, await a_key(house, Scope.START, Scope.END)) as server:
        assert await refused(server) == (400, "bad_request")  # it names no user
        server.headers["X-Greenroom-User"] = "bob"
        assert await refused(server, sessionUserId="ada") == (400, "bad_request")
        del server.headers["X-Greenroom-User"]
        told = await joined(server, sessionUserId="ada", tenantId="acme")
        session = await session_of(house, told)
        assert (session.user_id, session.tenant) == ("ada", "acme")
        await server.post(LEAVE, json={"sessionUserId": "ada", "tenantId": "acme"})
    assert (await session_of(house, told)).reason is EndReason.USER
    async with _client(house, await a_key(house, Scope.READ)) as reader:
        assert await refused(reader, sessionUserId="ada") == (403, "forbidden")


async def test_an_operator_calls_a_bot_to_whoevers_room_and_is_on_record(
    house: House, ada: httpx.AsyncClient
) -> None:
    room = await opened(ada)
    async with _client(house, house.parts.identity.operator_token("ops", 60)) as operator:
        told = await joined(operator, room_url=room["roomUrl"])
        assert (await session_of(house, told)).user_id == "ada"
        unsaid = await refused(operator, room_url="voice-ada-000000000000")
        assert unsaid == (403, "foreign_room")
        assert await refused(operator) == (403, "foreign_room")
        named = {"sessionUserId": "ada/with a slash", "assistant": "quiz"}
        assert (await session_of(house, await joined(operator, **named))).user_id == named[
            "sessionUserId"
        ]
    lines = await house.parts.store.audit.listed(limit=5, act="session.start")
    assert [(line.actor.name, line.target, line.detail["user"]) for line in lines[-1:]] == [
        ("ops", told["sessionId"], "ada")
    ]


async def test_a_group_call_has_its_bot_and_its_host_may_send_it_away(
    house: House, ada: httpx.AsyncClient
) -> None:
    call = (await ada.post("/api/voice/session", json={"group": {}})).json()["session"]
    told = await joined(ada, room_url=call["room"]["url"])
    assert (told["sessionId"], told["reused"]) == (call["sessionId"], True)
    assert (told["roomName"], told["voiceOnly"]) == (call["room"]["name"], False)
    async with _client(house, house.parts.identity.token_for("bob", 60)) as bob:
        for path in (JOIN, LEAVE):
            assert await refused(bob, path, room_url=told["room_url"]) == (403, "foreign_room")
    async with _client(house, house.parts.identity.operator_token("ops", 60)) as operator:
        left = (await operator.post(LEAVE, json={"room_url": told["room_url"]})).json()
    assert left == {"success": True, "sessionId": call["sessionId"]}


async def test_a_bot_elsewhere_has_no_process_here(house: House, ada: httpx.AsyncClient) -> None:
    house.launcher.starts_cold = True
    assert (await joined(ada))["pid"] is None
