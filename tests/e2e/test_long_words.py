"""Long names and long words on a narrow page: nothing is wider than it, and nothing is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartServer
from tests.e2e.person import Person
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

NARROW = 360
ACTIVE_WITHIN_S = 20.0
TITLE = "Professor Maximiliana-Theodora von und zu Unaussprechlichhausen-Niederoberbaumgarten"
WORD = "supercalifragilistic" * 10
# Whether a part's words lie within another part, from side to side and from top to bottom.
LIES_WITHIN = """([inner, outer]) => {
  const words = document.createRange();
  words.selectNodeContents(document.querySelector(inner));
  const inside = document.querySelector(inner).getBoundingClientRect();
  const b = document.querySelector(outer).getBoundingClientRect();
  const a = words.getBoundingClientRect();
  return a.left >= b.left && a.right <= b.right && inside.top >= b.top && inside.bottom <= b.bottom;
}"""


@pytest.fixture
async def server(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Server]:
    for name in ("mary", "eve"):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ntitle: {TITLE}\n")
    async with start_server(GREENROOM_ASSISTANTS_DIR=str(tmp_path)) as server:
        yield server


async def width(person: Person) -> int:
    return int(await person.page.evaluate("document.documentElement.scrollWidth"))


async def test_long_names_and_words_fit_a_narrow_page(person: Person) -> None:
    page = person.page
    await page.set_viewport_size({"width": NARROW, "height": 740})
    await person.part("chooser").wait_for()
    assert await width(person) == NARROW
    assert await page.evaluate(LIES_WITHIN, [".deck-title", ".deck"])
    assert await page.evaluate(LIES_WITHIN, [".deck-hint", ".deck"])

    await person.click("talk")
    await person.see("status", status="active", timeout_s=ACTIVE_WITHIN_S)
    await page.get_by_role("textbox").fill(WORD)
    await page.keyboard.press("Enter")
    await page.get_by_text(WORD).wait_for()
    lines = person.part("transcript")
    assert await lines.evaluate("list => list.scrollWidth <= list.clientWidth")
    assert await width(person) == NARROW
    await person.click("stop")
    await person.see("notice", code="user")
