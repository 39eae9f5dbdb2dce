"""Pipecat Cloud's wire against the whole server: keys, codes, lists, and a bot by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from greenroom.ports.audit import Act
from greenroom.ports.launcher import ExitCause
from greenroom.session.model import EndReason, Stage
from greenroom.session.policy import UNLIMITED, Quotas
from greenroom.wire.cloud import END_STATES, deployment_id
from greenroom.wire.keys import Scope
from greenroom.wire.link import ReportKind
from tests.api.fakebot import FakeBot
from tests.api.test_audit import lines
from tests.api.test_keys import make, page_of
from tests.api.test_operators import operator
from tests.api.test_voice import the_order
from tests.conftest import House

OFFER = {"sdp": "v=0 offer", "type": "offer"}
Json = dict[str, Any]


@pytest.fixture
def quotas() -> Quotas:
    return replace(UNLIMITED, user_live=1, live=2, queue=0)


async def with_key(house: House, *scopes: Scope, **more: Any) -> httpx.AsyncClient:
    """A server that shows a key and names no user, as Pipecat Cloud's clients do."""
    return house.client(authorization=f"Bearer {(await make(house, *scopes, **more))['key']}")


async def public(house: House, **more: Any) -> httpx.AsyncClient:
    return await with_key(house, Scope.START, **more)


async def private(house: House, **more: Any) -> httpx.AsyncClient:
    return await with_key(house, Scope.READ, Scope.END, **more)


async def started(client: httpx.AsyncClient, agent: str = "cards", **asked: Any) -> str:
    answer = await client.post(f"/v1/public/{agent}/start", json=asked)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) <= {"sessionId", "iceConfig"}
    return str(answer.json()["sessionId"])


async def gone(house: House, session_id: str, exit_code: int) -> None:
    """The agent of a session is no more, and that is on record."""
    launch_id = (await house.session(session_id)).launch_id
    await house.until_true(lambda: launch_id in house.launcher.orders)
    await house.launcher.exit(launch_id, ExitCause.EXITED, exit_code)
    await house.until(lambda s: s.stage is Stage.ENDED, session_id)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status and code as Pipecat Cloud's clients read them, and the code that is ours."""
    body = answer.json()
    assert body["error"] == body["detail"] != ""
    return answer.status_code, body["code"], body["reason"]


async def test_a_key_starts_and_connects_a_session_of_somebody_new(server: House) -> None:
    async with await public(server) as client:
        session_id = await started(client, createDailyRoom=False, body={"name": "Ada"}, more=1)
        order = await the_order(server)
        bot = await FakeBot.dial(server, order.launch_id)
        assert (await bot.hello()).session.body == {"name": "Ada"}
        path = f"/v1/public/cards/sessions/{session_id}/api/offer"
        asking = asyncio.create_task(client.post(path, json=OFFER))
        offer = await bot.answer_offer()
        answer = (await asking).json()
        assert answer["sdp"] == "v=0 answer"
        await bot.report(ReportKind.BOT_JOINED)
        await bot.report(ReportKind.USER_JOINED, participant=offer.participant)
        assert (await server.session(session_id)).stage is Stage.ACTIVE
        trickled = {"pc_id": answer["pc_id"], "candidates": [{"candidate": "candidate:1"}]}
        assert (await client.patch(path, json=trickled)).json() == {"status": "success"}
        other = await started(client)
        assert other != session_id, "whom nobody names is somebody new"
        await bot.close()


async def test_a_named_user_finds_the_running_session_and_a_token_is_as_good(
    server: House,
) -> None:
    async with await public(server) as client:
        named = {"x-greenroom-user": "ada"}
        first = await client.post("/v1/public/cards/start", json={}, headers=named)
        async with page_of(server, "ada") as ada:
            assert await started(ada) == first.json()["sessionId"]
    await the_order(server)
    assert len(server.launcher.orders) == 1


