"""The link survives cuts and restarts; no report is lost, repeated or reordered."""

from __future__ import annotations

import asyncio
import http
from collections.abc import AsyncIterator
from typing import Any

import pytest

from greenroom.bot.link import MAX_KEPT_REPORTS, FromGreenroom, LinkClient, LinkEnd
from greenroom.errors import TooLarge
from greenroom.wire.link import BotLevel, Command, CommandKind, ReportKind
from tests.bot.greenroom_server import FakeGreenroom


class Dialled:
    """A link client that runs, and what it received."""

    def __init__(self, greenroom: FakeGreenroom, **options: Any) -> None:
        self.received: list[FromGreenroom] = []
        self.arrived = asyncio.Event()
        self.client = LinkClient(
            greenroom.spec("any"),
            level=BotLevel.ATTACHED,
            pid=1,
            received=self._take,
            **options,
        )
        self.ended = asyncio.create_task(self.client.run())

    def _take(self, message: FromGreenroom) -> None:
        self.received.append(message)
        self.arrived.set()


@pytest.fixture
async def link(greenroom: FakeGreenroom) -> AsyncIterator[Dialled]:
    dialled = Dialled(greenroom)
    await dialled.client.welcomed()
    yield dialled
    dialled.ended.cancel()
    await asyncio.gather(dialled.ended, return_exceptions=True)


def app(number: int) -> dict[str, Any]:
    return {"type": "app.count", "data": {"number": number}}


def numbers(greenroom: FakeGreenroom) -> list[int]:
    return [report.data["data"]["number"] for report in greenroom.reports]


async def test_the_welcome_tells_the_session(link: Dialled) -> None:
    assert (await link.client.welcomed()).session_id == "session-1"


