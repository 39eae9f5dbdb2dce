"""How well a page's audio came is told when the page goes."""

from __future__ import annotations

import numpy as np

from greenroom.wire.link import ReportKind
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom
from tests.bot.page import RATE_HZ


async def test_a_page_that_goes_leaves_how_its_audio_came(
    greenroom: FakeGreenroom, start: StartBot, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await greenroom.report(ReportKind.USER_JOINED)
    page.say(np.zeros(RATE_HZ, np.int16))
    await page.microphone.said.wait()  # a second of it, fifty packets
    page.send("leave")
    told = (await greenroom.report(ReportKind.QUALITY)).data
    assert told["received"] >= 25
    assert told["lost"] == 0
    assert 0 <= told["jitter_ms"] < 200
