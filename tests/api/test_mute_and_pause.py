"""FAILURES 11 and 12, at the door: mute ordered by the page's clock, pause by its causes."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from greenroom.session.lifecycle import CLOCK_SLACK_S
from greenroom.session.model import PauseCause, Stage
from greenroom.wire.link import Command, CommandDone, CommandKind, ReportKind
from tests.api.fakebot import FakeBot
from tests.api.test_voice import a_call
from tests.conftest import House

YEAR_MS = 365 * 24 * 3600 * 1000


async def mute(client: httpx.AsyncClient, session: str, muted: bool, at_ms: int) -> httpx.Response:
    body = {"sessionId": session, "isMuted": muted, "timestamp": at_ms}
    return await client.post("/api/voice/mute", json=body)


async def pause(
    client: httpx.AsyncClient, session: str, cause: str, paused: bool
) -> httpx.Response:
    body = {"sessionId": session, "cause": cause, "paused": paused}
    return await client.post("/api/voice/pause", json=body)


async def told(bot: FakeBot) -> tuple[CommandKind, dict[str, object]]:
    command = await bot.receive()
    assert isinstance(command, Command)
    await bot.send(CommandDone(command_id=command.command_id))
    return command.kind, command.data


async def test_mute_and_unmute_out_of_order_the_later_click_holds(server: House) -> None:
    """FAILURES 11: and the bot knows that it is muted."""
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        now_ms = int(server.clock.now() * 1000)
        assert (await mute(client, session, True, now_ms)).json()["muted"] is True
        assert await told(bot) == (CommandKind.MUTE, {"muted": True})
        late = await mute(client, session, False, now_ms - 5)
        assert late.json()["muted"] is True
        ignored = 'greenroom_commands_ignored_total{command="mute",outcome="duplicate"} 1.0'
        assert ignored in (await client.get("/metrics")).text
        assert (await mute(client, session, False, now_ms + 5)).json()["muted"] is False
        assert await told(bot) == (CommandKind.MUTE, {"muted": False})
        await bot.close()


async def test_what_the_bot_hears_while_muted_is_on_record_as_that_and_changes_nothing(
    server: House,
) -> None:
    """FAILURES 11: reports of a muted session."""
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        await mute(client, session, True, int(server.clock.now() * 1000))
        await told(bot)
        before = await server.session(session)
        await bot.report(ReportKind.USER_SPEECH, speaking=True)
        said = {"role": "user", "text": "psst", "final": True, "turn": 1}
        await bot.report(ReportKind.TRANSCRIPT, **said)
        after = await server.session(session)
        assert (after.last_seq, after.last_activity_at) == (
            before.last_seq,
            before.last_activity_at,
        )
        assert after.report_seq == before.report_seq + 2
        await bot.report(ReportKind.TRANSCRIPT, **{**said, "role": "assistant"})
        assert (await server.session(session)).last_seq == before.last_seq + 1
        text = (await client.get("/metrics")).text
        assert 'greenroom_reports_total{outcome="muted",way="link"} 2.0' in text
        await bot.close()


async def test_a_timestamp_of_next_year_locks_no_microphone(server: House) -> None:
    """A page with a wrong clock is believed in what it wants, and not in when."""
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        now_ms = int(server.clock.now() * 1000)
        with capture_logs() as logs:
            assert (await mute(client, session, True, now_ms + YEAR_MS)).json()["muted"] is True
        (told,) = [entry for entry in logs if entry["event"] == "mute.from_the_future"]
        assert (told["session"], told["ahead_s"]) == (session, pytest.approx(YEAR_MS / 1000))
        server.clock.advance(CLOCK_SLACK_S + 1)
        right = await mute(client, session, False, int(server.clock.now() * 1000))
        assert right.json()["muted"] is False
        events = await server.parts.store.events_after(session, 0, 100)
        stamps = [e.data["timestamp"] for e in events if e.type == "voice.session.mute"]
        assert stamps[0] == now_ms + CLOCK_SLACK_S * 1000
        await bot.close()


async def test_a_clock_of_ours_that_was_set_back_locks_no_microphone(server: House) -> None:
    """FAILURES 11 and 21: the page's clock goes on, ours is an hour behind what it was."""
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        now_ms = int(server.clock.now() * 1000)
        assert (await mute(client, session, True, now_ms)).json()["muted"] is True
        server.clock.advance(-3600)
        assert (await mute(client, session, False, now_ms + 5)).json()["muted"] is False
        late = await mute(client, session, True, now_ms - 5)
        assert late.json()["muted"] is False, "and an older click is still an older one"
        await bot.close()


@pytest.mark.parametrize("timestamp", [-1, 2**53, "soon", None])
async def test_a_timestamp_that_is_none_is_refused(server: House, timestamp: object) -> None:
    async with server.client() as client:
        body = {"sessionId": "ses_1", "isMuted": True, "timestamp": timestamp}
        refused = await client.post("/api/voice/mute", json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


async def test_nobody_mutes_or_pauses_anothers_session(server: House) -> None:
    async with server.client() as ada, server.client() as eve:
        started, bot = await a_call(server, ada)
        session = started["session"]["sessionId"]
        for refused in (await mute(eve, session, True, 1), await pause(eve, session, "user", True)):
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        unchanged = await server.session(session)
        assert (unchanged.muted, unchanged.is_paused) == (False, False)
        await bot.close()


async def test_a_group_call_pauses_and_its_end_resumes_what_was_chosen_before(
    server: House,
) -> None:
    """FAILURES 12."""
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        await mute(client, session, True, int(server.clock.now() * 1000))
        await told(bot)
        paused = (await pause(client, session, "group_call", True)).json()
        assert (paused["status"], paused["pauseCauses"]) == ("paused", ["group_call"])
        assert await told(bot) == (CommandKind.PAUSE, {"paused": True})
        both = (await pause(client, session, "user", True)).json()
        assert both["pauseCauses"] == ["group_call", "user"]
        one = (await pause(client, session, "group_call", False)).json()
        assert (one["status"], one["pauseCauses"]) == ("paused", ["user"])
        none = (await pause(client, session, "user", False)).json()
        assert (none["status"], none["pauseCauses"], none["muted"]) == ("active", [], True)
        assert await told(bot) == (CommandKind.PAUSE, {"paused": False})
        again = (await pause(client, session, "user", False)).json()
        assert again == none, "lifted twice is lifted once"
        await bot.close()


async def test_a_paused_session_ends_when_its_time_is_up(server: House) -> None:
    async with server.client() as client:
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        await pause(client, session, PauseCause.USER.value, True)
        server.clock.advance((await server.parts.sessions.assistant(None)).limits.pause_s)
        await server.timekeeper.tick()
        assert (await server.session(session)).stage is Stage.ENDING
        await bot.close()


async def test_an_unknown_cause_is_refused(server: House) -> None:
    async with server.client() as client:
        refused = await pause(client, "ses_1", "lunch", True)
        assert refused.status_code == 400
