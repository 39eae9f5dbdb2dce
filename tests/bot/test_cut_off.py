"""A call of a tool that was cut off goes on for a while; made again, it is the same one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom.bot.cut_off import Calls

WITHIN_S = 5.0


class Slow:
    """A tool that answers when it is let."""

    def __init__(self) -> None:
        self.began: list[Any] = []
        self.ended = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, name: str, arguments: Any) -> Any:
        """Wait, and then say which call this was: 1 for the first."""
        self.began.append(arguments)
        number = len(self.began)
        try:
            await self.may_answer.wait()
        finally:
            self.ended += 1
        if arguments == "fail":
            raise ValueError(arguments)
        return number


async def cut_off(calls: Calls, slow: Slow, arguments: Any) -> None:
    """Make a call, and cut it off."""
    call = asyncio.create_task(calls.result("slow", arguments))
    before = len(slow.began)
    while len(slow.began) == before:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_made_again_it_is_the_same_call() -> None:
    slow = Slow()
    calls = Calls(slow)
    await cut_off(calls, slow, {"a": 1, "b": 2})
    again = asyncio.create_task(calls.result("slow", {"b": 2, "a": 1}))
    other = asyncio.create_task(calls.result("slow", {"a": 3}))
    slow.may_answer.set()
    async with asyncio.timeout(WITHIN_S):
        assert (await again, await other) == (1, 2)
        # What has been told is done: the next is a call of its own.
        assert await calls.result("slow", {"a": 1, "b": 2}) == 3


async def test_made_again_after_its_end_it_has_its_result() -> None:
    slow = Slow()
    calls = Calls(slow)
    await cut_off(calls, slow, {})
    slow.may_answer.set()
    async with asyncio.timeout(WITHIN_S):
        while not slow.ended:
            await asyncio.sleep(0)
        assert await calls.result("slow", {}) == 1
    assert len(slow.began) == 1


async def test_nobody_waits_for_ever() -> None:
    slow = Slow()
    calls = Calls(slow, kept_s=0.05)
    await cut_off(calls, slow, {})
    async with asyncio.timeout(WITHIN_S):
        while not slow.ended:
            await asyncio.sleep(0.01)
    await cut_off(calls, slow, "fail")
    slow.may_answer.set()
    assert len(slow.began) == 2
    # One that failed unheard fails for whoever makes it again, and is complained of nowhere.
    with pytest.raises(ValueError, match="fail"):
        await calls.result("slow", "fail")


async def test_of_two_alike_one_goes_on() -> None:
    slow = Slow()
    calls = Calls(slow, kept_s=0.05)
    twins = [asyncio.create_task(calls.result("slow", {})) for _ in range(2)]
    async with asyncio.timeout(WITHIN_S):
        while len(slow.began) < len(twins):
            await asyncio.sleep(0)
        for twin in twins:
            twin.cancel()
        await asyncio.gather(*twins, return_exceptions=True)
        while slow.ended < len(twins):
            await asyncio.sleep(0.01)