async def test_who_may_not_start_is_told_in_pipecat_clouds_words(server: House) -> None:
    path = "/v1/public/cards/start"
    async with server.client() as nobody, await private(server) as wrong:
        assert refusal(await nobody.post(path, json={})) == (401, "PCC-1002", "no_public_key")
        assert refusal(await wrong.post(path, json={})) == (403, "403", "forbidden")
        bad = {"authorization": "Bearer gr_" + "x" * 43}
        assert refusal(await nobody.post(path, headers=bad)) == (401, "401", "unauthorized")
    made = await make(server, Scope.START)
    async with server.client(authorization=f"Bearer {made['key']}") as revoked:
        async with operator(server) as ops:
            await ops.delete(f"/api/operator/keys/{made['line']['id']}")
        assert refusal(await revoked.post(path, json={})) == (401, "401", "unauthorized")
    assert not server.launcher.orders


async def test_bad_starts_are_refused_in_the_same_shape(server: House) -> None:
    async with await public(server) as client:
        path = "/v1/public/cards/start"
        unknown = await client.post("/v1/public/nobody/start", json={})
        assert refusal(unknown) == (404, "404", "not_found")
        daily = await client.post(path, json={"createDailyRoom": True})
        assert refusal(daily) == (400, "400", "unsupported_transport")
        assert refusal(await client.post(path, json={"body": "words"}))[0] == 400
        assert refusal(await client.post(path, content=b"{")) == (400, "400", "bad_request")
        large = await client.post(path, json={"body": {"a": "b" * 200_000}})
        assert refusal(large) == (413, "413", "too_large")
        larger = await client.post(path, json={"body": {"a": "b" * 300_000}})
        assert refusal(larger) == (413, "413", "too_large")
    assert not server.launcher.orders


async def test_at_capacity_it_is_429_and_says_when(server: House) -> None:
    async with await public(server) as client:
        ids = [await started(client) for _ in range(2)]
        full = await client.post("/v1/public/cards/start", json={})
        assert refusal(full) == (429, "429", "limit_live")
        assert int(full.headers["retry-after"]) > 0
        await server.until_true(lambda: len(server.launcher.orders) == 2)
        async with await private(server) as boss:
            await boss.delete(f"/v1/agents/cards/sessions/{ids[0]}")
        await gone(server, ids[0], 0)
        await started(client)


async def test_agents_are_the_assistants(server: House) -> None:
    async with await private(server) as boss, await public(server) as client:
        await started(client)
        services = (await boss.get("/v1/agents")).json()["services"]
        assert [service["name"] for service in services] == ["cards", "quiz"]
        assert services[0]["activeDeploymentId"] == deployment_id("cards")
        assert (await boss.get("/v1/agents", params={"region": "us-west"})).json() == {
            "services": []
        }
        cards = (await boss.get("/v1/agents/cards")).json()
        assert (cards["ready"], cards["activeSessionCount"]) == (True, 1)
        assert cards["autoScaling"] == {"minReplicas": 0, "maxReplicas": 2}
        assert cards["deployment"]["manifest"]["spec"]["maxSessionDurationSeconds"] == 600
        pcc = (await boss.get("/v1/organizations/default/services/cards")).json()
        assert pcc == {"body": cards}
        assert refusal(await boss.get("/v1/agents/nobody"))[0] == 404
        assert refusal(await client.get("/v1/agents")) == (403, "403", "forbidden")
    async with server.client() as nobody:
        assert refusal(await nobody.get("/v1/agents")) == (401, "401", "unauthorized")


async def listed(boss: httpx.AsyncClient, **wanted: Any) -> list[str]:
    answer = await boss.get("/v1/agents/cards/sessions", params=wanted)
    assert answer.status_code == 200, answer.text
    return [session["sessionId"] for session in answer.json()["sessions"]]


