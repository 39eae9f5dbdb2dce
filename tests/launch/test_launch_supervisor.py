"""The supervisor's lifetime: found, raced for, killed, idle, ended; and what its bots see of it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from greenroom.errors import Unavailable
from greenroom.launch import local
from greenroom.launch.local import LocalLauncher
from greenroom.ports.launcher import ExitCause
from greenroom.testing.hosts import Trouble
from tests.launch.helpers import (
    HOST,
    PATIENCE_S,
    PRELOAD_WITHIN_S,
    an_order,
    busy_kin_of,
    children_of,
    eventually,
    exits_of,
    group_members,
    is_alive,
    joined,
    kin_of,
    process_of,
    supervisor_of,
    supervisors_of,
)


def _its_supervisor(launcher: LocalLauncher) -> psutil.Process:
    supervisor = supervisor_of(launcher.state_dir)
    assert supervisor is not None
    return supervisor


async def test_nothing_survives_a_killed_supervisor_and_the_next_one_accounts_for_it(
    launcher: LocalLauncher,
) -> None:
    orders = [an_order(), an_order(Trouble.HANGS), an_order(Trouble.HAS_CHILDREN)]
    async with exits_of(launcher) as exits:
        for order in orders:
            await launcher.start(order)
        pids = [(await joined(launcher, order)).pid for order in orders]
        _, daemon = await children_of(launcher, orders[-1])
        killed = _its_supervisor(launcher)
        kin = kin_of(killed.pid)
        assert set(pids) < set(kin)
        # A stopped zygote must not be a refuge.
        zygote = psutil.Process(pids[1]).ppid()
        os.kill(zygote, signal.SIGSTOP)
        # As if the machine had gone down in mid-write, too: that keeps no supervisor from starting.
        torn = an_order()
        (launcher.state_dir / "launches" / f"{torn.launch_id}.json").write_bytes(b"")
        killed.kill()
        await eventually(lambda: not kin_of(killed.pid), within_s=2.0)
        await eventually(lambda: not any(group_members(pid) for pid in pids), within_s=1.0)

        for order in [*orders, torn]:
            exit = await exits.of(order)
            assert (exit.cause, exit.exit_code) == (ExitCause.HOST_DIED, None)
        assert len(exits.all) == len(orders) + 1
        assert _its_supervisor(launcher).pid != killed.pid
        # The launch ids stay used.
        await launcher.start(orders[0])
        assert await launcher.living() == []
    # What made itself a daemon under a supervisor that was killed is nobody's any more.
    os.kill(daemon, signal.SIGKILL)


async def test_calls_outlive_a_killed_server_and_the_next_one_finds_them(
    launcher: LocalLauncher,
) -> None:
    """FAILURES 20."""
    order = an_order()
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.launch.server_process",
        str(launcher.state_dir),
        order.launch_id,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        bot = int(await server.stdout.readline())
    # All of the server's session, as a terminal that closes would.
    os.killpg(server.pid, signal.SIGKILL)
    await server.wait()

    assert is_alive(bot)
    found = await process_of(launcher, order)
    assert found is not None
    assert (found.pid, found.session_id, found.progress) == (bot, order.session_id, "joined")
    async with exits_of(launcher) as exits:
        await launcher.end(order.launch_id, polite_s=0, term_s=5)
        assert (await exits.of(order)).cause is ExitCause.ENDED


async def test_a_dying_zygote_takes_its_bots_along_and_the_next_launch_gets_a_fresh_one(
    launcher: LocalLauncher,
) -> None:
    lost, kept, later = an_order(Trouble.HAS_CHILDREN), an_order(), an_order(Trouble.HAS_CHILDREN)
    async with exits_of(launcher) as exits:
        for order in (lost, kept):
            await launcher.start(order)
        pid, kept_pid = [(await joined(launcher, order)).pid for order in (lost, kept)]
        os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
        assert (await exits.of(lost)).cause is ExitCause.HOST_DIED
        await eventually(lambda: not group_members(pid), within_s=1.0)
        assert is_alive(kept_pid)
        await launcher.start(later)
        await joined(launcher, later)
        daemons = [(await children_of(launcher, order))[1] for order in (lost, later)]
        await launcher.shutdown()
        await eventually(lambda: not any(map(is_alive, daemons)))


async def test_a_zygote_that_does_not_answer_is_passed_over(launcher: LocalLauncher) -> None:
    old, stuck, fresh = an_order(), an_order(join_within_s=0.4), an_order()
    async with exits_of(launcher) as exits:
        await launcher.start(old)
        pid = (await joined(launcher, old)).pid
        zygote = psutil.Process(pid).ppid()
        os.kill(zygote, signal.SIGSTOP)
        await launcher.end(old.launch_id, polite_s=0, term_s=0)
        await launcher.start(stuck)
        assert (await exits.of(stuck)).cause is ExitCause.JOIN_DEADLINE
        await launcher.start(fresh)
        assert psutil.Process((await joined(launcher, fresh)).pid).ppid() != zygote
        # Nobody reaps it, and yet its end is known.
        assert (await exits.of(old)).cause is ExitCause.ENDED
        assert not is_alive(pid)
        os.kill(zygote, signal.SIGCONT)
        # The request it finds now is for a launch that is over: nothing may come of it.
        await eventually(lambda: not psutil.pid_exists(zygote))
    assert len(exits.all) == 2


async def test_launchers_that_race_share_one_supervisor_and_shutdown_ends_it(
    launcher: LocalLauncher,
) -> None:
    rivals = [
        LocalLauncher(launcher.state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
        for _ in range(3)
    ]
    order = an_order()
    await asyncio.gather(*(rival.start(order) for rival in rivals))
    bot = await joined(launcher, order)
    assert [len(await rival.living()) for rival in rivals] == [1, 1, 1]
    await eventually(lambda: supervisors_of(launcher.state_dir) == [_its_supervisor(launcher).pid])
    supervisor = _its_supervisor(launcher)
    zygote = psutil.Process(bot.pid).ppid()
    assert set(busy_kin_of(supervisor.pid)) - {zygote} == {bot.pid}
    await launcher.shutdown()
    assert not is_alive(bot.pid)
    await eventually(lambda: not is_alive(supervisor.pid))
    await launcher.shutdown()  # of nothing
    for rival in rivals:
        await rival.close()


async def test_only_its_user_reaches_the_supervisor(shared: LocalLauncher) -> None:
    await shared.living()
    socket = shared.state_dir / "supervisor.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert os.getsid(_its_supervisor(shared).pid) != os.getsid(0)


async def test_the_servers_own_settings_do_not_reach_bots(
    launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILURES 28."""
    monkeypatch.setenv("GREENROOM_SECRET", "the-servers-own")
    monkeypatch.setenv("OPENAI_API_KEY", "the-bots")
    order = an_order()
    await launcher.start(order)
    environment = psutil.Process((await joined(launcher, order)).pid).environ()
    assert environment["OPENAI_API_KEY"] == "the-bots"
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert not any(name.startswith("GREENROOM_") for name in environment)


