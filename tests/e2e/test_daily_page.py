"""Greenroom's own page on a server whose rooms are Daily's: joined, found again, left.

Rooms and webhooks are the stand-in's; in the page a strict double of daily-js joins them. No audio.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route

from greenroom.testing.daily import DailyStandIn
from greenroom.testing.daily.shapes import CreateWebhook
from tests.e2e.conftest import StartServer
from tests.e2e.person import Person, a_person
from tests.e2e.server import Server, eventually
from tests.listening import listening

pytestmark = pytest.mark.e2e

DOUBLE = Path(__file__).parents[2] / "web" / "apps" / "together" / "dist" / "double.js"
SECRET = base64.b64encode(b"a secret of thirty-two characters").decode()
DAILYS = "https://stand-in.daily.co/people/"
WITHIN_S = 20.0
# What a bot does with Daily's transport nobody can try here; so it only says that it is there.
BOT = '''
"""A bot that is there."""
import asyncio

from greenroom.bot import current

async def bot(runner_args):
    current().joined()
    await asyncio.Event().wait()
'''


@pytest.fixture
async def daily() -> AsyncIterator[DailyStandIn]:
    daily = DailyStandIn()
    yield daily
    await daily.close()


@pytest.fixture
async def daily_port(daily: DailyStandIn) -> AsyncIterator[int]:
    async with listening(daily.app) as port:
        yield port


@pytest.fixture
async def server(
    start_server: StartServer, daily: DailyStandIn, daily_port: int, tmp_path: Path
) -> AsyncIterator[Server]:
    bot = tmp_path / "there.py"
    bot.write_text(BOT)
    rooms = {
        "GREENROOM_ROOMS": "daily",
        "GREENROOM_DAILY_API_URL": f"http://127.0.0.1:{daily_port}/v1",
        "GREENROOM_DAILY_API_KEY": daily.api_key,
        "GREENROOM_DAILY_WEBHOOK_SECRET": SECRET,
    }
    async with start_server(str(bot), **rooms) as server:
        yield server


@pytest.fixture
async def told(server: Server, daily: DailyStandIn) -> AsyncIterator[None]:
    """The server hears by webhook who comes and goes."""
    wish = CreateWebhook(url=f"{server.url}/daily/webhook", hmac=SECRET)
    await daily.webhooks.create(wish)

    async def deliver() -> None:
        while True:
            await daily.webhooks.deliver()
            await asyncio.sleep(0.05)

    delivering = asyncio.create_task(deliver())
    yield
    delivering.cancel()


@pytest.fixture
async def person(
    browser: Browser, server: Server, told: None, daily_port: int
) -> AsyncIterator[Person]:
    async def to_the_stand_in(route: Route) -> None:
        path = route.request.url.removeprefix("https://stand-in.daily.co")
        answer = await route.fetch(url=f"http://127.0.0.1:{daily_port}{path}")
        await route.fulfill(response=answer)

    async with a_person(browser, server.url, [DOUBLE]) as person:
        await person.page.context.route(f"{DAILYS}**", to_the_stand_in)
        yield person
        await person.page.context.unroute_all(behavior="ignoreErrors")


def users(daily: DailyStandIn) -> list[str]:
    """The connections of the user that are in the one room."""
    (room,) = daily.book.rooms.values()
    return [one.id for one in room.present() if one.user_id.startswith("user-")]


async def test_the_page_joins_a_room_on_daily_and_leaves_it(
    person: Person, daily: DailyStandIn, server: Server
) -> None:
    await person.click("talk")
    await person.see("status", status="active", timeout_s=WITHIN_S)
    (first,) = users(daily)
    assert len(server.bots()) == 1

    await person.page.reload()
    await eventually(
        lambda: users(daily) not in ([], [first]), WITHIN_S, "the page did not come back"
    )
    await person.see("status", status="active", timeout_s=WITHIN_S)
    assert len(users(daily)) == 1, "no ghost is left behind"
    assert len(server.bots()) == 1

    await person.click("stop")
    await person.see("notice", code="user")
    await eventually(lambda: users(daily) == [], WITHIN_S, "somebody stayed in the room")
    await eventually(lambda: not server.bots(), WITHIN_S, "the bot still lives")

    urls = person.requests.elsewhere(server.url)
    assert {url[: len(DAILYS)] for url in urls} == {DAILYS}
    assert not [url for url in [*urls, person.page.url] if "token" in url or "eyJ" in url]
    assert not [line for line in person.console if "Content Security" in line]
    assert not [line for line in person.console if line.startswith("pageerror")]
    assert "Traceback" not in server.log
