"""HTML of tools in a real browser: it reaches neither the page, nor its cookies, nor the network.

The page here has no policy of its own, which would hold some of it back: the frame has to do.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.e2e import hostile
from tests.e2e.counting import Counting, a_counting_server
from tests.e2e.server import eventually
from tests.e2e.serving import running

pytestmark = pytest.mark.e2e

_CLIENT = Path(__file__).parents[2] / "src" / "greenroom" / "page" / "client"
ARRIVES_WITHIN_S = 15.0
_SETTLES_MS = 700  # refreshes of 0 s, loads that begin late
_SHOW = """
async ([shown, isSafe]) => {
  const { sandboxed } = await import('/panels.js');
  const frames = document.querySelector('main');
  const loaded = [];
  for (const [name, html] of Object.entries(shown)) {
    const frame = document.createElement('iframe');
    frame.name = name;
    if (isSafe) frame.setAttribute('sandbox', '');
    frame.srcdoc = isSafe ? sandboxed(html) : html;
    loaded.push(new Promise((resolve) => (frame.onload = resolve)));
    frames.append(frame);
  }
  // A frame that goes elsewhere at once may never say that it has loaded.
  await Promise.race([Promise.all(loaded), new Promise((resolve) => setTimeout(resolve, 2000))]);
}
"""
_PAGE = """<!doctype html><title>untouched</title>
<style>iframe { width: 160px; height: 90px }</style>
<script>messages = []; onmessage = (event) => messages.push(event.data);
document.cookie = 'session=secret'; localStorage.secret = 'secret'</script>
<body><main></main></body>"""


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        body = _PAGE.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _an_application() -> Iterator[str]:
    """Somebody's page, with the built client beside it; gives its origin."""
    if not (_CLIENT / "panels.js").is_file():
        raise FileNotFoundError("the client is not built: run make setup")
    handler = functools.partial(_Handler, directory=str(_CLIENT))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as origin:
        yield origin


@pytest.fixture
def counting() -> Iterator[Counting]:
    with a_counting_server() as server:
        yield server


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    with _an_application() as origin:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(origin)
        yield page
        await context.close()


async def test_what_a_tool_shows_reaches_neither_page_nor_network(
    page: Page, counting: Counting
) -> None:
    """FAILURES 29."""
    pages: list[str] = []
    page.context.on("page", lambda opened: pages.append(opened.url))
    shown = {name: hostile.html(name, counting.origin) for name in hostile.EVERYTHING}
    url = page.url
    await page.evaluate(_SHOW, [shown, True])
    before = await page.content()
    for name in hostile.BY_A_CLICK:
        frame = page.frame_locator(f'iframe[name="{name}"]')
        for target in await frame.locator("a, button, input, img, text").all():
            await target.click(force=True, timeout=2_000, no_wait_after=True)
    await page.wait_for_timeout(_SETTLES_MS)
    assert counting.asked == []
    assert counting.connections == 0, "nothing connects ahead of need, either"
    assert await page.title() == "untouched"
    assert await page.evaluate("messages") == []
    assert await page.content() == before
    assert page.url == url
    assert pages == [], "no window was opened"
    assert await page.evaluate("window.length") == len(shown), "and no frame within a frame"
    boxes = await page.evaluate(
        "[...document.querySelectorAll('iframe')].map((one) => [one.offsetWidth, one.offsetHeight])"
    )
    assert {tuple(box) for box in boxes} == {(164, 94)}, "none is larger than the page made it"


async def test_the_frame_holds_also_what_is_not_cleaned(page: Page, counting: Counting) -> None:
    """Script and loads are held back by frame and policy alone, were the cleaning to fail."""
    wall = """
    async (shown) => {
      const { sandboxed } = await import('/panels.js');
      const [head, tail] = sandboxed('<i>here</i>').split('<i>here</i>');
      for (const html of Object.values(shown)) {
        const frame = document.createElement('iframe');
        frame.setAttribute('sandbox', '');
        frame.srcdoc = head + html + tail;
        document.querySelector('main').append(frame);
      }
    }
    """
    shown = {name: hostile.html(name, counting.origin) for name in hostile.BY_ITSELF}
    await page.evaluate(wall, shown)
    await page.wait_for_timeout(_SETTLES_MS)
    assert counting.asked == []
    assert await page.title() == "untouched"
    assert await page.evaluate("messages") == []


async def test_without_protection_all_of_it_gets_through(page: Page, counting: Counting) -> None:
    """So that the tests above can fail: each of these reaches the server from a plain frame."""
    shown = {name: hostile.html(name, counting.origin) for name in hostile.BY_ITSELF}
    await page.evaluate(_SHOW, [shown, False])

    def missing() -> set[str]:
        arrived = {path.lstrip("/").split("?")[0].split("/")[0] for path in counting.asked}
        return set(hostile.BY_ITSELF) - arrived

    def with_the_cookie() -> bool:
        return any("secret" in path for path in counting.asked)

    # A busy machine takes its time over what refreshes, or loads late.
    with contextlib.suppress(AssertionError):
        await eventually(lambda: not missing() and with_the_cookie(), ARRIVES_WITHIN_S, "")
    assert missing() == set()
    assert with_the_cookie(), "and one of them with the cookie"


async def test_what_people_do_show_is_still_there(page: Page) -> None:
    look = """
    async (html) => {
      const { sandboxed } = await import('/panels.js');
      const { body } = new DOMParser().parseFromString(sandboxed(html), 'text/html');
      return body.innerHTML;
    }
    """
    kept = (
        '<h1 style="color: green">Week</h1>'
        "<table><tbody><tr><th>Mon</th><td>12</td></tr></tbody></table>"
        '<img src="data:image/png;base64,AAAA" alt="a chart">'
        "<details><summary>More</summary><p>text</p></details>"
        '<svg viewBox="0 0 9 9"><circle cx="4" cy="4" r="3" fill="red"></circle></svg>'
        "<pre>a &lt;\n b</pre>"
    )
    assert await page.evaluate(look, kept) == kept
    linked = await page.evaluate(look, 'See <a href="https://example.org">the list</a>.')
    assert linked == "See <a>the list</a>."
    assert await page.evaluate(look, "<style>p{color:red}</style><p>x</p>") == (
        "<style>p{color:red}</style><p>x</p>"
    )
    # The first line of a <pre> is lost each time that it is read: the words are all that is steady.
    assert await page.evaluate(look, "<pre>" + "\n" * 9 + "words</pre>") == "\n" * 8 + "words"