async def test_an_idle_supervisor_ends_but_not_while_a_bot_lives(state_dir: Path) -> None:
    launcher = LocalLauncher(state_dir, host=HOST, idle_exit_s=0.4)
    order = an_order(wall_clock_s=1.5)
    await launcher.start(order)
    await launcher.close()
    supervisor = _its_supervisor(launcher)
    await eventually(lambda: not is_alive(supervisor.pid))
    lived_s = time.time() - supervisor.create_time()
    assert lived_s > 1.9
    assert not kin_of(supervisor.pid)
    # What nobody has heard is kept for the next.
    async with exits_of(launcher) as exits:
        assert (await exits.of(order)).cause is ExitCause.WALL_CLOCK
    await launcher.shutdown()


async def test_sigterm_ends_every_bot_politely_and_then_the_supervisor(
    launcher: LocalLauncher,
) -> None:
    good, deaf = an_order(), an_order(Trouble.HANGS)
    for order in (good, deaf):
        await launcher.start(order)
        await joined(launcher, order)
    supervisor = _its_supervisor(launcher)
    supervisor.terminate()
    await eventually(lambda: len(busy_kin_of(supervisor.pid)) == 3)  # zygotes, deaf bot
    supervisor.terminate()  # a second one hurries
    await eventually(lambda: not is_alive(supervisor.pid), within_s=3.0)
    assert not kin_of(supervisor.pid)
    async with exits_of(launcher) as exits:
        assert (await exits.of(good)).exit_code == 0
        assert (await exits.of(deaf)).signal == signal.SIGKILL


