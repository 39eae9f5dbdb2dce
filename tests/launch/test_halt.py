"""The brake and the force: nothing begins while it is pulled, and nobody outlives `--force`."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from greenroom.errors import Halted
from greenroom.launch import halt
from greenroom.launch.force import (
    ASK_WITHIN_S,
    DIE_WITHIN_S,
    LOOKS,
    processes_of,
    stop_by_force,
)
from greenroom.launch.local import LocalLauncher
from greenroom.launch.state import StateDir
from greenroom.testing.hosts import Trouble
from tests.launch.helpers import HOST, PRELOAD_WITHIN_S, an_order, eventually, joined


def family_of(state_dir: Path) -> list[psutil.Process]:
    return processes_of(StateDir(state_dir))


@contextlib.contextmanager
def a_sleeper(word: str, stderr: IO[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has this word in its command line and does nothing."""
    command = [sys.executable, "-c", "import time; time.sleep(60)", word]
    with subprocess.Popen(command, stderr=stderr) as sleeper:
        yield sleeper
        sleeper.kill()


async def test_while_the_brake_is_pulled_no_launch_begins(
    launcher: LocalLauncher, state_dir: Path
) -> None:
    before, after = an_order(), an_order()
    await launcher.start(before)
    await launcher.halt("fire")
    with pytest.raises(Halted, match="fire"):
        await launcher.start(after)
    other = LocalLauncher(state_dir, host=HOST, preload_within_s=PRELOAD_WITHIN_S)
    with pytest.raises(Halted):
        await other.start(after)
    await other.close()
    await joined(launcher, before)  # it had begun: to end it is its session's business
    assert [p.launch_id for p in await launcher.living()] == [before.launch_id]
    assert (await launcher.resume(), await launcher.resume()) == (True, False)
    await launcher.start(after)


@pytest.mark.parametrize("text", ["", "{}", '{"at": "x"}', "fire", "\x00"])
def test_a_brake_that_nobody_can_read_holds(tmp_path: Path, text: str) -> None:
    (tmp_path / halt.FILE).write_text(text)
    with pytest.raises(Halted):
        halt.refuse_if_pulled(tmp_path)


async def test_force_asks_the_supervisor_and_bots_that_ignore_it_die(
    launcher: LocalLauncher, state_dir: Path
) -> None:
    """FAILURES 24: it works while a bot hangs in synchronous code and ignores SIGTERM (18)."""
    bots = [an_order(Trouble.NONE), an_order(Trouble.HANGS)]
    for order in bots:
        await launcher.start(order)
        await joined(launcher, order)
    family = family_of(state_dir)
    began_s = time.monotonic()
    forced = await stop_by_force(state_dir, "fire")
    assert time.monotonic() - began_s < ASK_WITHIN_S + LOOKS * DIE_WITHIN_S
    assert (forced.halted, forced.bots, forced.left) == (True, 2, [])
    await eventually(lambda: not any(p.is_running() for p in family))
    with pytest.raises(Halted):
        await launcher.start(an_order())


async def test_force_kills_a_supervisor_that_does_not_answer_and_all_it_started(
    launcher: LocalLauncher, state_dir: Path
) -> None:
    """FAILURES 24: supervisor, zygote and bot are all deaf to everything but SIGKILL."""
    order = an_order()
    await launcher.start(order)
    await joined(launcher, order)
    family = family_of(state_dir)
    assert len(family) >= 3
    for process in family:
        process.send_signal(signal.SIGSTOP)
    forced = await stop_by_force(state_dir, "")
    assert forced.bots is None
    assert {process.pid for process in family} <= set(forced.killed)
    assert forced.left == []


async def test_force_finds_what_outlived_its_supervisor(tmp_path: Path) -> None:
    """It is known by its log, which lies in the state directory."""
    state = StateDir.prepare(tmp_path)
    with (
        (state.logs / "zygote.log").open("wb") as log,
        a_sleeper("greenroom.launch.zygote", stderr=log) as orphan,
    ):
        forced = await stop_by_force(tmp_path, "")
        assert (forced.bots, forced.killed, forced.left) == (None, [orphan.pid], [])


async def test_force_hits_nobody_who_only_has_a_number_of_ours(tmp_path: Path) -> None:
    """A pid file of yesterday names somebody else's process by today."""
    state = StateDir.prepare(tmp_path)
    with a_sleeper(f"--state-dir={tmp_path}") as bystander:
        state.lock.write_text(f"{bystander.pid}\n")
        forced = await stop_by_force(tmp_path, "")
        assert (forced.killed, bystander.poll()) == ([], None)


async def test_force_goes_on_when_the_brake_cannot_be_pulled(tmp_path: Path) -> None:
    (tmp_path / halt.FILE).mkdir()  # whatever keeps the file from being written
    forced = await stop_by_force(tmp_path, "")
    assert (forced.halted, forced.left) == (False, [])
