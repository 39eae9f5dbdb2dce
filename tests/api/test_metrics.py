"""``/metrics``: every figure of the migration plan moves, and who may read them."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from greenroom.api.app import build_app
from greenroom.api.identity import Identity
from greenroom.assembly import Adapters, Plan, assemble
from greenroom.outbound.sender import HttpSender
from greenroom.ports.launcher import ExitCause
from greenroom.rooms.local import LocalRooms
from greenroom.session.model import Stage
from greenroom.session.policy import Quotas
from greenroom.wire.link import Report, ReportKind
from tests.api.test_voice import a_call
from tests.conftest import SECRET, House

# What the plan asks for, and the sample that answers.
PLAN = {
    "sessions created per hour and day": "greenroom_sessions_started_total",
    "average session duration, minutes consumed": "greenroom_session_seconds_sum",
    "room reuse rate": "greenroom_sessions_reused_total",
    "bot join latency": "greenroom_bot_join_seconds_count",
    "audio quality: loss": "greenroom_audio_lost_share_count",
    "audio quality: jitter": "greenroom_audio_jitter_seconds_count",
    "active rooms": "greenroom_rooms",
    "participants": "greenroom_participants{who=user}",
    "token generation rate": "greenroom_tickets_issued_total",
    "bot spawn time": "greenroom_bot_spawn_seconds_count",
    "bot pool": "greenroom_bots{progress=joined}",
    "voice-only against multi-user": "greenroom_pauses_total{cause=group_call}",
    "tools": "greenroom_tool_calls_total{outcome=ok,tool=notes}",
    "tools' time": "greenroom_tool_seconds_sum{tool=notes}",
    "what applications tell": "greenroom_app_events_total{type=app.tool}",
    "room creation failures": "greenroom_effects_failed_total{kind=ensure_room}",
    "bot join failures": "greenroom_sessions_ended_total{reason=launch_failed}",
    "bot failures": "greenroom_bot_exits_total{cause=signalled}",
    "audio routing": "greenroom_users_left_total{why=failed}",
    "token expiration": "greenroom_tokens_refused_total{kind=ticket}",
    "refused user tokens": "greenroom_tokens_refused_total{kind=token}",
    "stages": "greenroom_sessions{stage=lingering}",
    "paused": "greenroom_sessions_paused",
    "stopped": "greenroom_halted",
}


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    """Every sample, named as in `PLAN`."""
    text = (await client.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_every_figure_of_the_plan_moves(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.client() as client, server.client() as other:
        before = await samples(client)
        seen: dict[str, float] = {}

        async def look() -> None:
            for name, value in (await samples(client)).items():
                seen[name] = max(value, seen.get(name, 0.0))

        with monkeypatch.context() as patch:
            patch.setattr(type(server.parts.rooms), "ensure", _no_room)
            homeless = (await server.sessions.start("eve", None)).session
            failed = server.parts.metrics.effects_failed.labels(kind="ensure_room")
            await server.until_true(lambda: failed._value.get() == 1)
            await server.sessions.stop(homeless.id, None)
        started, bot = await a_call(server, client)
        session = started["session"]["sessionId"]
        await client.post("/api/voice/session", json={})
        await bot.report(ReportKind.APP, type="app.tool", data={})
        call = {"toolCallId": "c1", "tool": "notes", "name": "create_note"}
        await bot.report(ReportKind.TOOL_RESULT, **call, outcome="ok", durationMs=120)
        await client.post(
            "/api/voice/pause", json={"sessionId": session, "cause": "group_call", "paused": True}
        )
        await look()
        await bot.send_report(ReportKind.USER_LEFT, participant="page-0001", why="failed")
        await bot.send_report(ReportKind.QUALITY, received=990, lost=10, jitter_ms=4.0)
        await server.until(lambda s: s.report_seq == bot.seq, session)
        await look()
        with pytest.raises(Exception, match="unknown"):
            await server.sessions.redeem("nobody-knows-it")
        assert (
            await client.get("/api/voice/session/current", headers={"Authorization": "Bearer no"})
        ).status_code == 401
        await bot.close()
        server.clock.advance(60)
        (launch_id,) = server.launcher.orders
        await server.launcher.exit(launch_id, ExitCause.SIGNALLED, None)
        await server.until(lambda s: s.stage is Stage.ENDED, session)
        await other.post("/api/voice/session", json={})
        await server.until_true(lambda: len(server.launcher.orders) == 2)
        await server.launcher.exit(list(server.launcher.orders)[1], ExitCause.IMPORT_FAILED, 1)
        ended = server.parts.metrics.sessions_ended.labels(reason="launch_failed")
        await server.until_true(lambda: ended._value.get() == 1)
        await server.emergency.stop("")
        await look()
        still = [what for what, name in PLAN.items() if not seen.get(name, 0) > before.get(name, 0)]
        assert still == []


async def _no_room(self: object, name: str) -> None:
    raise OSError("no room")


async def test_the_pools_size_is_told(house: House) -> None:
    rooms = LocalRooms([], allow_loopback=False)
    parts, sender = house.parts, HttpSender([])
    adapters = Adapters(parts.store, parts.hub, house.clock, house.launcher, rooms, sender)
    cards = await house.sessions.assistant(None)
    plan = Plan(SECRET, True, [cards], None, 1 << 29, quotas=Quotas(live=5))
    told = assemble(adapters, plan).parts.metrics.registry.get_sample_value(
        "greenroom_bot_places", {"limit": "live"}
    )
    assert told == 5


async def test_bots_cannot_fill_the_metrics_with_names(house: House) -> None:
    known = house.parts.metrics
    for number in range(200):
        told = {"type": f"app.{number}"}
        known.note_report(Report(seq=1, at_ms=0, kind=ReportKind.APP, data=told))
        call = {"toolCallId": "c1", "tool": f"t{number}", "name": "x", "outcome": "ok"}
        came = {**call, "durationMs": 1}
        known.note_report(Report(seq=1, at_ms=0, kind=ReportKind.TOOL_RESULT, data=came))
    tools = {labels[0] for labels in known.tool_seconds._metrics}
    assert (len(tools), "other" in tools) == (51, True)
    names = {labels[0] for labels in known.app_events._metrics}
    assert len(names) == 51
    assert ("app.0",) in known.app_events._metrics


@pytest.mark.parametrize("opened", [False, True])
async def test_on_a_public_address_metrics_are_for_operators_unless_opened(
    house: House, opened: bool
) -> None:
    identity = Identity(SECRET, anonymous=False)
    app = build_app(replace(house.parts, identity=identity, metrics_open=opened))
    asked = {
        "nobody": {},
        "user": {"Authorization": f"Bearer {identity.token_for('ada', 60)}"},
        "operator": {"Authorization": f"Bearer {identity.operator_token('ops', 60)}"},
    }
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answers = {who: await client.get("/metrics", headers=h) for who, h in asked.items()}
    codes = {who: answer.status_code for who, answer in answers.items()}
    others = 200 if opened else 401
    assert codes == {"nobody": others, "user": others, "operator": 200}
