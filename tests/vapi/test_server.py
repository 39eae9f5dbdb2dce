"""What a customer's server is told of a call: once, in order, and again where it did not arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from greenroom import assembly
from greenroom.outbound.sender import HttpSender
from greenroom.ports.deliveries import Delivery, DeliveryState
from greenroom.ports.launcher import ExitCause
from greenroom.service.call_servers import CallMessages, CallRoute, CallServers, everything_told
from greenroom.service.deliveries import DELIVERIES_TOPIC, Deliverer
from greenroom.service.links import Link
from greenroom.service.purse import Money
from greenroom.service.reports import Way
from greenroom.session.model import Stage
from greenroom.wire.base import WireModel
from greenroom.wire.keys import Scope as KeyScope
from greenroom.wire.link import Command, CommandKind, Report, ReportKind
from greenroom.wire.vapi.reports import Lane
from tests.conftest import House
from tests.listening import listening
from tests.service.test_budgets import PRICES
from tests.vapi.conftest import key_of

Json = dict[str, Any]
SHOWN = {"X-Vapi-Secret": "hunter2"}


@dataclass
class Customer:
    """A customer's server: keeps what comes, and answers as it is told."""

    taken: list[tuple[dict[str, str], Json]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answer: Json = field(default_factory=dict)

    @property
    def messages(self) -> list[Json]:
        return [body["message"] for _, body in self.taken]

    def of(self, kind: str) -> list[Json]:
        return [message for message in self.messages if message["type"] == kind]

    async def until(self, kind: str, count: int = 1) -> list[Json]:
        async with asyncio.timeout(10):
            while len(self.of(kind)) < count:
                await asyncio.sleep(0.005)
        return self.of(kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = self.statuses.pop(0) if self.statuses else 200
        if status < 300:
            self.taken.append((headers, json.loads(body)))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(self.answer).encode()})


@pytest.fixture
async def customer() -> AsyncIterator[tuple[Customer, str]]:
    made = Customer()
    async with listening(made) as port:
        yield made, f"http://127.0.0.1:{port}/vapi"


@pytest.fixture
def plan(plan: assembly.Plan, customer: tuple[Customer, str]) -> assembly.Plan:
    """A house with a server of its own for calls, and prices."""
    servers = CallServers((customer[1], SHOWN), ["127.0.0.1"])
    return replace(plan, call_servers=servers, money=Money(PRICES), daily_webhook_secret=None)


@asynccontextmanager
async def delivering(house: House, plan: assembly.Plan) -> AsyncIterator[None]:
    """Deliver while the block lasts; the customer is on this machine, which is allowed here."""
    parts, sender = house.parts, HttpSender(["127.0.0.1"])
    store = parts.store
    servers = plan.call_servers
    writers = [CallMessages(route, servers, store, parts.links) for route in servers.routes]
    deliverer = Deliverer(
        store.deliveries, parts.hub, house.clock, sender, parts.metrics, writers, jitter=lambda: 0.5
    )
    running = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await deliverer.close()


class Call:
    """A call whose bot reports what the test says."""

    def __init__(self, house: House, session_id: str) -> None:
        self.house = house
        self.id = session_id
        self._seq = 0

    @classmethod
    async def start(cls, house: House, page: httpx.AsyncClient, **overrides: Any) -> Call:
        asked = {"assistantId": "cards", "assistantOverrides": overrides}
        answer = await page.post("/call/web", json=asked)
        assert answer.status_code == 201, answer.text
        call = cls(house, answer.json()["id"])
        await call.report(ReportKind.BOT_JOINED)
        await call.report(ReportKind.USER_JOINED, participant="page-1")
        return call

    async def report(self, kind: ReportKind, **data: Any) -> None:
        self._seq += 1
        session = await self.house.session(self.id)
        report = Report(seq=self._seq, at_ms=0, kind=kind, data=data)
        await self.house.parts.reports.take(Way.LINK, session.launch_id, self.id, report)
        self.house.parts.hub.publish(DELIVERIES_TOPIC)

    async def says(self, role: str, text: str) -> None:
        await self.report(ReportKind.TRANSCRIPT, role=role, text=text, final=True, turn=1)

    async def ends(self) -> None:
        """The bot's process is gone."""
        launch_id = (await self.house.session(self.id)).launch_id
        await self.house.until_true(lambda: launch_id in self.house.launcher.orders)
        await self.house.launcher.exit(launch_id, ExitCause.ENDED)
        await self.house.until(lambda session: session.stage is Stage.ENDED, self.id)
        self.house.parts.hub.publish(DELIVERIES_TOPIC)


