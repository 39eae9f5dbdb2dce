"""Calls with a stock bot: rooms, reloads, takeovers, and a link that is cut meanwhile."""

from __future__ import annotations

import asyncio
import json
import time

import pipecat
import pytest
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

from greenroom.bot.rejoin import WRITTEN_FOR_PIPECAT, adapt_transport
from greenroom.wire.link import (
    Answer,
    Candidate,
    Candidates,
    CommandKind,
    OfferRefused,
    ReportKind,
)
from tests.bot.conftest import OpenPage, StartBot
from tests.bot.greenroom_server import FakeGreenroom

VIDEO_ONLY = "m=video 9 UDP/TLS/RTP/SAVPF 96"


def test_pipecat_is_the_one_whose_private_parts_we_know() -> None:
    assert pipecat.__version__ == WRITTEN_FOR_PIPECAT


def test_a_clock_that_is_set_back_does_not_delay_what_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapt_transport()
    before_s = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    track = RawAudioTrack(sample_rate=24_000)
    assert before_s <= track._start <= time.monotonic()


async def test_the_same_offer_twice_gets_the_same_answer(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 6."""
    start()
    await greenroom.linked()
    page = open_page()
    sdp = await page.make_offer()
    first = await greenroom.offer("offer-00000001", page.participant, sdp)
    second = await greenroom.offer("offer-00000001", page.participant, sdp)
    assert isinstance(first, Answer)
    assert second == first
    await page.accept(first)
    await page.hears_sound()
    assert greenroom.kinds().count("user.joined") == 1


@pytest.mark.parametrize(
    "sdp", ["", "nonsense", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", VIDEO_ONLY]
)
async def test_an_offer_that_cannot_be_used_is_refused(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage, sdp: str
) -> None:
    start()
    await greenroom.linked()
    reply = await greenroom.offer("offer-00000001", "page-1", sdp)
    assert isinstance(reply, OfferRefused)
    assert reply.code == "bad_offer"
    # and does not keep the next from being taken
    page = open_page()
    await page.connect()
    await page.hears_sound()


async def test_a_bad_offer_does_not_disturb_the_living_page(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    sdp = (await open_page().make_offer()).replace("a=fingerprint", "a=no-fingerprint")
    reply = await greenroom.offer("offer-00000002", "page-2", sdp)
    assert isinstance(reply, OfferRefused)
    await page.hears_sound(after_s=time.monotonic())
    assert "user.left" not in greenroom.kinds()


async def test_trickled_candidates_are_taken(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    sdp = await page.make_offer()
    lines = sdp.splitlines(keepends=True)
    trickled = [line.strip().removeprefix("a=") for line in lines if "a=candidate" in line]
    bare = "".join(line for line in lines if "candidate" not in line)
    answer = await greenroom.offer("offer-00000001", page.participant, bare)
    assert isinstance(answer, Answer)
    assert greenroom.socket is not None
    candidates = Candidates(
        offer_id="offer-00000001",
        candidates=[Candidate(candidate=line, sdp_mid="0", sdp_mline_index=0) for line in trickled],
    )
    await greenroom.socket.send(candidates.to_json())
    await page.accept(answer)
    await page.hears_sound()


async def test_a_page_that_reloads_in_mid_utterance_hears_the_bot_again(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 8."""
    start()
    await greenroom.linked()
    first = open_page("page-00000001")
    before = await first.connect()
    await first.hears_sound()
    await first.close()
    left = await greenroom.report(ReportKind.USER_LEFT)
    assert left.data["participant"] == "page-00000001"

    again = open_page("page-00000002")
    after = await again.connect()
    assert after.pc_id != before.pc_id
    # The bot was not greeted twice, so what is heard is the tone it was already playing.
    await again.hears_sound(within_s=3.0)
    await asyncio.sleep(0.5)
    await again.hears_sound(after_s=time.monotonic(), within_s=1.0)
    joined = await greenroom.report(ReportKind.USER_JOINED, after=left.seq)
    assert joined.data == {"participant": "page-00000002"}


async def test_the_newest_page_wins_and_the_older_is_told(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 10."""
    start()
    await greenroom.linked()
    older = open_page("page-00000001")
    await older.connect()
    await older.hears_sound()
    newer = open_page("page-00000002")
    await newer.connect()
    await newer.hears_sound(within_s=3.0)
    await older.is_closed()
    assert {"type": "greenroom", "event": "moved"} in older.messages
    left = await greenroom.report(ReportKind.USER_LEFT)
    assert left.data == {"participant": "page-00000001", "why": "moved"}
    joined = await greenroom.report(ReportKind.USER_JOINED, after=left.seq)
    assert joined.data == {"participant": "page-00000002"}


async def test_a_page_may_change_what_its_peer_carries(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    before = await page.connect()
    await page.hears_sound()
    after = await page.renegotiate()
    assert after.pc_id == before.pc_id
    await asyncio.sleep(0.5)
    await page.hears_sound(after_s=time.monotonic(), within_s=1.0)
    assert greenroom.kinds().count("user.joined") == 1
    assert "user.left" not in greenroom.kinds()


async def test_a_stock_page_asks_for_the_end(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    page.send_raw(json.dumps({"label": "rtvi-ai", "id": "1", "type": "disconnect-bot"}))
    await greenroom.report(ReportKind.USER_ENDED, within_s=2.0)


async def test_a_page_whose_pings_stop_is_gone_in_seconds_and_may_come_back(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 9."""
    start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    await asyncio.sleep(0.2)
    page.pinging = False
    stopped_s = time.monotonic()
    left = await greenroom.report(ReportKind.USER_LEFT)
    assert left.data == {"participant": page.participant, "why": "silent"}
    assert 1.5 < time.monotonic() - stopped_s < 4.5
    page.pinging = True
    await greenroom.report(ReportKind.USER_JOINED, after=left.seq)


async def test_a_page_that_dies_as_soon_as_it_has_changed_its_connection_is_gone_in_seconds(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 9: it pinged before, and has not come to do so again."""
    start()
    await greenroom.linked()
    before = open_page()
    await before.connect()
    await before.hears_sound()
    await asyncio.sleep(0.2)
    after = open_page(before.participant)
    after.pinging = False
    await after.connect()
    connected_s = time.monotonic()
    joined = await greenroom.report(ReportKind.USER_JOINED, after=1)
    replaced = await greenroom.report(ReportKind.USER_LEFT)
    assert replaced.data["why"] == "replaced"
    left = await greenroom.report(ReportKind.USER_LEFT, after=max(joined.seq, replaced.seq))
    assert left.data == {"participant": after.participant, "why": "silent"}
    assert 1.5 < time.monotonic() - connected_s < 4.5


async def test_a_page_that_says_leave_is_gone_at_once(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    page.send("leave")
    left = await greenroom.report(ReportKind.USER_LEFT, within_s=1.0)
    assert left.data == {"participant": page.participant, "why": "left"}


async def test_the_call_goes_on_while_greenroom_is_gone(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    """FAILURES 20."""
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    await greenroom.vanish()
    gone_s = time.monotonic()
    await asyncio.sleep(2.0)
    silence_s = 0.02 * sum(not pcm.any() for at_s, pcm in page.heard if at_s > gone_s)
    assert silence_s < 0.2
    page.send("leave")  # reported once Greenroom is back
    await greenroom.start()
    await greenroom.linked(times=2, within_s=3.0)
    await greenroom.report(ReportKind.USER_LEFT)
    assert [report.seq for report in greenroom.reports] == list(
        range(1, len(greenroom.reports) + 1)
    )
    await greenroom.command(CommandKind.END)
    assert await process.exit_code() == 0


async def test_pages_may_say_what_the_bot_does_not_know(
    start: StartBot, greenroom: FakeGreenroom, open_page: OpenPage
) -> None:
    process = start()
    await greenroom.linked()
    page = open_page()
    await page.connect()
    await page.hears_sound()
    for message in ["{", "[]", json.dumps({"type": "greenroom"}), json.dumps({"type": 7})]:
        page.send_raw(message)
    await page.hears_sound(after_s=time.monotonic())
    assert process.alive
