"""A bot's line by webhook against the whole server: what is on record, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from greenroom.bot.link import FromGreenroom, LinkEnd
from greenroom.bot.posting import WebhookLine
from greenroom.service.specs import spec_of
from greenroom.session.model import EndReason, Stage
from greenroom.wire.handover import Handover
from greenroom.wire.link import Command, CommandKind, ReportKind, SessionSpec
from tests.api.test_reporter import Way
from tests.api.test_webhook import Agent
from tests.conftest import House

WITHIN_S = 30.0


@pytest.fixture
async def agent(house: House) -> Agent:
    return await Agent.launched(house)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenroom.bot.posting.ASK_EVERY_S", 0.02)
    monkeypatch.setattr("greenroom.bot.posting.FIRST_DELAY_S", 0.01)


class Line:
    """A line that runs, and what came in on it."""

    def __init__(self, agent: Agent, secret: str | None = None) -> None:
        house, self.launch_id = agent.house, agent.launch_id
        self.house = house
        self.came: asyncio.Queue[FromGreenroom] = asyncio.Queue()
        self.way = Way(house)
        self._secret = secret or house.parts.keyring.launch_secret(agent.launch_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[WebhookLine, asyncio.Task[LinkEnd]]]:
        session = await self.house.sessions.by_launch(self.launch_id)
        told = Handover(
            link_url="ws://127.0.0.1/link",
            webhook_url="http://127.0.0.1/webhook",
            secret=self._secret,
            session=spec_of(session, self.house.parts.rooms.describe(session.room)),
        )
        line = WebhookLine(
            told, received=self.came.put_nowait, transport=self.way, now=self.house.clock.now
        )
        running = asyncio.create_task(line.run())
        yield line, running
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_reports_are_on_record_and_mute_and_pause_come_back(
    house: House, agent: Agent
) -> None:
    line = Line(agent)
    async with asyncio.timeout(WITHIN_S), line.running() as (posting, _):
        spec = await posting.welcomed()
        assert (spec.muted, spec.paused) == (False, False)
        posting.report(ReportKind.BOT_JOINED, {"level": "attached"})
        posting.report(ReportKind.USER_JOINED, {"participant": "page-0001"})
        assert await posting.flush(WITHIN_S)
        session = await house.sessions.by_launch(agent.launch_id)
        assert (session.stage, session.report_seq) == (Stage.ACTIVE, 2)
        await house.sessions.mute(session.id, session.user_id, muted=True, timestamp_ms=1)
        told = await line.came.get()
        assert isinstance(told, SessionSpec)
        assert told.muted


async def test_the_end_of_the_session_comes_as_a_command_once(house: House, agent: Agent) -> None:
    line = Line(agent)
    async with asyncio.timeout(WITHIN_S), line.running() as (posting, _):
        await posting.welcomed()
        session = await house.sessions.by_launch(agent.launch_id)
        await house.sessions.stop(session.id, None, EndReason.USER)
        told = await line.came.get()
        assert isinstance(told, Command)
        assert told.kind is CommandKind.END
        asked = len(line.way.ids)
        await house.until_true(lambda: len(line.way.ids) > asked + 2)
        assert line.came.empty()


async def test_a_launch_that_has_no_session_any_more_is_over(agent: Agent) -> None:
    line = Line(agent)
    line.way.before = lambda: httpx.Response(410, json={"code": "launch_fenced"})
    async with asyncio.timeout(WITHIN_S), line.running() as (_, running):
        assert await running is LinkEnd.FENCED


async def test_whoever_is_not_of_this_launch_is_refused(agent: Agent) -> None:
    async with asyncio.timeout(WITHIN_S), Line(agent, "x" * 32).running() as (_, running):
        assert await running is LinkEnd.REFUSED


async def test_a_break_loses_nothing_and_repeats_nothing(house: House, agent: Agent) -> None:
    line = Line(agent)
    answers = iter(range(100))

    def sometimes_lost() -> None:
        if next(answers) % 3:
            raise ConnectionResetError
        return

    line.way.before = sometimes_lost
    async with asyncio.timeout(WITHIN_S), line.running() as (posting, _):
        for number in range(30):
            posting.report(ReportKind.APP, {"type": "app.tick", "data": {"number": number}})
            await asyncio.sleep(0)
        assert await posting.flush(WITHIN_S)
    session = await house.sessions.by_launch(agent.launch_id)
    assert session.report_seq == 30
