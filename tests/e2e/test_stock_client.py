"""Pipecat's own client, unmodified, in a real browser, from a page of another origin."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from greenroom.bot.deck import in_words
from tests.e2e.conftest import a_server_for_all, on_failure
from tests.e2e.figures import Measured
from tests.e2e.outside import connections_elsewhere
from tests.e2e.person import Person
from tests.e2e.server import Server, eventually
from tests.e2e.stock import a_stock_page
from tests.e2e.talk import Talk
from tests.test_pipecat_cloud_sdk import a_key

pytestmark = pytest.mark.e2e

GONE_WITHIN_S = 5.0
# Somebody who just goes is noticed first, and then waited for.
LEFT_WITHIN_S = 20.0
_ENDED = re.compile(r'^greenroom_sessions_ended_total\{reason="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with a_stock_page() as origin:
        yield origin


@pytest.fixture(scope="module")
def server_for_all(origin: str) -> Iterator[Server]:
    with a_server_for_all(GREENROOM_ORIGINS=origin, GREENROOM_PERSISTENCE_S="1") as server:
        yield server


@pytest.fixture
async def server(server_for_all: Server, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """One server for all these clients; each finds it without a call, and leaves it so."""
    on_failure(request, lambda: ("server log", server_for_all.log))
    yield server_for_all
    await eventually(lambda: not server_for_all.bots(), LEFT_WITHIN_S, "a bot still lives")


@pytest.fixture
def page_url(server: Server, origin: str) -> str:
    return f"{origin}/?start={server.url}/start"


async def endings(server: Server) -> Counter[str]:
    """How many sessions have ended so far, by reason."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        metrics = (await client.get("/metrics")).text
    return Counter({reason: int(float(count)) for reason, count in _ENDED.findall(metrics)})


async def how_it_ended(server: Server, before: Counter[str]) -> list[str]:
    """The reasons of what has ended since; a process is gone a moment before that is on record."""
    for _ in range(50):
        if since := await endings(server) - before:
            return list(since.elements())
        await asyncio.sleep(0.1)
    return []


def elsewhere(person: Person, server: Server, origin: str) -> list[str]:
    return [url for url in person.requests.elsewhere(origin) if not url.startswith(server.url)]


async def test_a_stock_client_talks_and_hangs_up(
    server: Server, person: Person, origin: str, measured: Measured
) -> None:
    talk, before = Talk(person), await endings(server)
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
    assert await how_it_ended(server, before) == ["left"]
    assert "error:" not in await person.part("messages").inner_text()
    assert "Traceback" not in server.log


async def test_a_stock_client_ends_the_bot(server: Server, person: Person) -> None:
    talk, before = Talk(person), await endings(server)
    await person.click("start")
    await talk.hear_question()
    await person.click("end the bot")
    await eventually(lambda: not server.bots(), GONE_WITHIN_S, "the bot still lives")
    assert await how_it_ended(server, before) == ["user"]
    assert "Traceback" not in server.log


async def test_a_stock_client_changes_its_connection_and_the_talk_goes_on(
    server: Server, person: Person
) -> None:
    """FAILURES 14: the network changes."""
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


async def test_a_stock_client_shows_why_it_was_refused(server: Server, person: Person) -> None:
    await person.page.goto(f"{person.page.url}&transport=daily")
    await person.click("start")
    await person.page.get_by_text("error: ").wait_for()
    assert "“daily” is not configured here" in await person.part("messages").inner_text()
    assert server.bots() == []


async def test_a_stock_client_talks_through_the_doors_of_pipecat_cloud(
    server: Server, person: Person, origin: str
) -> None:
    key = await a_key(server.state_dir, "public", "sessions:start")
    start = f"{server.url}/v1/public/cards/start"
    await person.page.goto(f"{origin}/?start={start}&key={key}")
    talk, before = Talk(person), await endings(server)
    async with person.page.expect_response("**/v1/public/cards/sessions/*/api/offer") as answered:
        await person.click("start")
    assert (await answered.value).ok
    card = await talk.hear_question()
    await person.say(in_words(card.answer))
    await person.page.get_by_text("user: ").first.wait_for()
    assert elsewhere(person, server, origin) == []
    await person.click("end the bot")
    await eventually(lambda: not server.bots(), GONE_WITHIN_S, "the bot still lives")
    assert await how_it_ended(server, before) == ["user"]

    await person.page.goto(f"{origin}/?start={start}")
    await person.click("start")
    await person.page.get_by_text("error: ").wait_for()
    assert "Show a public API key" in await person.part("messages").inner_text()
