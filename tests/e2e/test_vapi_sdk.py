"""VAPI's own web SDK, unmodified, in a real browser, with a real server and a real bot process.

Neither Daily's code nor its media can be reached from here. So one call goes as far as to where
the SDK would load that code; in the others the SDK finds a double of Daily's call object, which
joins the stand-in's rooms, and its bot a double of Pipecat's transport in the same room.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.async_api import Browser

from greenroom.api.identity import Identity
from greenroom.settings import SECRET_FILE
from tests.e2e.conftest import StartServer
from tests.e2e.person import Person, a_person
from tests.e2e.server import Server, eventually
from tests.e2e.stock import a_page
from tests.listening import listening
from tests.vapi import PEOPLE
from tests.vapi.people import People, some_people
from tests.vapi.test_server import Customer

pytestmark = pytest.mark.e2e

BOT = Path(__file__).parents[1] / "vapi" / "parrot.py"
GONE_WITHIN_S = 5.0
Json = dict[str, Any]


@dataclass
class Stage:
    """Everything that a call needs."""

    server: Server
    people: People
    people_url: str
    customer: Customer
    origin: str
    key: str

    def address(self, overrides: Json, **more: str) -> str:
        told = {"server": self.server.url, "key": self.key, "assistant": "parrot", **more}
        return f"{self.origin}/?{urlencode({**told, 'overrides': json.dumps(overrides)})}"


@pytest.fixture
def origin() -> Iterator[str]:
    with a_page("vapi") as origin:
        yield origin


async def a_public_key(server: Server) -> str:
    """A key that starts calls, and nothing else."""
    secret = (server.state_dir / SECRET_FILE).read_text().strip()
    token = Identity(secret, anonymous=True).operator_token("ops", 60)
    shown = {"Authorization": f"Bearer {token}"}
    body = {"name": "web", "scopes": ["sessions:start"]}
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        made = await client.post("/api/operator/keys", json=body, headers=shown)
    return str(made.json()["key"])


@asynccontextmanager
async def a_stage(start_server: StartServer, origin: str) -> AsyncIterator[Stage]:
    customer = Customer()
    async with some_people() as (people, daily_url), listening(customer) as port:
        settings = {
            "GREENROOM_ORIGINS": origin,
            "GREENROOM_ROOMS": "daily",
            "GREENROOM_DAILY_API_KEY": people.daily.api_key,
            "GREENROOM_DAILY_API_URL": f"{daily_url}/v1",
            "GREENROOM_VAPI_SERVER_URL": f"http://127.0.0.1:{port}/vapi",
            "GREENROOM_VAPI_SERVER_SECRET": "Bearer of-the-customer",
            "GREENROOM_WEBHOOK_ALLOW": "127.0.0.1",
            PEOPLE: f"{daily_url}/people",
        }
        async with start_server(str(BOT), **settings) as server:
            key = await a_public_key(server)
            yield Stage(server, people, f"{daily_url}/people", customer, origin, key)


@pytest.fixture
async def stage(start_server: StartServer, origin: str) -> AsyncIterator[Stage]:
    async with a_stage(start_server, origin) as stage:
        yield stage


async def told(person: Person) -> list[Json]:
    """What the SDK has said so far."""
    items = await person.part("messages").locator("li").all_inner_texts()
    return [json.loads(item) for item in items]


async def until_told(person: Person, **wanted: Any) -> Json:
    """Wait for a message with these fields."""
    found = (
        "wanted => [...document.querySelectorAll('#messages li')].map(i => JSON.parse(i.innerText))"
        ".filter(({event}) => event === 'message').map(({data}) => data)"
        ".find(data => Object.entries(wanted)"
        ".every(([name, value]) => JSON.stringify(data[name]) === JSON.stringify(value)))"
    )
    handle = await person.page.wait_for_function(found, arg=wanted, timeout=10_000)
    message: Json = await handle.json_value()
    return message


async def test_vapis_own_sdk_works_unmodified(stage: Stage, browser: Browser) -> None:
    """One server for all of it: it takes longer to start than a call."""
    await _the_whole_conversation_of_messages(stage, browser)
    await _who_stops_has_ended_the_call(stage, browser)
    await _it_gets_to_where_it_would_load_dailys_code(stage, browser)
    assert "Traceback" not in stage.server.log


async def _the_whole_conversation_of_messages(stage: Stage, browser: Browser) -> None:
    asked = {
        "firstMessage": "Hello {{name}}.",
        "variableValues": {"name": "Ada"},
        "metadata": {"order": 7},
    }
    url = stage.address(asked, people=stage.people_url)
    async with a_person(browser, url) as person:
        await person.click("start")
        await person.see("call", started="yes", timeout_s=10)
        await until_told(person, type="status-update", status="in-progress")
        await until_told(person, type="transcript", role="assistant", transcript="Hello Ada.")
        await person.page.get_by_text('"speech-end"').first.wait_for()

        await person.click("tell")
        await until_told(person, type="transcript", role="user", transcript="orange")
        await until_told(person, type="transcript", transcript="You said orange.")
        words = (("assistant", "Hello Ada."), ("user", "orange"), ("assistant", "You said orange."))
        conversation = [{"role": role, "content": content} for role, content in words]
        await until_told(person, type="conversation-update", conversation=conversation)
        await person.click("mute me")
        assert await person.read("call", "data-muted") == "true"

        await person.click("part")
        await person.see("call", ended="yes", timeout_s=10)
        said = await told(person)
        await eventually(lambda: not stage.server.bots(), GONE_WITHIN_S, "the bot still lives")
        call_id = await person.read("call", "data-id")

    (report,) = await stage.customer.until("end-of-call-report")
    events = [one["event"] for one in said]
    for event in ("call-start", "speech-start", "speech-end", "call-end"):
        assert event in events, said
    reason = "assistant-ended-call-after-message-spoken"
    ends = [
        one["data"]
        for one in said
        if one["event"] == "message" and one["data"].get("status") == "ended"
    ]
    assert [one["endedReason"] for one in ends] == [reason], "told once, and by the right word"
    assert (report["endedReason"], report["call"]["id"]) == (reason, call_id)
    assert report["call"]["metadata"] == {"order": 7}
    assert (
        "AI: Hello Ada.\nUser: orange\nAI: You said orange.\nAI: So long." in report["transcript"]
    )
    assert report["costBreakdown"]["ttsCharacters"] > 0
    headers = [headers for headers, _ in stage.customer.taken]
    assert {one["authorization"] for one in headers} == {"Bearer of-the-customer"}
    names = [one.who.user_name for one in stage.people.seats.values()]
    assert "Vapi Speaker" in names


async def _who_stops_has_ended_the_call(stage: Stage, browser: Browser) -> None:
    url = stage.address({"firstMessage": "Hello."}, people=stage.people_url)
    async with a_person(browser, url) as person:
        await person.click("start")
        await until_told(person, type="transcript", transcript="Hello.")
        await person.click("^stop")
        await person.see("call", ended="yes")
        await eventually(lambda: not stage.server.bots(), GONE_WITHIN_S, "the bot still lives")
    reports = await stage.customer.until("end-of-call-report", 2)
    assert reports[-1]["endedReason"] == "customer-ended-call"


async def _it_gets_to_where_it_would_load_dailys_code(stage: Stage, browser: Browser) -> None:
    async with a_person(browser, stage.address({})) as person:
        async with person.page.expect_response("**/call/web") as answered:
            await person.click("start")
        call = await (await answered.value).json()
        assert call["transport"]["callToken"]
        await person.see("call", stage="daily-call-join started")

        def elsewhere() -> list[str]:
            known = (stage.origin, stage.server.url)
            return [url for url in person.requests.urls if not url.startswith(known)]

        async with asyncio.timeout(GONE_WITHIN_S):
            while not elsewhere():
                await asyncio.sleep(0.02)
        assert all("daily.co/" in url for url in elsewhere()), elsewhere()
        assert not [one for one in await told(person) if one["event"] == "error"]

        await person.page.goto(stage.address({"squad": 1}, key="wrong"))
        await person.click("start")
        await person.page.get_by_text("start-method-error").first.wait_for()
        refusal = (await told(person))[-1]["data"]["error"]["error"]
        assert (refusal["statusCode"], refusal["error"]) == (401, "Unauthorized")
        assert await person.read("call", "data-id") == "none"
