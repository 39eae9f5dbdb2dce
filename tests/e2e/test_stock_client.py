"""Pipecat's own client, unmodified, in a real browser, from a page of another origin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from greenroom.bot.deck import in_words
from tests.e2e.conftest import StartServer
from tests.e2e.figures import Measured
from tests.e2e.outside import connections_elsewhere
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.stock import a_stock_page
from tests.e2e.talk import Talk
from tests.test_pipecat_cloud_sdk import a_key

pytestmark = pytest.mark.e2e

GONE_WITHIN_S = 5.0


@pytest.fixture
def origin() -> Iterator[str]:
    with a_stock_page() as origin:
        yield origin


@pytest.fixture
async def server(start_server: StartServer, origin: str) -> AsyncIterator[Server]:
    async with start_server(GREENROOM_ORIGINS=origin, GREENROOM_PERSISTENCE_S="1") as server:
        yield server


@pytest.fixture
def page_url(server: Server, origin: str) -> str:
    return f"{origin}/?start={server.url}/start"


async def ended_as(server: Server, reason: str) -> bool:
    """Whether one session ends for this reason; its process is gone a moment before the record."""
    wanted = f'greenroom_sessions_ended_total{{reason="{reason}"}} 1.0'
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        for _ in range(50):
            metrics = (await client.get("/metrics")).text
            if wanted in metrics:
                return True
            if "greenroom_sessions_ended_total{" in metrics:
                return False  # it ended, and not for this reason
            await asyncio.sleep(0.1)
    return False


def elsewhere(person: Person, server: Server, origin: str) -> list[str]:
    return [url for url in person.requests.elsewhere(origin) if not url.startswith(server.url)]


async def test_a_stock_client_is_refused_in_words_then_talks_and_hangs_up(
    server: Server, person: Person, origin: str, measured: Measured
) -> None:
    address = person.page.url
    await person.page.goto(f"{address}&transport=daily")
    await person.click("start")
    await person.page.get_by_text("error: ").wait_for()
    assert "“daily” is not configured here" in await person.part("messages").inner_text()
    assert server.bots() == []

    await person.page.goto(address)
    talk = Talk(person)
    clicked_ms = await person.click("start")
    card = await talk.hear_question()
    first_ms = person.ears.first_sound_after(clicked_ms)
    assert first_ms is not None
    measured("stock client: click → first sound", first_ms - clicked_ms, "ms")
    await person.see("call", state="ready")
    assert await person.read("call", "data-bot") is not None, "the bot was ready"

    await person.say(in_words(card.answer))
    await talk.hear()
    assert "user:" in await person.part("messages").inner_text(), "the client is told what is heard"
    assert len(server.bots()) == 1

    assert elsewhere(person, server, origin) == []
    assert connections_elsewhere(server.family()) == []
    await person.click("disconnect")
    await person.see("call", state="disconnected")
    await eventually(lambda: not server.bots(), GONE_WITHIN_S, "the bot still lives")
    assert await ended_as(server, "left")
    assert "error:" not in await person.part("messages").inner_text()
    assert "Traceback" not in server.log


async def test_a_stock_client_changes_its_connection_and_the_talk_goes_on(
    server: Server, person: Person
) -> None:
    """FAILURES 14: the network changes. At its end the client ends the bot."""
    talk = Talk(person)
    await person.click("start")
    await talk.hear_question()
    (bot,) = server.bots()
    async with person.page.expect_response("**/api/offer") as answered:
        await person.click("renegotiate")
    assert (await answered.value).ok
    await person.say("repeat")
    await talk.hear_question()

    # The client forgets its own new track when the old one ends, and stays silent: the words tell.
    async with person.page.expect_response("**/api/offer") as answered:
        await person.click("reconnect")
    assert (await answered.value).ok
    await person.page.get_by_text("bot: Welcome back").first.wait_for()
    assert server.bots() == [bot]

    await person.click("end the bot")
    await eventually(lambda: not server.bots(), GONE_WITHIN_S, "the bot still lives")
    assert await ended_as(server, "user")
    assert "Traceback" not in server.log


# That they pass on what the doors above do, is tried in tests/api and with Pipecat Cloud's own SDK.
@pytest.mark.long
async def test_a_stock_client_talks_through_the_doors_of_pipecat_cloud(
    server: Server, person: Person, origin: str
) -> None:
    key = await a_key(server.state_dir, "public", "sessions:start")
    start = f"{server.url}/v1/public/cards/start"
    await person.page.goto(f"{origin}/?start={start}&key={key}")
    talk = Talk(person)
    async with person.page.expect_response("**/v1/public/cards/sessions/*/api/offer") as answered:
        await person.click("start")
    assert (await answered.value).ok
    card = await talk.hear_question()
    await person.say(in_words(card.answer))
    await person.page.get_by_text("user: ").first.wait_for()
    assert elsewhere(person, server, origin) == []
    await person.click("end the bot")
    await eventually(lambda: not server.bots(), GONE_WITHIN_S, "the bot still lives")
    assert await ended_as(server, "user")

    await person.page.goto(f"{origin}/?start={start}")
    await person.click("start")
    await person.page.get_by_text("error: ").wait_for()
    assert "Show a public API key" in await person.part("messages").inner_text()
