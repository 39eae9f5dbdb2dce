"""Bots for all launches of a house: each joins, answers offers, obeys, and ends when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from websockets.exceptions import ConnectionClosed

from greenroom.ports.launcher import LaunchOrder
from greenroom.wire.link import Answer, Command, CommandDone, CommandKind, Offer, ReportKind
from tests.api.fakebot import FakeBot
from tests.conftest import House

LOOK_EVERY_S = 0.005


@contextlib.asynccontextmanager
async def obedient_bots(house: House) -> AsyncIterator[None]:
    """Let every launch have a bot, as long as the context is open."""
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(_for_each_launch(house, group))
        yield
        looking.cancel()


async def _for_each_launch(house: House, group: asyncio.TaskGroup) -> None:
    seen: set[str] = set()
    while True:
        for launch_id, order in list(house.launcher.orders.items()):
            if launch_id not in seen:
                seen.add(launch_id)
                group.create_task(_one_bot(house, order))
        await asyncio.sleep(LOOK_EVERY_S)


async def _one_bot(house: House, order: LaunchOrder) -> None:
    try:
        bot = await FakeBot.join(house, order)
        # What it is told first may come before what acknowledges its first report.
        await bot.send_report(ReportKind.BOT_JOINED)
        while not await _obeys(bot):
            pass
        await bot.close()
    except ConnectionClosed:  # its session was over before it came
        pass
    await house.launcher.exit(order.launch_id)


async def _obeys(bot: FakeBot) -> bool:
    """Do what the next message asks for; whether it was to end."""
    match await bot.receive():
        case Offer() as offer:
            await bot.send(Answer(offer_id=offer.offer_id, sdp="v=0 answer", pc_id="pc-1"))
            await bot.send_report(ReportKind.USER_JOINED, participant=offer.participant)
        case Command() as command:
            await bot.send(CommandDone(command_id=command.command_id))
            return command.kind is CommandKind.END
    return False
