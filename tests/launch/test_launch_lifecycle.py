"""A bot's way from the order to the exit, and what is idempotent about it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from greenroom.errors import BadRequest, BadSetting, LaunchFailed
from greenroom.launch.connection import ImportFailure
from greenroom.launch.local import LocalLauncher
from greenroom.ports.launcher import ExitCause, Launcher
from greenroom.testing.hosts import Trouble
from tests.launch.helpers import (
    SECRET,
    Exits,
    an_order,
    eventually,
    exits_of,
    is_alive,
    joined,
    process_of,
)


async def test_a_bot_starts_joins_and_is_ended_politely(
    shared: LocalLauncher, exits: Exits
) -> None:
    port: Launcher = shared
    order = an_order()
    await port.start(order)
    process = await joined(shared, order)
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert process.session_id == order.session_id

    await port.end(order.launch_id, polite_s=0, term_s=10)
    exit = await exits.of(order)
    assert (exit.cause, exit.exit_code, exit.signal) == (ExitCause.ENDED, 0, None)
    assert exit.session_id == order.session_id
    assert not is_alive(process.pid)
    assert await process_of(shared, order) is None


async def test_a_bot_that_leaves_by_itself_within_the_polite_time_is_sent_no_signal(
    shared: LocalLauncher, exits: Exits
) -> None:
    order = an_order(Trouble.BRIEF)
    await shared.start(order)
    exit = await exits.of(order)
    assert (exit.cause, exit.exit_code) == (ExitCause.EXITED, 0)


async def test_the_same_launch_started_twice_is_one_process_for_ever(
    shared: LocalLauncher, exits: Exits
) -> None:
    order = an_order(Trouble.BRIEF)
    await shared.start(order)
    await shared.start(order)
    await exits.of(order)
    await shared.start(order)
    await shared.forget(order.launch_id)
    await shared.start(order)
    assert await process_of(shared, order) is None
    # A launch that comes later is through; nothing of the earlier one was pending.
    later = an_order(Trouble.BRIEF)
    await shared.start(later)
    await exits.of(later)
    assert len(exits.known(order.launch_id)) == 1


async def test_ending_and_forgetting_unknown_launches_does_nothing(shared: LocalLauncher) -> None:
    await shared.end("nobody", polite_s=0, term_s=0)
    await shared.forget("nobody")


async def test_an_exit_is_told_again_until_it_is_forgotten(
    shared: LocalLauncher, exits: Exits
) -> None:
    order, forgotten = an_order(Trouble.BRIEF), an_order(Trouble.BRIEF)
    for each in (forgotten, order):
        await shared.start(each)
        await exits.of(each)
    await shared.forget(forgotten.launch_id)
    async with exits_of(shared) as again:
        assert await again.of(order) == await exits.of(order)
        assert not again.known(forgotten.launch_id)


async def test_the_secret_is_nowhere_but_in_the_bot(
    shared: LocalLauncher, exits: Exits, shared_state_dir: Path
) -> None:
    """FAILURES 28."""
    talker, order = an_order(Trouble.TELLS_SECRET), an_order()
    await shared.start(talker)
    assert "***" in (await exits.of(talker)).last_words
    assert SECRET not in (await exits.of(talker)).last_words

    await shared.start(order)
    process = psutil.Process((await joined(shared, order)).pid)
    assert SECRET not in str(process.environ()) + str(process.cmdline())
    await shared.end(order.launch_id, polite_s=0, term_s=5)
    await exits.of(order)
    own_log = (shared_state_dir / "supervisor.log").read_text()
    journal = (shared_state_dir / "launches" / f"{order.launch_id}.json").read_text()
    assert SECRET not in own_log + journal
    assert order.launch_id in own_log


async def test_an_edited_bot_file_is_imported_anew(
    shared: LocalLauncher, exits: Exits, tmp_path: Path
) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text("def main() -> int:\n    return 11\n")
    before, again, after = an_order(str(bot)), an_order(str(bot)), an_order(str(bot))
    for each in (before, again):
        await shared.start(each)
        assert (await exits.of(each)).exit_code == 11
    bot.write_text("def main() -> int:\n    return 122\n")
    await shared.start(after)
    assert (await exits.of(after)).exit_code == 122


async def test_an_edit_lets_the_calls_of_the_old_file_go_on(
    shared: LocalLauncher, exits: Exits, tmp_path: Path
) -> None:
    bot = tmp_path / "bot.py"
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    bot.write_text(f"def main() -> int:\n    return int(open({str(gate)!r}).read())\n")
    old, new = an_order(str(bot)), an_order(str(bot))
    await shared.start(old)
    process = await joined(shared, old)
    bot.write_text("def main() -> int:\n    return 5\n")
    await shared.start(new)
    assert (await exits.of(new)).exit_code == 5
    assert is_alive(process.pid)
    gate.write_text("7")
    assert (await exits.of(old)).exit_code == 7


async def test_warm_imports_and_tells_what_an_import_raised(shared: LocalLauncher) -> None:
    await shared.warm(Trouble.NONE)
    with pytest.raises(LaunchFailed) as refused:
        await shared.warm(Trouble.RAISES_ON_IMPORT)
    assert isinstance(refused.value.__cause__, ImportFailure)
    assert "a library that nobody has" in str(refused.value.__cause__)


@pytest.mark.parametrize("launch_id", ["", "../up", "a/b", ".hidden", "x" * 101])
async def test_a_launch_id_that_could_not_name_a_file_is_refused(
    shared: LocalLauncher, launch_id: str
) -> None:
    order = an_order(launch_id=launch_id or "-")
    with pytest.raises(BadRequest) as refused:
        await shared.start(order)
    assert SECRET not in refused.value.message


def test_a_state_directory_too_long_for_a_socket_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="too long"):
        LocalLauncher(tmp_path / ("x" * 100))


async def test_the_log_of_a_bot_is_bounded_and_keeps_its_end(
    shared: LocalLauncher, exits: Exits, shared_state_dir: Path
) -> None:
    """FAILURES 16."""
    order = an_order(Trouble.TALKS_MUCH)
    log = shared_state_dir / "logs" / f"{order.launch_id}.log"
    await shared.start(order)
    await eventually(lambda: log.exists() and "that was all" in log.read_text()[-100:])
    await eventually(lambda: log.stat().st_size <= 1024 * 1024)
    await shared.end(order.launch_id, polite_s=0, term_s=5)
    exit = await exits.of(order)
    assert exit.last_words.endswith("that was all")
    assert len(exit.last_words) <= 4000
