"""An agent in its own process that can only post: it joins, learns that it is muted, and goes."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from greenroom.service.specs import spec_of
from greenroom.session.model import EndReason, Presence, Stage
from greenroom.testing.agents import Processes
from greenroom.testing.deployments import Deployment, Hosted
from greenroom.wire.handover import body_for
from tests.conftest import House

WITHIN_S = 60.0
BOT = """
import asyncio
from greenroom.bot import current, hosted
from greenroom.wire.link import CommandKind, ReportKind

@hosted
async def bot(runner_args):
    session = current()
    over = asyncio.Event()

    async def muted(data):
        session.report(ReportKind.APP, {"type": "app.muted", "data": {**data, **runner_args.body}})

    session.on_command(CommandKind.MUTE, muted)
    session.joined()
    await over.wait()
"""


async def test_an_agent_that_can_only_post_takes_part(server: House, tmp_path: Path) -> None:
    # The agent signs by the machine's clock.
    server.clock.advance(time.time() - server.clock.now())
    session = (await server.sessions.start("ada", None, body={"name": "Ada"})).session
    await server.until_true(lambda: session.launch_id in server.launcher.orders)
    link_url = server.address.replace("http", "ws") + "/link"
    secret = server.parts.keyring.launch_secret(session.launch_id)
    body = body_for(spec_of(session, server.parts.rooms.describe(session.room)), link_url, secret)
    file = tmp_path / "agent.py"
    file.write_text(BOT)
    agents = Processes(file, {"GREENROOM_REPORTS": "webhook"}, sys.stderr.buffer)
    hosted = Hosted(Deployment("parrot", agents), body, None, cold=False, created_at=0.0)
    await agents.start(hosted)
    try:
        async with asyncio.timeout(WITHIN_S):
            await server.until(lambda s: s.bot_presence is Presence.PRESENT, session.id)
            server.clock.advance(time.time() - server.clock.now())
            await server.sessions.mute(session.id, "ada", muted=True, timestamp_ms=1)
            while not (told := await app_events(server, session.id)):
                await asyncio.sleep(0.05)
            assert told == [{"muted": True, "name": "Ada"}]
            await server.sessions.stop(session.id, None, EndReason.USER)
            process = agents.processes[hosted.id]
            assert await process.wait() == 0
    finally:
        await agents.stop(hosted)
    assert (await server.session(session.id)).stage is Stage.ENDING


async def app_events(server: House, session_id: str) -> list[dict[str, object]]:
    events = await server.parts.store.events_after(session_id, 0, 100)
    return [event.data for event in events if event.type == "app.muted"]