async def test_reports_are_numbered_from_one_and_acknowledged(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    for number in range(3):
        link.client.report(ReportKind.APP, app(number))
    assert await link.client.flush(2.0)
    assert [report.seq for report in greenroom.reports] == [1, 2, 3]
    assert numbers(greenroom) == [0, 1, 2]


async def test_what_is_not_acknowledged_is_sent_again_after_a_cut(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    """FAILURES 22: what happened meanwhile arrives afterwards."""
    link.client.report(ReportKind.APP, app(0))
    assert await link.client.flush(2.0)
    greenroom.acking = False
    link.client.report(ReportKind.APP, app(1))
    await greenroom.report(ReportKind.APP, after=1)
    await greenroom.vanish()
    for number in range(2, 50):
        link.client.report(ReportKind.APP, app(number))
    assert not await link.client.flush(0.05)
    # The second report was taken but never acknowledged: Welcome says so.
    greenroom.acking = True
    await greenroom.start()
    assert await link.client.flush(5.0)
    assert numbers(greenroom) == list(range(50))
    assert [report.seq for report in greenroom.received] == list(range(1, 51))
    assert [hello.resumed for hello in greenroom.hellos] == [False, True]


async def test_what_had_to_wait_for_a_connection_says_for_how_long(
    greenroom: FakeGreenroom,
) -> None:
    now_s = 1_000.0
    link = Dialled(greenroom, clock_s=lambda: now_s)
    await link.client.welcomed()
    link.client.report(ReportKind.APP, app(1))
    assert await link.client.flush(5)
    await greenroom.vanish()
    link.client.report(ReportKind.APP, app(2))
    now_s += 17.25
    link.client.report(ReportKind.APP, app(3))
    await greenroom.start()
    assert await link.client.flush(5)
    assert numbers(greenroom) == [1, 2, 3]
    assert [report.ago_ms for report in greenroom.reports] == [None, 17_250, None]
    link.ended.cancel()
    await asyncio.gather(link.ended, return_exceptions=True)


async def test_a_server_that_forgot_its_last_reports_gets_them_again(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    greenroom.acking = False
    for number in range(3):
        link.client.report(ReportKind.APP, app(number))
    await greenroom.report(ReportKind.APP, after=2)
    await greenroom.vanish()
    del greenroom.reports[1:]  # its disk was a moment behind
    greenroom.acking = True
    await greenroom.start()
    assert await link.client.flush(5.0)
    assert numbers(greenroom) == [0, 1, 2]


async def test_is_back_within_three_seconds_of_a_restart(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    await greenroom.vanish()
    await asyncio.sleep(1.5)  # long enough for the pauses between attempts to have grown
    await greenroom.start()
    await greenroom.linked(times=2, within_s=3.0)


async def test_a_server_that_is_not_ready_yet_is_dialled_again(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    greenroom.refuse_with = http.HTTPStatus.SERVICE_UNAVAILABLE
    await greenroom.vanish()
    await greenroom.start()
    await asyncio.sleep(0.3)
    greenroom.refuse_with = None
    await greenroom.linked(times=2)
    assert not link.ended.done()


async def test_a_server_that_cannot_keep_reports_is_not_stormed(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    """Its disk is full, say: it reads, and so it welcomes."""
    greenroom.keeps = False
    began_s = asyncio.get_running_loop().time()
    link.client.report(ReportKind.APP, app(0))
    await greenroom.linked(times=6)
    # The pauses before the second to the sixth are half as long at least: 0.1, 0.2, 0.4, 0.8, 1.
    assert asyncio.get_running_loop().time() - began_s >= 1.25
    greenroom.keeps = True
    assert await link.client.flush(5.0)
    assert numbers(greenroom) == [0]


async def test_fenced_is_for_ever(link: Dialled, greenroom: FakeGreenroom) -> None:
    await greenroom.fence()
    assert await asyncio.wait_for(link.ended, 2.0) is LinkEnd.FENCED


async def test_refused_is_for_ever(greenroom: FakeGreenroom) -> None:
    greenroom.refuse_with = http.HTTPStatus.UNAUTHORIZED
    dialled = Dialled(greenroom)
    assert await asyncio.wait_for(dialled.ended, 2.0) is LinkEnd.REFUSED


async def test_gives_up_after_a_bounded_time(greenroom: FakeGreenroom) -> None:
    now_s = 0.0
    dialled = Dialled(greenroom, give_up_after_s=900, clock_s=lambda: now_s)
    await dialled.client.welcomed()
    now_s = 5_000.0  # linked for long: that does not count
    await greenroom.vanish()
    await asyncio.sleep(0.3)
    assert not dialled.ended.done()
    now_s = 5_901.0
    assert await asyncio.wait_for(dialled.ended, 3.0) is LinkEnd.LOST


async def test_a_full_buffer_takes_only_what_matters(greenroom: FakeGreenroom) -> None:
    """FAILURES 16."""
    dialled = Dialled(greenroom)
    client = dialled.client
    for number in range(MAX_KEPT_REPORTS):
        client.report(ReportKind.APP, app(number))
    client.report(ReportKind.USER_SPEECH, {"speaking": True})
    client.report(ReportKind.TRANSCRIPT, {"role": "user", "text": "fo", "final": False, "turn": 1})
    client.report(ReportKind.TRANSCRIPT, {"role": "user", "text": "four", "final": True, "turn": 1})
    client.report(ReportKind.FAREWELL, {"heard": True})
    assert await client.flush(10.0)
    assert greenroom.last_seq == MAX_KEPT_REPORTS + 2
    assert greenroom.kinds()[-2:] == ["transcript", "farewell"]
    dialled.ended.cancel()


async def test_a_report_that_cannot_be_sent_is_refused_at_once(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    with pytest.raises(TooLarge):
        link.client.report(ReportKind.APP, {"type": "app.big", "data": {"it": "x" * 300_000}})
    link.client.report(ReportKind.APP, app(1))
    assert await link.client.flush(2.0)
    assert greenroom.last_seq == 1


async def test_an_unknown_message_is_passed_over(link: Dialled, greenroom: FakeGreenroom) -> None:
    assert greenroom.socket is not None
    await greenroom.socket.send('{"type": "from-the-future"}')
    await greenroom.socket.send(Command(command_id="c-1", kind=CommandKind.SAY).to_json())
    await asyncio.wait_for(link.arrived.wait(), 2)
    assert [type(message) for message in link.received] == [Command]


async def test_an_ephemeral_event_is_sent_and_forgotten(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    link.client.ephemeral("app.pointer", {"x": 1})
    assert (await greenroom.heard("app.pointer")).data == {"x": 1}
    await greenroom.vanish()
    await greenroom.start()
    await greenroom.linked(2)
    link.client.report(ReportKind.APP, app(0))
    assert await link.client.flush(2.0)
    assert len(greenroom.ephemeral) == 1


async def test_without_a_connection_an_ephemeral_event_is_dropped(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    await greenroom.vanish()
    while link.client.is_connected:
        await asyncio.sleep(0.001)
    link.client.ephemeral("app.pointer", {"x": 1})
    await greenroom.start()
    await greenroom.linked(2)
    while not link.client.is_connected:
        await asyncio.sleep(0.001)
    link.client.ephemeral("app.pointer", {"x": 2})
    assert (await greenroom.heard("app.pointer")).data == {"x": 2}
    assert len(greenroom.ephemeral) == 1


async def test_of_many_ephemeral_events_at_once_the_newest_of_each_type_goes(
    link: Dialled, greenroom: FakeGreenroom
) -> None:
    for number in range(100):
        link.client.ephemeral("app.pointer", {"x": number})
        link.client.report(ReportKind.APP, app(number))
    assert await link.client.flush(2.0)
    while (await greenroom.heard("app.pointer")).data != {"x": 99}:
        await asyncio.sleep(0.001)
    assert len(greenroom.ephemeral) < 5
    assert numbers(greenroom) == list(range(100))


async def test_a_large_ephemeral_event_is_refused(link: Dialled) -> None:
    with pytest.raises(TooLarge):
        link.client.ephemeral("app.pointer", {"x": "x" * 5_000})
