"""One trace from the click to the end: in the record, on log lines, in the bot, on spans."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from loguru import logger
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan

from greenroom.bot.trace import LOG_FORMAT, NOBODY, trace
from greenroom.service import tracing
from greenroom.service.tracing import trace_id_of, traceparent_of
from greenroom.wire.link import SessionSpec
from tests.api.fakebot import FakeBot
from tests.conftest import House

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (PARENT, TRACE),
        (f" {PARENT} ", TRACE),
        (None, None),
        ("", None),
        ("nonsense", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"{PARENT}-{'x' * 400}", None),
    ],
)
def test_a_traceparent_is_read_as_the_standard_says(
    header: str | None, expected: str | None
) -> None:
    assert trace_id_of(header) == expected


async def test_the_clicks_trace_is_the_sessions_and_nonsense_begins_a_new_one(
    server: House,
) -> None:
    for header, expected in ((PARENT, TRACE), ("nonsense", None)):
        async with server.client(traceparent=header) as client:
            started = (await client.post("/api/voice/session", json={})).json()
            session = await server.session(started["session"]["sessionId"])
            assert len(session.trace_id) == 32
            assert (session.trace_id == TRACE) == (expected is not None)


async def test_every_log_line_from_the_start_to_the_end_says_whose_it_is(server: House) -> None:
    lines: list[structlog.typing.EventDict] = []

    def keep(
        logger: object, name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        lines.append(dict(event))
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        server.launcher.broken = True  # so that effects fail, and say so
        session = (await server.sessions.start("ada", None, trace_id=TRACE)).session
        failed = server.parts.metrics.effects_failed.labels(kind="launch_bot")
        await server.until_true(lambda: failed._value.get() == 1)
        server.launcher.broken = False
        server.clock.advance(15)
        server.parts.hub.publish("effects")
        await server.until_true(lambda: session.launch_id in server.launcher.orders)
        await server.sessions.stop(session.id, "ada")
        await server.launcher.exit(session.launch_id)
        await server.until(lambda s: s.ended_at is not None, session.id)
        await server.until_true(lambda: any(line["event"] == "bot.exited" for line in lines))
    finally:
        structlog.configure(processors=before)
    told = {line["event"] for line in lines if line.get("trace") == TRACE}
    assert {"session.started", "effect.failed", "session.ended", "bot.exited"} <= told
    of_session = [line for line in lines if line.get("session") == session.id]
    assert all(line["trace"] == TRACE for line in of_session), of_session
    assert all(line["launch"] == session.launch_id for line in of_session)


async def test_the_bot_is_told_its_trace_and_says_it(server: House) -> None:
    session = (await server.sessions.start("ada", None, trace_id=TRACE)).session
    await server.until_true(lambda: session.launch_id in server.launcher.orders)
    bot = await FakeBot.dial(server, session.launch_id)
    told: SessionSpec = (await bot.hello()).session
    await bot.close()
    assert told.traceparent == traceparent_of(session)
    assert trace_id_of(told.traceparent) == TRACE

    lines: list[str] = []
    sink = logger.add(lines.append, format=LOG_FORMAT)
    try:
        trace(told)
        logger.warning("something")
        assert os.environ["TRACEPARENT"] == told.traceparent
    finally:
        logger.configure(extra=dict(NOBODY))
        logger.remove(sink)
        os.environ.pop("TRACEPARENT", None)
    assert f"session={session.id} launch={session.launch_id} trace={TRACE} something" in lines[0]


async def test_spans_of_a_session_are_of_its_trace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Command, commit, effect and launch, as an SDK would get them."""
    spans: list[tuple[str, int, dict[str, object]]] = []

    class Recording:
        @contextmanager
        def start_as_current_span(
            self, name: str, context: Context | None, attributes: dict[str, object]
        ) -> Iterator[None]:
            parent = otel.get_current_span(context).get_span_context()
            spans.append((name, parent.trace_id, attributes))
            with otel.use_span(NonRecordingSpan(parent)):
                yield

    monkeypatch.setattr(tracing, "_tracer", Recording())
    session = (await house.sessions.start("ada", None, trace_id=TRACE)).session
    await house.until_true(lambda: session.launch_id in house.launcher.orders)
    await house.sessions.stop(session.id, "ada")
    await house.until_true(lambda: bool(house.launcher.ended))
    names = [name for name, trace_id, _ in spans if trace_id == int(TRACE, 16)]
    wanted = ["effect.launch_bot", "launcher.start", "session.Stop", "effect.end_bot"]
    assert [name for name in names if name in wanted] == wanted
    (launch,) = [told for name, _, told in spans if name == "launcher.start"]
    assert launch == {"greenroom.attempt": 1, "greenroom.timeout_s": 10.0}
