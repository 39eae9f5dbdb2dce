"""Spares: handed over once, never counted as bots, and never the reason for a second one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
import structlog

from greenroom.launch.hatch import RawExit
from greenroom.launch.local import LocalLauncher
from greenroom.launch.packets import Taken, Waiting
from greenroom.launch.spares import MOST_FAILURES, Birth, Spares
from greenroom.ports.launcher import ExitCause, LaunchOrder
from greenroom.testing.hosts import Trouble
from tests.launch.helpers import (
    HOST,
    an_order,
    busy_kin_of,
    eventually,
    exits_of,
    group_members,
    is_alive,
    joined,
    kin_of,
    pong_of,
    spares_of,
    supervisor_of,
    waiting_spare,
)


def _supervisor_pid(launcher: LocalLauncher) -> int:
    supervisor = supervisor_of(launcher.state_dir)
    assert supervisor is not None
    return int(supervisor.pid)


def _log(launcher: LocalLauncher) -> str:
    return (launcher.state_dir / "supervisor.log").read_text()


async def _launched(launcher: LocalLauncher, order: LaunchOrder) -> int:
    """The pid of the one bot of a launch, after a look that it is the only one."""
    await launcher.start(order)
    bot = (await joined(launcher, order)).pid
    zygote = psutil.Process(bot).ppid()
    assert set(busy_kin_of(_supervisor_pid(launcher))) - {zygote} == {bot}
    return bot


async def test_a_launch_is_handed_to_the_spare_which_is_then_replaced(
    launcher: LocalLauncher,
) -> None:
    first, second = an_order(), an_order()
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    assert await _launched(launcher, first) == spare
    replaced_by = await waiting_spare(launcher)
    assert replaced_by != spare
    await launcher.start(second)
    assert (await joined(launcher, second)).pid == replaced_by  # a session each, a process each


async def test_a_spare_is_counted_and_is_no_bot(launcher: LocalLauncher) -> None:
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    assert await launcher.living() == []
    pong = await pong_of(launcher.state_dir)
    assert (pong.spares, pong.launches) == (1, 0)
    # Who looks at it sees no launch: as the zygote does, it knows its supervisor and its bot.
    assert psutil.Process(spare).cmdline() == psutil.Process(psutil.Process(spare).ppid()).cmdline()
    # Whoever looks for strays lets it live.
    assert os.getsid(spare) == spare


async def test_a_handed_over_bot_ends_like_any_other_and_has_a_log_of_its_own(
    launcher: LocalLauncher,
) -> None:
    kept, failing = an_order(), an_order(Trouble.RAISES)
    for bot in (Trouble.NONE, Trouble.RAISES):
        await launcher.warm(bot)
        await eventually(lambda: spares_of(_supervisor_pid(launcher)))
    async with exits_of(launcher) as exits:
        await eventually(lambda: len(spares_of(_supervisor_pid(launcher))) == 2)
        for order in (kept, failing):
            await launcher.start(order)
        failed = await exits.of(failing)
        assert (failed.cause, failed.exit_code) == (ExitCause.EXITED, 70)
        assert "the bot's own mistake" in failed.last_words
        await joined(launcher, kept)
        await launcher.end(kept.launch_id, polite_s=0, term_s=10)
        assert ((await exits.of(kept)).cause, (await exits.of(kept)).exit_code) == ("ended", 0)
        assert len(exits.all) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "stuck"])
async def test_a_spare_that_does_not_answer_is_dead_before_another_bot_lives(
    launcher: LocalLauncher, how: signal.Signals
) -> None:
    """FAILURES 3: it answers late, and somebody else has been asked by then."""
    order = an_order()
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    os.kill(spare, how)
    bot = await _launched(launcher, order)
    assert bot != spare
    assert not is_alive(spare)
    async with exits_of(launcher) as exits:
        await launcher.end(order.launch_id, polite_s=0, term_s=5)
        assert (await exits.of(order)).cause is ExitCause.ENDED
        assert len(exits.all) == 1  # no spare ever has an exit
    assert await waiting_spare(launcher) not in (spare, bot)


async def test_an_end_in_the_middle_of_a_hand_over_leaves_no_process(
    launcher: LocalLauncher,
) -> None:
    order = an_order()
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    zygote = psutil.Process(spare).ppid()
    os.kill(spare, signal.SIGSTOP)
    async with exits_of(launcher) as exits:
        await launcher.start(order)
        await launcher.end(order.launch_id, polite_s=60, term_s=60)
        assert (await exits.of(order, within_s=2.0)).cause is ExitCause.ENDED
        await eventually(lambda: not is_alive(spare))
        assert set(busy_kin_of(_supervisor_pid(launcher))) <= {zygote}


async def test_two_launches_at_once_share_no_spare(launcher: LocalLauncher) -> None:
    """FAILURES 30: one process, one session."""
    orders = an_order(), an_order()
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    os.kill(spare, signal.SIGSTOP)  # until both have asked for a process
    for order in orders:
        await launcher.start(order)
    os.kill(spare, signal.SIGCONT)
    pids = [(await joined(launcher, order)).pid for order in orders]
    assert len(set(pids)) == 2


async def test_spares_die_with_a_killed_zygote_and_are_nobodys_exit(
    launcher: LocalLauncher,
) -> None:
    order = an_order()
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    zygote = psutil.Process(spare).ppid()
    os.kill(zygote, signal.SIGKILL)
    await eventually(lambda: not group_members(spare), within_s=2.0)
    bot = await _launched(launcher, order)
    assert psutil.Process(bot).ppid() != zygote
    async with exits_of(launcher) as exits:
        await launcher.end(order.launch_id, polite_s=0, term_s=0)
        await exits.of(order)
        assert len(exits.all) == 1


async def test_spares_die_with_a_killed_supervisor(launcher: LocalLauncher) -> None:
    await launcher.warm(Trouble.NONE)
    spare = await waiting_spare(launcher)
    supervisor = _supervisor_pid(launcher)
    os.kill(psutil.Process(spare).ppid(), signal.SIGSTOP)  # it is no refuge
    os.kill(supervisor, signal.SIGKILL)
    await eventually(lambda: not kin_of(supervisor), within_s=2.0)
    async with exits_of(launcher) as exits:
        order = an_order(Trouble.BRIEF)
        await launcher.start(order)
        await exits.of(order)
        assert len(exits.all) == 1  # the next supervisor accounts for launches only


async def test_the_spares_of_an_edited_bot_are_dropped(
    launcher: LocalLauncher, tmp_path: Path
) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text("def main() -> int:\n    return 11\n")
    await launcher.warm(str(bot))
    spare = await waiting_spare(launcher)
    zygote = psutil.Process(spare).ppid()
    bot.write_text("def main() -> int:\n    return 122\n")
    order = an_order(str(bot))
    async with exits_of(launcher) as exits:
        await launcher.start(order)
        assert (await exits.of(order)).exit_code == 122
    await eventually(lambda: not is_alive(spare) and not is_alive(zygote))
    replaced_by = await waiting_spare(launcher)
    assert psutil.Process(replaced_by).ppid() != zygote


async def test_a_rehearsal_that_hangs_keeps_no_launch_waiting(launcher: LocalLauncher) -> None:
    order = an_order(Trouble.HANGS_IN_REHEARSAL)
    await launcher.warm(order.bot)
    spare = (await eventually(lambda: spares_of(_supervisor_pid(launcher))))[0]
    assert await _launched(launcher, order) != spare
    assert (await pong_of(launcher.state_dir)).spares == 0


async def test_spares_that_fail_again_and_again_are_given_up(launcher: LocalLauncher) -> None:
    order = an_order(Trouble.FAILS_IN_REHEARSAL)
    await launcher.warm(order.bot)
    last = f'"failures": {MOST_FAILURES}'
    await eventually(lambda: last in _log(launcher))
    assert _log(launcher).count("spare.ended") == MOST_FAILURES
    await _launched(launcher, order)
    zygote_logs = (launcher.state_dir / "logs").glob("zygote-*")
    assert any("nobody knows their lines" in log.read_text() for log in zygote_logs)


async def test_who_asks_while_a_spare_is_handed_over_gets_none(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    posts: list[socket.socket] = []

    def fork(post: socket.socket) -> Birth:
        posts.append(post.dup())
        birth = Birth(loop.create_future(), loop.create_future())
        birth.pid.set_result(child.pid)
        return birth

    spares = Spares(1, fork, structlog.get_logger())
    ours, line = socket.socketpair()
    with ours, line:
        spares.refill(0.0)
        await eventually(lambda: posts)
        posts[0].send(Waiting().to_json().encode())
        await eventually(lambda: spares.count == 1)
        first = asyncio.create_task(spares.hand_over(line, tmp_path / "first.log"))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await spares.hand_over(line, tmp_path / "second.log") is None
        assert not first.done()
        posts[0].send(Taken().to_json().encode())
        bot = await first
        assert bot is not None
        assert bot.pid == child.pid
        posts[0].close()
    await child.communicate(b"\n")


async def test_after_some_failures_no_more_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenroom.launch.spares.REPLACED_AFTER_S", 0.0)
    loop = asyncio.get_running_loop()
    births: list[Birth] = []

    def fork(post: socket.socket) -> Birth:
        births.append(Birth(loop.create_future(), loop.create_future()))
        loop.call_soon(births[-1].exit.set_result, RawExit(1))
        return births[-1]

    spares = Spares(1, fork, structlog.get_logger())
    spares.refill(0.0)
    for _ in range(20):
        await asyncio.sleep(0)
        spares.refill(0.0)
        await asyncio.sleep(0)
    assert len(births) == MOST_FAILURES


async def test_without_spares_every_bot_is_forked_when_it_is_ordered(state_dir: Path) -> None:
    launcher = LocalLauncher(state_dir, host=HOST, spares=0)
    order, later = an_order(), an_order()
    try:
        await launcher.warm(Trouble.NONE)
        for each in (order, later):
            before = kin_of(_supervisor_pid(launcher))
            await launcher.start(each)
            assert (await joined(launcher, each)).pid not in before
        assert spares_of(_supervisor_pid(launcher)) == []
    finally:
        await launcher.shutdown()