async def test_a_supervisor_that_does_not_answer_is_unavailable_in_bounded_time(
    shared: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.living()
    monkeypatch.setattr(local, "CALL_WITHIN_S", 0.2)
    monkeypatch.setattr("greenroom.launch.finding.START_WITHIN_S", 0.2)
    supervisor = _its_supervisor(shared)
    supervisor.suspend()
    try:
        async with asyncio.timeout(2.0):
            with pytest.raises(Unavailable):
                await shared.living()
    finally:
        supervisor.resume()
    monkeypatch.undo()
    assert isinstance(await shared.living(), list)


async def test_an_outdated_supervisor_is_replaced_once_it_has_no_bots(
    launcher: LocalLauncher,
) -> None:
    order = an_order()
    await launcher.start(order)
    await joined(launcher, order)
    first = _its_supervisor(launcher).pid
    newer = LocalLauncher(launcher.state_dir, host=HOST, preload_within_s=7.0)
    assert len(await newer.living()) == 1  # found, not replaced: somebody is talking
    await newer.close()
    async with exits_of(launcher) as exits:
        await launcher.end(order.launch_id, polite_s=0, term_s=5)
        await exits.of(order)
    await launcher.close()
    async with asyncio.timeout(PATIENCE_S):
        while _its_supervisor(launcher).pid == first:  # until it has noticed that we left
            assert await newer.living() == []
            await newer.close()


async def _as_another_server_sees(launcher: LocalLauncher) -> list[Any]:
    """What another server's launcher, in this process's environment, says of the supervisor."""
    newer = LocalLauncher(launcher.state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
    with capture_logs() as logs:
        await newer.living()
    await newer.close()
    return [(line["event"], line["log_level"]) for line in logs]


async def test_a_supervisor_is_outdated_only_when_its_code_is(
    launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order()
    await launcher.start(order)
    await joined(launcher, order)
    # As after `make run`, in another terminal, and from systemd.
    changes_nothing = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TERM", "SSH_TTY", "INVOCATION_ID")
    for name in changes_nothing:
        monkeypatch.setenv(name, "another")
    assert await _as_another_server_sees(launcher) == []
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    other = [("supervisor.of_another_environment", "warning")]
    assert await _as_another_server_sees(launcher) == other, "new bots have the old key"
    monkeypatch.setattr("greenroom.__version__", "99.0.0")
    assert await _as_another_server_sees(launcher) == [("supervisor.outdated", "warning")]


async def test_where_fork_is_not_safe_bots_are_spawned(state_dir: Path) -> None:
    launcher = LocalLauncher(state_dir, host=HOST, method="spawn", preload_within_s=0.5)
    good, raising = an_order(), an_order(Trouble.RAISES_ON_IMPORT)
    hanging, survivor = an_order(Trouble.HANGS_ON_IMPORT), an_order(Trouble.HANGS)
    async with exits_of(launcher) as exits:
        for order in (good, raising, hanging, survivor):
            await launcher.start(order)
        await joined(launcher, good)
        await launcher.end(good.launch_id, polite_s=0, term_s=5)
        assert ((await exits.of(good)).cause, (await exits.of(good)).exit_code) == ("ended", 0)
        failed = await exits.of(raising)
        assert (failed.cause, failed.exit_code) == (ExitCause.IMPORT_FAILED, 1)
        assert "a library that nobody has" in failed.last_words
        hung = await exits.of(hanging)
        assert hung.cause is ExitCause.IMPORT_HUNG
        assert "_hang_in_import" in hung.last_words

        assert "supervisor.spawning" in (state_dir / "supervisor.log").read_text()
        killed = _its_supervisor(launcher)
        await joined(launcher, survivor)
        killed.kill()
        await eventually(lambda: not kin_of(killed.pid), within_s=2.0)
        assert (await exits.of(survivor)).cause is ExitCause.HOST_DIED
    await launcher.shutdown()