async def test_a_call_is_told_from_its_beginning_to_its_report(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient, customer: tuple[Customer, str]
) -> None:
    server, _ = customer
    async with delivering(house, plan):
        call = await Call.start(house, page, metadata={"order": 7})
        await call.says("assistant", "What is six times seven?")
        await call.report(ReportKind.USER_SPEECH, speaking=True)
        await call.says("user", "forty two")
        await call.report(ReportKind.BOT_SPEECH, speaking=True)
        await call.report(ReportKind.BOT_SPEECH, speaking=False, interrupted=True)
        await call.report(ReportKind.USAGE, component="tts", quantity=2_000, unit="characters")
        ended = {"endedReason": "assistant-said-end-call-phrase"}
        await call.report(ReportKind.APP, type="app.vapi.ended", data=ended)
        house.clock.advance(60)
        await call.report(ReportKind.FAREWELL, heard=True)
        await call.ends()
        (report,) = await server.until("end-of-call-report")
        await server.until("status-update", 3)
    assert [one["status"] for one in server.of("status-update")] == [
        *("ringing", "in-progress", "ended")
    ]
    assert server.of("transcript") == [], "who did not ask for them gets none"
    first, second = server.of("conversation-update")
    assert len(first["conversation"]) == 1
    assert second["conversation"] == [
        {"role": "assistant", "content": "What is six times seven?"},
        {"role": "user", "content": "forty two"},
    ]
    assert [(one["role"], one["status"]) for one in server.of("speech-update")] == [
        *(("user", "started"), ("assistant", "started"), ("assistant", "stopped"))
    ]
    assert len(server.of("user-interrupted")) == 1
    assert report["endedReason"] == "assistant-said-end-call-phrase"
    assert server.of("status-update")[-1]["endedReason"] == report["endedReason"]
    assert report["transcript"] == "AI: What is six times seven?\nUser: forty two\n"
    assert [one["role"] for one in report["messages"]] == ["bot", "user"]
    assert (report["durationSeconds"], report["durationMinutes"]) == (60, 1)
    assert report["startedAt"] < report["endedAt"]
    assert report["costBreakdown"]["tts"] == 0.03
    assert report["costBreakdown"]["vapi"] == 0.06, "a minute of a container"
    assert report["cost"] == report["costBreakdown"]["total"] == 0.09
    assert report["costBreakdown"]["ttsCharacters"] == 2_000
    assert {one["type"] for one in report["costs"]} >= {"transport", "voice", "vapi"}
    for headers, body in server.taken:
        assert headers["x-vapi-secret"] == "hunter2"
        message = body["message"]
        assert (message["call"]["id"], message["call"]["type"]) == (call.id, "webCall")
        assert message["assistant"]["name"] == "cards"
        assert message["timestamp"] > 1_000_000_000_000
        assert message["artifact"]["transcript"] is not None
    ids = [headers["webhook-id"] for headers, _ in server.taken]
    assert len(set(ids)) == len(ids)
    page.headers.update(await key_of(house, KeyScope.READ))
    seen = (await page.get(f"/call/{call.id}")).json()
    assert (seen["status"], seen["endedReason"]) == ("ended", report["endedReason"])
    assert seen["cost"] == report["cost"]
    assert seen["artifact"]["transcript"] == report["transcript"]


async def test_what_fails_is_tried_again_and_nothing_else_with_it(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient, customer: tuple[Customer, str]
) -> None:
    server, _ = customer

    async def waiting() -> list[Delivery]:
        return await house.parts.store.deliveries.listed(state=None, endpoint=None, limit=9)

    async with delivering(house, plan):
        call = await Call.start(house, page, serverMessages=["transcript", "conversation-update"])
        server.statuses = [503]
        await call.says("user", "forty two")
        async with asyncio.timeout(10):
            # The one that failed waits for its time, and the other has arrived.
            while [one.attempts for one in await waiting()] != [1]:
                await asyncio.sleep(0.005)
        house.clock.advance(2)
        house.parts.hub.publish(DELIVERIES_TOPIC)
        await server.until("transcript")
        await server.until("conversation-update")
    assert len(server.taken) == 2, "one of the two arrived at once, and did not come again"


