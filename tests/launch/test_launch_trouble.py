"""Bots in every kind of trouble: each is ended on time, accounted for once, and explained."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from greenroom.launch.local import LocalLauncher
from greenroom.launch.logs import KEPT_LOGS
from greenroom.ports.launcher import ExitCause, LaunchOrder
from greenroom.testing.hosts import Trouble
from tests.launch.helpers import (
    Exits,
    an_order,
    children_of,
    eventually,
    exits_of,
    group_members,
    is_alive,
    joined,
    kin_of,
    spares_of,
    supervisor_of,
)

# trouble → cause, and what somebody who reads the last words must find there
BAD_LAUNCHES = {
    Trouble.SEGFAULTS: (ExitCause.SIGNALLED, "Segmentation fault"),
    Trouble.HANGS_ON_IMPORT: (ExitCause.IMPORT_HUNG, "_hang_in_import"),
    Trouble.RAISES_ON_IMPORT: (ExitCause.IMPORT_FAILED, "needs a library that nobody has"),
    Trouble.NEVER_JOINS: (ExitCause.JOIN_DEADLINE, "_never_join"),
}


async def test_twenty_bad_launches_leave_twenty_exits_and_nothing_else(
    launcher: LocalLauncher,
) -> None:
    orders = [
        an_order(trouble, join_within_s=1.0 if trouble is Trouble.NEVER_JOINS else 20.0)
        for trouble in BAD_LAUNCHES
        for _ in range(5)
    ]
    # A busy machine may take longer over our own imports than these bots have to join.
    await launcher.warm(Trouble.NEVER_JOINS)
    async with exits_of(launcher) as exits:
        await asyncio.gather(*(launcher.start(order) for order in orders))
        for order in orders:
            exit = await exits.of(order)
            cause, words = BAD_LAUNCHES[Trouble(order.bot)]
            assert (exit.cause, words in exit.last_words) == (cause, True), exit
        assert len(exits.all) == len(orders)
        assert await launcher.living() == []
    supervisor = supervisor_of(launcher.state_dir)
    assert supervisor is not None
    # Only zygotes that can still fork are left, and they have no children but a spare each.
    await eventually(lambda: len(supervisor.children()) == 2)
    await eventually(lambda: len(spares_of(supervisor.pid)) == 2)
    await eventually(lambda: len(supervisor.children(recursive=True)) == 4)
    assert len(kin_of(supervisor.pid)) == 4


async def test_a_log_that_cannot_be_deleted_costs_no_other_bot_its_life(
    launcher: LocalLauncher,
) -> None:
    for number in range(KEPT_LOGS + 1):
        (launcher.state_dir / "logs" / f"{number}.log").mkdir()
    async with exits_of(launcher) as exits:
        for _ in range(2):
            order = an_order(Trouble.EXITS_WITH_9)
            await launcher.start(order)
            assert (await exits.of(order)).exit_code == 9
    assert "pruning.failed" in (launcher.state_dir / "supervisor.log").read_text()


@pytest.mark.parametrize(
    ("trouble", "cause", "exit_code", "signal_number", "words"),
    [
        (Trouble.ABORTS, ExitCause.SIGNALLED, None, signal.SIGABRT, "_abort"),
        (Trouble.RAISES, ExitCause.EXITED, 70, None, "the bot's own mistake"),
        (Trouble.EXITS_WITH_9, ExitCause.EXITED, 9, None, "leaving with 9"),
        (Trouble.CRASHES_ON_IMPORT, ExitCause.IMPORT_FAILED, None, signal.SIGSEGV, "preload"),
        ("no_such_bot", ExitCause.IMPORT_FAILED, 1, None, "no_such_bot"),
    ],
)
async def test_how_it_ended_is_told_exactly(
    shared: LocalLauncher,
    exits: Exits,
    trouble: str,
    cause: ExitCause,
    exit_code: int | None,
    signal_number: int | None,
    words: str,
) -> None:
    order = an_order(trouble)
    await shared.start(order)
    exit = await exits.of(order)
    assert (exit.cause, exit.exit_code, exit.signal) == (cause, exit_code, signal_number)
    assert words in exit.last_words


async def test_an_import_that_outlasts_the_join_deadline_is_explained(
    shared: LocalLauncher, exits: Exits
) -> None:
    first, order = (an_order(Trouble.HANGS_ON_IMPORT, join_within_s=s) for s in (20.0, 0.2))
    await shared.start(first)
    await eventually(lambda: "this import does not end" in _logs_of_zygotes(shared))
    await shared.start(order)
    exit = await exits.of(order)
    assert exit.cause is ExitCause.IMPORT_HUNG
    assert "_hang_in_import" in exit.last_words
    await shared.end(first.launch_id, polite_s=0, term_s=0)
    await exits.of(first)


def _logs_of_zygotes(launcher: LocalLauncher) -> str:
    newest = sorted((launcher.state_dir / "logs").glob("zygote-*"), key=lambda p: p.stat().st_mtime)
    return newest[-1].read_text()


async def test_a_launch_can_be_ended_while_its_module_is_imported(
    shared: LocalLauncher, exits: Exits
) -> None:
    order = an_order(Trouble.HANGS_ON_IMPORT)
    await shared.start(order)
    await shared.end(order.launch_id, polite_s=60, term_s=60)
    assert (await exits.of(order, within_s=2.0)).cause is ExitCause.ENDED


async def _ended_within(
    launcher: LocalLauncher, exits: Exits, order: LaunchOrder, *, polite_s: float, term_s: float
) -> str:
    began_s = time.monotonic()
    await launcher.end(order.launch_id, polite_s=polite_s, term_s=term_s)
    exit = await exits.of(order)
    took_s = time.monotonic() - began_s
    assert (exit.cause, exit.signal) == (ExitCause.ENDED, signal.SIGKILL)
    assert polite_s + term_s <= took_s <= polite_s + term_s + 1.0
    return exit.last_words


async def test_a_bot_that_ignores_sigterm_is_killed_on_time_and_explained(
    shared: LocalLauncher, exits: Exits
) -> None:
    """FAILURES 18."""
    order = an_order(Trouble.HANGS)
    await shared.start(order)
    await joined(shared, order)
    words = await _ended_within(shared, exits, order, polite_s=0.2, term_s=0.8)
    assert "_hang_in_synchronous_code" in words


async def test_a_stopped_bot_is_killed_on_time(shared: LocalLauncher, exits: Exits) -> None:
    """FAILURES 18."""
    order = an_order()
    await shared.start(order)
    process = await joined(shared, order)
    os.kill(process.pid, signal.SIGSTOP)
    await _ended_within(shared, exits, order, polite_s=0.1, term_s=0.3)
    assert not is_alive(process.pid)


async def test_a_second_end_hurries(shared: LocalLauncher, exits: Exits) -> None:
    order = an_order(Trouble.HANGS)
    await shared.start(order)
    await joined(shared, order)
    await shared.end(order.launch_id, polite_s=60, term_s=60)
    await _ended_within(shared, exits, order, polite_s=0, term_s=0)


async def test_no_bot_outlives_its_wall_clock(shared: LocalLauncher, exits: Exits) -> None:
    order = an_order(Trouble.HANGS, wall_clock_s=1.0)
    began_s = time.monotonic()
    await shared.start(order)
    exit = await exits.of(order)  # how late it may be is `test_launch_watch`'s to say
    assert exit.cause is ExitCause.WALL_CLOCK
    assert time.monotonic() - began_s >= 1.0


async def test_no_bot_keeps_more_private_memory_than_it_may(
    shared: LocalLauncher, exits: Exits
) -> None:
    greedy = an_order(Trouble.EATS_MEMORY, memory_limit_bytes=60 * 1024 * 1024)
    modest = an_order(memory_limit_bytes=60 * 1024 * 1024)
    for order in (greedy, modest):
        await shared.start(order)
    assert (await exits.of(greedy)).cause is ExitCause.MEMORY
    alive = await joined(shared, modest)
    assert 0 < alive.private_bytes < 60 * 1024 * 1024
    await shared.end(modest.launch_id, polite_s=0, term_s=5)


async def test_what_a_bot_started_dies_with_it(shared: LocalLauncher, exits: Exits) -> None:
    order = an_order(Trouble.HAS_CHILDREN)
    await shared.start(order)
    process = await joined(shared, order)
    grouped, daemon = await children_of(shared, order)
    assert is_alive(grouped)
    assert is_alive(daemon)
    os.kill(process.pid, signal.SIGKILL)
    assert (await exits.of(order)).cause is ExitCause.SIGNALLED
    await eventually(lambda: not group_members(process.pid), within_s=1.0)
    # The one that made itself a daemon was adopted by the supervisor, which looks every 2 s.
    await eventually(lambda: not is_alive(grouped) and not is_alive(daemon))
