"""Twenty launches of bots that fail: no process is left, and each page is told why."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from playwright.async_api import Browser

from greenroom.doctor.peer import a_peer
from tests.e2e.conftest import StartServer
from tests.e2e.person import a_person
from tests.e2e.server import Server, eventually
from tests.e2e.visitor import a_visitor, audio_offer

pytestmark = pytest.mark.e2e

JOIN_S = 5.0
TOLD_WITHIN_S = JOIN_S + 15

# Each launch draws a lot, so that every way to fail is met as often as it was put in.
BAD_BOT = '''
"""A bot that fails in the way that the lot it draws tells it."""
import asyncio
import os
import signal
import time
from pathlib import Path


def draw():
    for lot in sorted(Path(__file__).with_name("lots").iterdir()):
        try:
            lot.unlink()
        except FileNotFoundError:
            continue
        return lot.suffix


async def bot(runner_args):
    match draw():
        case ".raises":
            raise RuntimeError("on purpose")
        case ".exits":
            os._exit(3)
        case ".segfaults":
            os.kill(os.getpid(), signal.SIGSEGV)
        case ".returns":
            return
        case ".hangs":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        case ".never-joins":
            await asyncio.Event().wait()
'''
LOTS = {"raises": 4, "exits": 2, "segfaults": 2, "returns": 2, "hangs": 3, "never-joins": 3}
REASONS = Counter(launch_failed=10, bot_never_joined=6)

BROKEN_IMPORT = '''
"""A bot that cannot even be imported."""
raise RuntimeError("on purpose, at import")


async def bot(runner_args): ...
'''


RAISES_IN_MID_CALL = '''
"""A bot that fails once somebody is there."""
import asyncio


async def bot(runner_args):
    connection = runner_args.webrtc_connection
    met = asyncio.Event()

    @connection.event_handler("connected")
    async def meet(connection):
        met.set()

    await connection.connect()
    await met.wait()
    await asyncio.sleep(0.5)
    raise RuntimeError("on purpose")
'''

NO_BOT = '''
"""A module without a bot."""


def bot(runner_args): ...
'''


async def test_sixteen_bots_crash_hang_or_never_join(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "bad_bot.py").write_text(BAD_BOT)
    (tmp_path / "lots").mkdir()
    for how, times in LOTS.items():
        for number in range(times):
            (tmp_path / "lots" / f"{number}.{how}").touch()
    offer = await audio_offer()

    async with start_server(str(tmp_path / "bad_bot.py"), GREENROOM_JOIN_S=str(JOIN_S)) as server:
        reasons = await asyncio.gather(*(_fail(server, offer) for _ in range(sum(LOTS.values()))))
        assert Counter(reasons) == REASONS
        assert list((tmp_path / "lots").iterdir()) == []
        await eventually(lambda: not server.bots(), 8, "a bot still lives")


async def _fail(server: Server, offer: str) -> str:
    """One visitor whose bot fails; returns the reason that the visitor was told."""
    async with a_visitor(server.url) as visitor:
        started = await visitor.start()
        offering = asyncio.create_task(visitor.offer(offer))
        end = await visitor.follow_to_the_end(started["ticket"], TOLD_WITHIN_S)
        refused = await offering
    assert end["message"], end
    assert [event["seq"] for event in visitor.events] == list(range(1, len(visitor.events) + 1))
    for error in visitor.told("voice.error"):
        assert error["code"]
        assert error["message"]
    assert "on purpose" not in str(visitor.events), "tracebacks are for the log, not for the page"
    if refused.is_error:
        assert refused.json()["code"]
        assert refused.json()["message"]
    return str(end["reason"])


async def test_four_bots_raise_on_import_and_a_page_says_so(
    start_server: StartServer, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "broken_bot.py").write_text(BROKEN_IMPORT)
    offer = await audio_offer()
    async with (
        start_server(str(tmp_path / "broken_bot.py")) as server,
        a_person(browser, server.url) as person,
    ):
        visitors = asyncio.gather(*(_fail(server, offer) for _ in range(3)))
        await person.click("talk")
        notice = person.page.locator('[data-testid="notice"][data-code]')
        await notice.wait_for(timeout=TOLD_WITHIN_S * 1000)
        assert await notice.get_attribute("data-code") in {"launch_failed", "import_failed"}
        assert (await notice.inner_text()).strip()
        assert await visitors == ["launch_failed"] * 3
        assert "on purpose, at import" in server.log, "the traceback is there for the developer"
        assert server.bots() == []


async def test_a_bot_raises_in_mid_call_and_its_page_is_told(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "mid_call.py").write_text(RAISES_IN_MID_CALL)
    async with (
        start_server(
            str(tmp_path / "mid_call.py"), GREENROOM_ALLOW_LOOPBACK_MEDIA="true"
        ) as server,
        a_visitor(server.url) as visitor,
        a_peer(over_loopback=True) as peer,
    ):
        started = await visitor.call(peer)
        end = await visitor.follow_to_the_end(started["ticket"], TOLD_WITHIN_S)
        assert end["reason"] == "bot_crashed"
        assert end["message"]
        assert [error["code"] for error in visitor.told("voice.error")] == ["bot_raised"]
        assert "on purpose" not in str(visitor.events)
        await eventually(lambda: not server.bots(), 8, "a bot still lives")


async def test_a_module_without_bot_is_told_to_its_page_and_its_developer(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "no_bot.py").write_text(NO_BOT)
    offer = await audio_offer()
    async with start_server(str(tmp_path / "no_bot.py")) as server:
        assert await _fail(server, offer) == "launch_failed"
        assert "async def bot(runner_args)" in server.log
        assert server.bots() == []