async def test_a_page_may_name_a_server_of_its_own_and_what_it_gets(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient, customer: tuple[Customer, str]
) -> None:
    server, url = customer
    own = {"url": f"{url}/own", "headers": {"Authorization": "Bearer their-own"}}
    final = "transcript[transcriptType='final']"
    async with delivering(house, plan):
        call = await Call.start(house, page, server=own, serverMessages=[final])
        part = {"role": "user", "text": "fort", "final": False, "turn": 1}
        await call.report(ReportKind.TRANSCRIPT, **part)
        await call.says("user", "forty two")
        (told,) = await server.until("transcript")
        assert (told["transcript"], told["transcriptType"]) == ("forty two", "final")
        await call.report(ReportKind.USER_ENDED)
        await call.ends()
        async with asyncio.timeout(10):
            while await house.parts.store.deliveries.listed(state=None, endpoint=None, limit=9):
                await asyncio.sleep(0.005)
    (headers, _) = server.taken[0]
    assert headers["authorization"] == "Bearer their-own"
    assert "x-vapi-secret" not in headers, "one customer's secret is not for another"
    assert len(server.taken) == 1


async def test_an_address_that_is_not_public_is_never_called(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient
) -> None:
    """A name that leads to this machine is refused when it is looked up."""

    async def here(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    parts, route = house.parts, CallRoute(Lane.AS_IT_HAPPENS, of_pages=True)
    call = await Call.start(house, page, server={"url": "https://app.example/latest/meta-data"})
    writer = CallMessages(route, plan.call_servers, parts.store, parts.links)
    sender = HttpSender([], resolve=here)
    (first, *_) = await parts.store.deliveries.waiting(route.name, call.id, 10)
    deliverer = Deliverer(
        parts.store.deliveries, parts.hub, house.clock, sender, parts.metrics, [writer]
    )
    letter = await writer.write(first)
    assert letter is not None
    answer, error = await deliverer._try(writer, first, letter)
    assert answer is None
    assert "not a public address" in str(error)
    await deliverer.close()


async def test_a_tool_is_asked_once_and_its_result_goes_back_to_the_bot(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient, customer: tuple[Customer, str]
) -> None:
    server, _ = customer
    told: list[Command] = []
    call = await Call.start(house, page)
    launch_id = (await house.session(call.id)).launch_id

    async def send(message: WireModel) -> None:
        assert isinstance(message, Command)
        told.append(message)
        link.done(message.command_id)

    link = Link(launch_id, send)
    house.parts.links.opened(link)
    wanted = {"id": "call_1", "name": "sendEmail", "arguments": {"to": "ada"}}
    async with delivering(house, plan):
        server.answer = {"results": [{"toolCallId": "call_1", "result": "sent"}]}
        await call.report(
            ReportKind.APP, type="app.vapi.tool-calls", data={"toolCallList": [wanted]}
        )
        (asked,) = await server.until("tool-calls")
        assert asked["toolCallList"][0]["function"]["arguments"] == {"to": "ada"}
        assert asked["toolWithToolCallList"][0]["toolCall"]["id"] == "call_1"
        await house.until_true(lambda: len(told) == 1)
        assert told[0].kind is CommandKind.TOOL_RESULTS
        assert told[0].data == {"results": [{"toolCallId": "call_1", "result": "sent"}]}

        nonsense: Json = {"toolCallList": [7, {"id": "x"}, {"name": ["y"], "id": "x"}]}
        for odd in (nonsense, {"toolCallList": "sendEmail"}, {}):
            await call.report(ReportKind.APP, type="app.vapi.tool-calls", data=odd)
        for status, answer in ((500, {}), (200, {"results": "nonsense"})):
            server.statuses, server.answer = [status], answer
            again = {**wanted, "id": f"call_{status}"}
            await call.report(
                ReportKind.APP, type="app.vapi.tool-calls", data={"toolCallList": [again]}
            )
            count = len(told)
            await house.until_true(lambda count=count: len(told) > count)  # type: ignore[misc]
            (result,) = told[-1].data["results"]
            assert result == {
                "toolCallId": f"call_{status}",
                "error": "The tool did not answer.",
            }
    listed = house.parts.store.deliveries.listed
    (dead,) = await listed(state=DeliveryState.DEAD, endpoint=None, limit=9)
    assert dead.attempts == 1, "nobody waits for a later try"


async def test_sessions_that_are_no_calls_are_told_nobody(
    house: House, plan: assembly.Plan, page: httpx.AsyncClient, customer: tuple[Customer, str]
) -> None:
    session = (await house.sessions.start("ada", None, body={"name": "Ada"})).session
    await house.sessions.stop(session.id, None)
    found = await house.parts.store.deliveries.listed(state=None, endpoint=None, limit=9)
    assert found == []
    assert len(await everything_told(house.parts.store, session.id)) > 0