async def test_sessions_are_listed_by_filter_and_page(server: House) -> None:
    async with await private(server) as boss, await public(server) as client:
        first = await started(client)
        server.clock.advance(10)
        second = await started(client)
        at = round(server.clock.now())
        await gone(server, first, 70)
        assert await listed(boss) == [second, first]
        assert await listed(boss, limit=1, offset=1) == [first]
        assert await listed(boss, status="active") == [second]
        assert await listed(boss, status="ended") == [first]
        assert await listed(boss, endState="active") == [second]
        assert await listed(boss, endState="agent_error") == [first]
        assert await listed(boss, endState="completed") == []
        assert await listed(boss, endState="of_next_year") == []
        assert await listed(boss, startTime=at - 5) == [second]
        assert await listed(boss, endTime=at - 5) == [first]
        assert await listed(boss, deploymentId=deployment_id("cards")) == [second, first]
        assert await listed(boss, deploymentId="another") == []
        assert await listed(boss, startType="cold") == []
        page = (await boss.get("/v1/agents/cards/sessions", params={"limit": 0})).json()
        assert page == {"sessions": [], "total_count": 2}
        bad = await boss.get("/v1/agents/cards/sessions", params={"status": "bad_value"})
        assert refusal(bad)[:2] == (400, "400")
        one = (await boss.get(f"/v1/agents/cards/sessions/{first}")).json()
        assert (one["completionStatus"], one["endState"]) == ("HTTP_ERROR", "agent_error")
        assert one["endedAt"] is not None
        live = (await boss.get(f"/v1/agents/cards/sessions/{second}")).json()
        assert (live["completionStatus"], live["endedAt"]) == (None, None)


async def test_stopping_is_on_the_audit_log_and_may_be_said_again(server: House) -> None:
    async with await private(server) as boss, await public(server) as client:
        session_id = await started(client)
        await the_order(server)
        path = f"/v1/agents/cards/sessions/{session_id}"
        assert refusal(await boss.delete(path.replace("cards", "quiz")))[0] == 404
        assert refusal(await client.delete(path))[0] == 403
        stopped = {"status": "terminated", "session_id": session_id}
        assert (await boss.delete(path)).json() == stopped
        assert (await boss.delete(path)).json() == stopped
        session = await server.session(session_id)
        assert (session.stage, session.reason) == (Stage.ENDING, EndReason.KICKED)
        gone = await boss.delete(f"/v1/agents/cards/sessions/ses_{'0' * 24}")
        assert refusal(gone) == (404, "404", "not_found")
    async with operator(server) as ops:
        acts = [(line["act"], line["target"]) for line in await lines(ops)]
    assert (Act.START, session_id) in acts
    assert acts.count((Act.END_SESSION, session_id)) == 2


async def test_a_tenants_key_knows_of_no_other(server: House) -> None:
    async with await public(server, tenant="acme") as client:
        session_id = await started(client)
    path = f"/v1/agents/cards/sessions/{session_id}"
    async with await private(server, tenant="acme") as acme:
        assert await listed(acme) == [session_id]
        named = (await acme.get("/v1/organizations")).json()["organizations"]
        assert named == [{"name": "acme", "verboseName": "acme"}]
        services = "/v1/organizations/{}/services/cards/sessions"
        assert (await acme.get(services.format("acme"))).json()["total_count"] == 1
        assert refusal(await acme.get(services.format("zeta")))[0] == 403
    async with await private(server, tenant="zeta") as zeta:
        assert await listed(zeta) == []
        assert refusal(await zeta.get(path))[0] == refusal(await zeta.delete(path))[0] == 404
    offer = f"/v1/public/cards/sessions/{session_id}/api/offer"
    async with await public(server, tenant="zeta") as stranger:
        assert refusal(await stranger.post(offer, json=OFFER)) == (404, "404", "not_found")
    async with page_of(server, "ada") as ada:
        assert refusal(await ada.post(offer, json=OFFER)) == (404, "404", "not_found")


async def test_an_agent_here_has_no_paths_of_its_own(server: House) -> None:
    async with await public(server) as client:
        session_id = await started(client)
        elsewhere = await client.get(f"/v1/public/cards/sessions/{session_id}/status")
        assert refusal(elsewhere) == (404, "404", "not_found")
        wrong = await client.post(f"/v1/public/quiz/sessions/{session_id}/api/offer", json=OFFER)
        assert refusal(wrong) == (404, "404", "not_found")


def test_every_reason_to_end_is_a_state_that_pcc_knows() -> None:
    assert set(END_STATES) == set(EndReason)
