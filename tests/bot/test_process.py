"""A bot process starts as told, reports how far it has come, and always ends."""

from __future__ import annotations

import asyncio
import http
import os
import signal
import warnings
from pathlib import Path

import pytest
import uvloop

from greenroom.bot import load
from greenroom.wire.link import BotLevel, CommandKind, ReportKind
from greenroom.wire.process import ExitCode, Progress
from tests.bot.child import Host
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom


def test_preloading_leaves_nothing_that_a_fork_would_break(host: Host) -> None:
    facts = host.facts()
    assert facts["sockets"] == []
    assert facts["polls"] == []  # an event loop would have one
    assert facts["threads"] == ["MainThread"]


def test_names_are_looked_up_in_a_child_of_a_process_that_has_looked_some_up() -> None:
    """The only native threads that a rehearsed call leaves are libuv's, which do just that."""

    def look_up() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()
            runner.run(asyncio.wait_for(loop.getaddrinfo("localhost", 80), 5))

    look_up()
    workers = [path for path in Path("/proc/self/task").glob("*/comm") if _is_libuvs(path)]
    assert workers, "libuv has no threads for names any more: say so where they are spoken of"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12's, of threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            look_up()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _is_libuvs(comm: Path) -> bool:
    try:
        return comm.read_text().startswith("libuv")
    except OSError:  # it has ended
        return False


async def test_says_hello_with_its_launch_its_pid_and_its_level(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    process = start()
    await greenroom.linked()
    await process.reached(Progress.LINKED)
    hello = greenroom.hellos[0]
    assert hello.launch_id == "launch-1"
    assert hello.level is BotLevel.OBSERVED
    assert not hello.resumed
    os.kill(hello.pid, 0)  # raises if there is no such process


async def test_joins_once_its_pipeline_runs(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await greenroom.report(ReportKind.BOT_JOINED)
    await process.reached(Progress.JOINED)
    joined = await greenroom.report(ReportKind.USER_JOINED)
    assert joined.data == {"participant": page.participant}


async def test_ends_at_once_when_told_to(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    before_s = asyncio.get_running_loop().time()
    await greenroom.command(CommandKind.END, {"reason": "user"})
    assert await process.exit_code() == ExitCode.OK
    assert asyncio.get_running_loop().time() - before_s < 1.0
    await page.is_closed()


async def test_ends_when_told_to_before_any_page_came(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    process = start()
    await greenroom.linked()
    await greenroom.command(CommandKind.END, {"reason": "user"})
    assert await process.exit_code() == ExitCode.OK


async def test_ends_politely_on_sigterm(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    os.kill(greenroom.hellos[0].pid, signal.SIGTERM)
    assert await process.exit_code() == ExitCode.OK
    await page.is_closed()


async def test_a_bot_that_swallows_cancellation_ends_all_the_same(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start("tests.bot.bots.stubborn")
    await greenroom.linked()
    await open_page().connect()
    await greenroom.command(CommandKind.END)
    assert await process.exit_code(within_s=3.0) == ExitCode.OK


async def test_an_exception_is_reported_and_its_traceback_is_the_last_words(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    process = start("tests.bot.bots.raises")
    await greenroom.linked()  # and nobody offers: a bot does not wait for a page
    error = await greenroom.report(ReportKind.ERROR)
    assert error.data["code"] == "bot_raised"
    assert error.data["fatal"] is True
    assert await process.exit_code() == ExitCode.BOT_RAISED
    assert "LookupError: the bot's own mistake" in process.last_words


async def test_a_bot_that_raises_in_mid_call_is_told_and_its_page_is_let_go(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start("tests.bot.bots.raises_later")
    await greenroom.linked()
    page = open_page()
    await page.connect()
    error = await greenroom.report(ReportKind.ERROR)
    assert error.data == {"code": "bot_raised", "message": "The bot failed.", "fatal": True}
    assert greenroom.kinds().index("bot.joined") < greenroom.kinds().index("error")
    assert await process.exit_code() == ExitCode.BOT_RAISED
    await page.is_closed()


async def test_a_bot_that_never_uses_its_connection_has_not_joined(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start("tests.bot.bots.stubborn")
    await greenroom.linked()
    await open_page().connect()
    await greenroom.report(ReportKind.USER_JOINED)
    await greenroom.command(CommandKind.SAY, {"text": "a command's way round"})
    assert greenroom.kinds() == ["user.joined"]


async def test_a_module_without_bot_is_told_apart(start: StartBot) -> None:
    process = start("tests.bot.bots.nothing")
    assert await process.exit_code() == ExitCode.NO_BOT
    assert "async def bot" in process.last_words


async def test_a_fenced_bot_ends_and_never_dials_again(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    process = start()
    await greenroom.linked()
    await greenroom.fence()
    assert await process.exit_code() == ExitCode.LINK_REFUSED
    assert len(greenroom.hellos) == 1


async def test_a_refused_bot_ends(start: StartBot, greenroom: FakeGreenroom) -> None:
    greenroom.refuse_with = http.HTTPStatus.FORBIDDEN
    process = start()
    assert await process.exit_code() == ExitCode.LINK_REFUSED
    assert greenroom.hellos == []


async def test_no_transcript_and_no_secret_is_logged(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 28."""
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    await greenroom.command(CommandKind.END)
    await process.exit_code()
    assert process.last_words == ""


def test_a_bot_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "lines.py").write_text("FIRST = 'hello'\n")
    path = tmp_path / "bot.py"
    path.write_text("import lines\n\nasync def bot(runner_args):\n    return lines.FIRST\n")
    module = load.load(str(path))
    assert load.load(str(path)) is module
    assert load.entry(module).__name__ == "bot"


def test_a_file_that_is_not_there_is_no_bot(tmp_path: Path) -> None:
    with pytest.raises(load.NoBot):
        load.load(str(tmp_path / "bot.py"))
