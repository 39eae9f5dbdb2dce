"""What the bot is told: each command once, and none taken for another."""

from __future__ import annotations

import asyncio

from greenroom.wire.link import Command, CommandDone
from tests.api.test_voice import a_call
from tests.conftest import House


async def test_no_command_is_taken_for_a_repetition_of_one_before(server: House) -> None:
    """A bot confirms a command that it knows without carrying it out again."""
    told = []
    async with server.client() as client:
        body, bot = await a_call(server, client)
        for timestamp, muted in ((1_000, True), (2_000, False), (3_000, True)):
            mute = {
                "sessionId": body["session"]["sessionId"],
                "isMuted": muted,
                "timestamp": timestamp,
            }
            (await client.post("/api/voice/mute", json=mute)).raise_for_status()
            command = await bot.receive()
            assert isinstance(command, Command)
            told.append((command.command_id, command.data["muted"]))
            await bot.send(CommandDone(command_id=command.command_id))
            # Only once nothing is pending does a database give the next effect the same id.
            while await server.parts.store.effects.of(body["session"]["sessionId"]):
                await asyncio.sleep(0.005)
        await bot.close()
    assert [muted for _, muted in told] == [True, False, True]
    assert len({command_id for command_id, _ in told}) == len(told)
