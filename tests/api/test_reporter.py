"""The sender for bots: whatever breaks on the way, each report is on record once."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from greenroom.api.app import build_app
from greenroom.errors import LaunchFenced, ReportGap, TooLarge, Unavailable
from greenroom.service.names import new_id
from greenroom.session.model import Stage
from greenroom.testing.reporter import MAX_REPORTS_BYTES, POSTING, Reporter
from greenroom.wire.link import ReportKind
from tests.api.test_webhook import Agent
from tests.conftest import House


class Way(httpx.AsyncBaseTransport):
    """A way to the server on which things happen; `trouble` is asked before and after."""

    def __init__(self, house: House) -> None:
        self._to_server = httpx.ASGITransport(build_app(house.parts))
        self.before: Callable[[], httpx.Response | None] = lambda: None
        self.after: Callable[[httpx.Response], httpx.Response] = lambda response: response
        self.slept_s: list[float] = []
        self.ids: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.ids.append(request.headers["webhook-id"])
        if (instead := self.before()) is not None:
            return instead
        return self.after(await self._to_server.handle_async_request(request))

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


@pytest.fixture
async def agent(house: House) -> Agent:
    return await Agent.launched(house)


@pytest.fixture
def way(house: House) -> Way:
    return Way(house)


@pytest.fixture
def reporter(agent: Agent, way: Way) -> Reporter:
    return a_reporter(agent, way)


def a_reporter(agent: Agent, way: Way, last_seq: int = 0) -> Reporter:
    house = agent.house
    secret = house.parts.keyring.launch_secret(agent.launch_id)
    client = httpx.AsyncClient(transport=way, base_url="http://127.0.0.1")
    return Reporter(
        client, agent.launch_id, secret, now=house.clock.now, sleep=way.sleep, last_seq=last_seq
    )


def join(reporter: Reporter) -> None:
    reporter.add(ReportKind.BOT_JOINED, level="launched")
    reporter.add(ReportKind.USER_JOINED, participant="page-0001")


async def test_more_than_a_message_carries_is_sent_in_several(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    join(reporter)
    for number in range(148):
        reporter.add(ReportKind.APP, type="app.x", data={"value": number})
    large = "x" * (MAX_REPORTS_BYTES // 2)
    for _ in range(2):
        reporter.add(ReportKind.APP, type="app.x", data={"value": large})
    answer = await reporter.post()
    assert (answer.report_seq, answer.ended) == (152, False)
    assert await agent.values() == [*range(148), large, large]
    assert [name.rsplit("_", 2)[1:] for name in way.ids] == [
        ["1", "100"],
        ["101", "151"],
        ["152", "152"],
    ]


async def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_happens_twice(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    def lost(response: httpx.Response) -> httpx.Response:
        way.after = lambda response: response
        raise httpx.ReadError("the connection broke")

    join(reporter)
    reporter.add(ReportKind.APP, type="app.x", data={"value": "once"})
    way.after = lost
    answer = await reporter.post()
    assert (answer.duplicate, answer.report_seq) == (True, 3)
    assert await agent.values() == ["once"]
    assert len(set(way.ids)) == 1 < len(way.ids), "sent again under the same id"


async def test_a_server_that_is_busy_is_given_the_time_it_asks_for(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    refusals = [httpx.Response(503, headers={"Retry-After": "30"}), httpx.Response(429)]
    way.before = lambda: refusals.pop() if refusals else None
    join(reporter)
    assert (await reporter.post()).report_seq == 2
    assert way.slept_s[0] < 5 < 30 <= way.slept_s[1]


async def test_a_server_that_never_comes_back_is_given_up_and_nothing_is_forgotten(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    way.before = lambda: httpx.Response(503)
    join(reporter)
    with pytest.raises(Unavailable):
        await reporter.post()
    assert len(way.ids) == POSTING.attempts
    way.before = lambda: None
    assert (await reporter.post()).report_seq == 2


async def test_a_bot_whose_session_is_over_learns_it_and_stops(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    join(reporter)
    await reporter.post()
    await agent.house.sessions.stop(agent.session_id, "ada")
    for number in range(150):
        reporter.add(ReportKind.APP, type="app.x", data={"value": number})
    before = len(way.ids)
    assert (await reporter.post()).ended
    assert len(way.ids) == before + 1, "what still waits is of no use"
    assert (await agent.now()).stage is Stage.ENDING


async def test_a_fenced_bot_is_told_at_once(agent: Agent, way: Way) -> None:
    agent.launch_id = new_id("lau")
    with pytest.raises(LaunchFenced):
        await a_reporter(agent, way).post()
    assert way.slept_s == []


async def test_a_bot_that_begins_anew_asks_where_it_was(agent: Agent, way: Way) -> None:
    first = a_reporter(agent, way)
    join(first)
    last_seq = (await first.post()).report_seq
    lost = a_reporter(agent, way, last_seq=last_seq + 1)
    lost.add(ReportKind.APP, type="app.x", data={"value": 1})
    with pytest.raises(ReportGap):
        await lost.post()
    again = a_reporter(agent, way, last_seq=(await a_reporter(agent, way).post()).report_seq)
    again.add(ReportKind.APP, type="app.x", data={"value": 2})
    assert (await again.post()).report_seq == 3
    assert await agent.values() == [2]


async def test_what_fits_into_no_message_is_refused_before_it_has_a_number(
    agent: Agent, reporter: Reporter
) -> None:
    with pytest.raises(TooLarge):
        reporter.add(ReportKind.APP, type="app.x", data={"value": "x" * MAX_REPORTS_BYTES})
    assert reporter.add(ReportKind.BOT_JOINED).seq == 1


async def test_what_is_refused_for_good_is_not_tried_again(
    agent: Agent, reporter: Reporter, way: Way
) -> None:
    agent.house.clock.advance(3_600)
    stale = a_reporter(agent, way)
    stale._now = lambda: agent.house.clock.now() - 3_600
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await stale.post()
    assert way.slept_s == []
