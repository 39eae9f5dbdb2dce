"""What every launcher must do: a suite for pytest, run on each implementation.

Subclass `LauncherContract` and give it two fixtures: ``launcher``, and ``order``, which makes
orders for bots that live until they are ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from greenroom.errors import Halted
from greenroom.ports.launcher import BotExit, ExitCause, Launcher, LaunchOrder

MakeOrder = Callable[..., LaunchOrder]
# Nothing of this takes long; a busy machine does.
PATIENCE_S = 30.0


@contextlib.asynccontextmanager
async def exits_of(launcher: Launcher) -> AsyncIterator[asyncio.Queue[BotExit]]:
    """The exits of a launcher, as long as somebody reads them."""
    queue: asyncio.Queue[BotExit] = asyncio.Queue()

    async def read() -> None:
        async for exit_ in launcher.exits():
            queue.put_nowait(exit_)

    reading = asyncio.create_task(read())
    try:
        yield queue
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def the_exit(queue: asyncio.Queue[BotExit], launch_id: str) -> BotExit:
    """The next exit of this launch."""
    async with asyncio.timeout(PATIENCE_S):
        while (exit_ := await queue.get()).launch_id != launch_id:
            pass
    return exit_


async def lives(launcher: Launcher, launch_id: str) -> bool:
    """Whether it is on the list."""
    return launch_id in {process.launch_id for process in await launcher.living()}


class LauncherContract:
    """The guarantees of `greenroom.ports.launcher.Launcher`."""

    async def test_a_launch_lives_until_it_is_ended_and_has_one_exit(
        self, launcher: Launcher, order: MakeOrder
    ) -> None:
        """It is listed in between, with its session."""
        wanted = order()
        async with exits_of(launcher) as exits:
            await launcher.start(wanted)
            (listed,) = [p for p in await launcher.living() if p.launch_id == wanted.launch_id]
            assert listed.session_id == wanted.session_id
            await launcher.end(wanted.launch_id, polite_s=0.0, term_s=2.0)
            exit_ = await the_exit(exits, wanted.launch_id)
        assert (exit_.cause, exit_.session_id) == (ExitCause.ENDED, wanted.session_id)
        assert not await lives(launcher, wanted.launch_id)
        await launcher.forget(wanted.launch_id)

    async def test_the_same_launch_twice_is_one(self, launcher: Launcher, order: MakeOrder) -> None:
        """Also at the same moment, and also when it is over."""
        wanted = order()
        async with exits_of(launcher) as exits:
            await asyncio.gather(launcher.start(wanted), launcher.start(wanted))
            living = [p.launch_id for p in await launcher.living()]
            assert living.count(wanted.launch_id) == 1
            await launcher.end(wanted.launch_id, polite_s=0.0, term_s=2.0)
            await the_exit(exits, wanted.launch_id)
            await launcher.start(wanted)
            assert not await lives(launcher, wanted.launch_id)
            await launcher.forget(wanted.launch_id)
            await launcher.start(wanted)
            assert not await lives(launcher, wanted.launch_id)

    async def test_what_nobody_launched_may_be_ended_and_forgotten(
        self, launcher: Launcher
    ) -> None:
        """Nothing comes of it."""
        await launcher.end("launch-of-nobody", polite_s=0.0, term_s=0.0)
        await launcher.forget("launch-of-nobody")

    async def test_an_exit_is_told_again_until_it_is_forgotten(
        self, launcher: Launcher, order: MakeOrder
    ) -> None:
        """Whoever reads anew hears of it again."""
        wanted = order()
        await launcher.start(wanted)
        await launcher.end(wanted.launch_id, polite_s=0.0, term_s=2.0)
        told: list[Any] = []
        for _ in range(2):
            async with exits_of(launcher) as exits:
                told.append(await the_exit(exits, wanted.launch_id))
        assert told[0] == told[1]
        await launcher.forget(wanted.launch_id)

    async def test_while_the_brake_is_pulled_no_launch_begins(
        self, launcher: Launcher, order: MakeOrder
    ) -> None:
        """What lives is left alone."""
        before, after = order(), order()
        await launcher.start(before)
        await launcher.halt("a drill")
        halt = await launcher.halted()
        assert halt is not None
        assert halt.reason == "a drill"
        with pytest.raises(Halted, match="a drill"):
            await launcher.start(after)
        assert await lives(launcher, before.launch_id)
        assert await launcher.resume() is True
        assert await launcher.resume() is False
        await launcher.start(after)
        assert await lives(launcher, after.launch_id)

    async def test_nothing_outlives_its_wall_clock(
        self, launcher: Launcher, order: MakeOrder
    ) -> None:
        """Whatever anybody says, or does not say."""
        wanted = order(wall_clock_s=0.4)
        async with exits_of(launcher) as exits:
            await launcher.start(wanted)
            exit_ = await the_exit(exits, wanted.launch_id)
        assert exit_.cause is ExitCause.WALL_CLOCK

    async def test_shutting_down_leaves_nothing(self, launcher: Launcher, order: MakeOrder) -> None:
        """All at once, and each has its exit."""
        wanted = [order(), order()]
        for one in wanted:
            await launcher.start(one)
        await launcher.shutdown()
        assert not any([await lives(launcher, one.launch_id) for one in wanted])
