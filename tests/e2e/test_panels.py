"""Panels and page tools in a whole call: what a bot shows is seen, what it asks is asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e import hostile
from tests.e2e.conftest import StartServer
from tests.e2e.counting import Counting, a_counting_server
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

JOINED_WITHIN_S = 20.0  # the first bot of a module waits for its imports
SHOWN = ("script", "onerror", "css-leak", "meta-refresh", "link", "form", "cover")

# It goes on when the test lets it: what it shows next replaces what it has shown.
BOT = '''
"""A bot that says nothing and shows much."""
import asyncio
import os
from pathlib import Path

from greenroom.bot.context import current
from greenroom.wire.link import ReportKind

AT = "2026-01-01T12:00:00Z"
NOTE = {"id": "n1", "title": "Buy tea", "text": "Green", "createdAt": AT, "updatedAt": AT}
HTML = Path(os.environ["HOSTILE"]).read_text()
FRONT = "Capital of Norway? " + "W" * 400

def show(kind, data):
    current().report(ReportKind.APP, {"type": kind, "data": data})

def call(number, name, arguments):
    current().report(ReportKind.TOOL_CALL, {"toolCallId": f"call-{number}", "tool": "browser",
        "name": name, "where": "page", "arguments": arguments})

STEPS = [
    lambda: show("ui.note", {"action": "created", "note": NOTE}),
    lambda: show("ui.html", {"id": "h", "title": "A list " + "W" * 190, "html": HTML}),
    lambda: show("ui.card", {"id": "c", "front": FRONT}),
    lambda: show("ui.card", {"id": "c", "front": FRONT, "back": "Oslo"}),
    lambda: show("ui.panel", {"panel": "html", "open": False}),
    lambda: call(1, "nothing_of_the_kind", {}),
    lambda: call(2, "open_page", {"url": "https://example.org/list"}),
    lambda: call(3, "open_page", {"url": "https://example.org/list"}),
]

async def bot(runner_args):
    await runner_args.webrtc_connection.connect()
    let = Path(os.environ["STEPS_LET"])
    for number, step in enumerate(STEPS):
        while number >= int(let.read_text() or 0):
            await asyncio.sleep(0.02)
        step()
    await asyncio.Event().wait()
'''


@pytest.fixture
def counting() -> Iterator[Counting]:
    with a_counting_server() as server:
        yield server


@pytest.fixture
async def server(
    start_server: StartServer, counting: Counting, let: Path, tmp_path: Path
) -> AsyncIterator[Server]:
    bot, shown = tmp_path / "showing.py", tmp_path / "shown.html"
    bot.write_text(BOT)
    shown.write_text("".join(hostile.html(name, counting.origin) for name in SHOWN))
    async with start_server(str(bot), HOSTILE=str(shown), STEPS_LET=str(let)) as server:
        yield server


async def test_what_the_bot_shows_is_seen_and_what_it_asks_of_the_page_is_asked(
    person: Person, server: Server, counting: Counting, let: Path
) -> None:
    """FAILURES 29: also in Greenroom's own page."""
    page = person.page
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.evaluate("localStorage.secret = 'secret'")
    await person.click("talk")
    await person.see("status", status="active", timeout_s=JOINED_WITHIN_S)

    _go_on(let, 1)
    # It tells of a note that nobody keeps: what is shown in the end is what the server has.
    await expect(page.get_by_text("Note saved: Buy tea.")).to_have_count(1)
    await expect(person.part("panel-notes")).to_contain_text("No notes yet.")

    _go_on(let, 2)
    frame = person.part("frame")
    await expect(frame).to_have_attribute("sandbox", "")
    inside = page.frame_locator('[data-testid="frame"]')
    await inside.locator("a").first.click(force=True, no_wait_after=True)
    await inside.locator("button").first.click(force=True, no_wait_after=True)
    box = await frame.bounding_box()
    assert box is not None
    assert (box["height"] <= 300, box["width"] <= 360) == (True, True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360

    _go_on(let, 3)
    await person.see("tool-card", state="question")
    _go_on(let, 4)
    await person.see("tool-card", state="right")
    await expect(person.part("tool-card")).to_contain_text("Oslo")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    _go_on(let, 5)
    await expect(frame).to_have_count(0)
    await person.click("^page$")  # by its switch it is there again
    await expect(frame).to_have_count(1)

    assert await _answer(person, let, 6) == {
        "error": "This page has no tool called nothing_of_the_kind."
    }
    _go_on(let, 7)
    await expect(person.part("open-page")).to_contain_text("example.org")
    assert await _answer(person, let, 7, click="not now") == {
        "error": "The user did not want the page to be opened."
    }
    async with page.context.expect_page() as opened:
        assert await _answer(person, let, 8, click="open in a new tab") == {
            "result": {"opened": "https://example.org/list"}
        }
    assert page.context.pages[-1] is await opened.value
    assert counting.connections == 0
    assert await page.title() == "Greenroom"
    await page.bring_to_front()
    await person.click("stop")
    await person.see("status", status="inactive")
    assert "Traceback" not in server.log


def _go_on(let: Path, steps: int) -> None:
    let.write_text(str(steps))


async def _answer(person: Person, let: Path, steps: int, click: str | None = None) -> object:
    """What the page answers when the bot has gone so far, and somebody has clicked."""
    answers = re.compile(r"/tools/call-\d+$")
    async with person.page.expect_request(answers) as request:
        _go_on(let, steps)
        if click:
            await person.click(click)
    return (await request.value).post_data_json
