"""A bot whose room is on Daily is started as Pipecat's own runner would start it."""

from __future__ import annotations

import pytest

from greenroom.wire.link import CommandKind, OfferRefused, ReportKind, RoomKind, RoomSpec
from greenroom.wire.process import ExitCode, Progress
from tests.bot.conftest import StartBot
from tests.bot.greenroom_server import FakeGreenroom

BOT = "tests.bot.bots.on_daily"
ROOM = RoomSpec(
    kind=RoomKind.DAILY,
    name="voice-test-0123456789ab",
    url="https://acme.daily.co/voice-test-0123456789ab",
    token="the bot's own token",
)


@pytest.fixture(autouse=True)
def _on_daily(greenroom: FakeGreenroom) -> None:
    told = {"room": ROOM, "body": {"name": "Ada"}}
    greenroom.session = greenroom.session.model_copy(update=told)


async def test_it_gets_dailys_arguments_and_makes_its_transport_of_them(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    process = start(BOT)
    made = await greenroom.report(ReportKind.APP)
    assert made.data["data"] == {
        "arguments": "DailyRunnerArguments",
        "roomUrl": ROOM.url,
        "token": ROOM.token,
        "body": {"name": "Ada"},
        "sessionId": "session-1",
    }
    await process.reached(Progress.JOINED)
    await greenroom.command(CommandKind.END)
    assert await process.exit_code() == ExitCode.OK


async def test_it_answers_no_offer_and_goes_on(start: StartBot, greenroom: FakeGreenroom) -> None:
    process = start(BOT)
    await greenroom.report(ReportKind.BOT_JOINED)
    refused = await greenroom.offer("offer-0001", "page-0001", "v=0")
    assert isinstance(refused, OfferRefused)
    assert refused.code == "unsupported_transport"
    assert process.alive


async def test_it_is_told_who_is_there_and_who_has_come_back(
    start: StartBot, greenroom: FakeGreenroom
) -> None:
    call = {"room": ROOM.model_copy(update={"video": True}), "group": True, "present": []}
    greenroom.session = greenroom.session.model_copy(update=call)
    process = start("tests.bot.bots.in_a_group")
    await greenroom.report(ReportKind.BOT_JOINED)
    ada, bob = ({"participant": f"user-{name}", "userId": name} for name in ("ada", "bob"))
    for present, came, first in (
        ([ada], "user-ada", True),
        ([ada, bob], "user-bob", True),
        ([ada], None, None),
        ([ada, bob], "user-bob", False),
    ):
        data = {"present": present} | ({"came": came, "first": first} if came else {})
        await greenroom.command(CommandKind.PRESENCE, data)
    await greenroom.report(ReportKind.APP, lambda data: "returned" in data["data"])
    told = [report.data["data"] for report in greenroom.reports if report.kind is ReportKind.APP]
    assert told == [
        {"camera": True, "microphone": True, "people": {}},
        {"greets": "user-ada"},
        {"greets": "user-bob"},
        {"returned": ["ada", "bob"]},
    ]
    assert process.alive
