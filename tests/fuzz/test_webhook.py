"""Whatever is posted to ``/webhook``, signed or not: a defined answer, and a whole record."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from greenroom.api.app import build_app
from greenroom.session import inputs as i
from greenroom.wire.link import ReportKind
from greenroom.wire.reports import ReportsAnswer
from tests.api.test_webhook import Agent
from tests.conftest import House
from tests.fuzz.conftest import examples

ANSWER_WITHIN_S = 30.0
DEFINED = {200, 400, 401, 409, 410, 413, 429}
REQUIRED = ["X-Greenroom-Launch", "webhook-id", "webhook-timestamp", "webhook-signature"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("type", "data", "role", "text", "final", "turn", "participant", "speaking", "level"),
        *("code", "fatal", "message", "component", "quantity", "unit", "heard", "received"),
        *("lost", "jitter_ms", "why", "interrupted"),
    ]
)
VALUES = JSON | st.sampled_from(["app.x", "ui.y", "user", "assistant", "page-0001", "moved"])
NEARLY_A_REPORT = st.fixed_dictionaries(
    {
        "seq": st.integers(0, 6) | JSON,
        "atMs": st.integers() | JSON,
        "kind": st.sampled_from([kind.value for kind in ReportKind]) | JSON,
        "data": st.dictionaries(FIELDS, VALUES, max_size=5) | JSON,
    }
)
REPORT = st.fixed_dictionaries(
    {
        "seq": st.integers(1, 8),
        "atMs": st.integers(0, 2**40),
        "kind": st.sampled_from([kind.value for kind in ReportKind]) | st.text(max_size=8),
        "data": st.dictionaries(FIELDS, VALUES, max_size=5),
    }
)
BATCH = st.fixed_dictionaries({"reports": st.lists(REPORT | NEARLY_A_REPORT, max_size=6)})
SOUND = REPORT | st.fixed_dictionaries({"reports": st.lists(REPORT, max_size=6)})
BODIES = st.lists(
    st.binary(max_size=40) | (SOUND | BATCH | NEARLY_A_REPORT | JSON).map(json.dumps),
    min_size=1,
    max_size=4,
)
HEADERS = st.dictionaries(st.sampled_from(REQUIRED), st.binary(max_size=20), max_size=2)
_users = itertools.count()


@examples(36)
@given(bodies=BODIES, changed=st.just({}) | HEADERS, joined=st.booleans())
async def test_whatever_comes_is_answered_and_the_record_stays_whole(
    house: House, bodies: list[str | bytes], changed: dict[str, bytes], joined: bool
) -> None:
    agent = await Agent.launched(house, f"user-{next(_users)}")
    if joined:
        for report in (i.BotJoined(), i.UserJoined("page-0001")):
            seq = (await agent.now()).report_seq + 1
            await house.sessions.apply(agent.session_id, i.Reported(agent.launch_id, seq, report))
    transport = httpx.ASGITransport(build_app(house.parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for body in bodies:
            before = await agent.now()
            answer = await asyncio.wait_for(
                client.post("/webhook", content=body, headers=_headers(agent, body, changed)),
                ANSWER_WITHIN_S,
            )
            assert answer.status_code in DEFINED, answer.text
            after = await agent.now()
            if answer.status_code == 200:
                said = ReportsAnswer.model_validate_json(answer.content)
                assert said.report_seq == after.report_seq
                assert said.ended == (not after.stage.is_live)
            else:
                assert answer.json()["code"] != "internal"
                _took_nothing_unless_a_gap(answer, before.report_seq, after.report_seq)
            assert after.report_seq >= before.report_seq
    kinds = [kind for kind, _ in await agent.events()]  # and looks at their numbers
    assert kinds.count("voice.session.start") == 1
    assert set(kinds) >= {"voice.session.status"}
    assert house.parts.metrics.uncaught.labels(place="api")._value.get() == 0


def _headers(agent: Agent, body: str | bytes, changed: dict[str, bytes]) -> Any:
    text = body if isinstance(body, str) else body.decode(errors="replace")
    right = {name: value.encode() for name, value in agent.headers(text).items()}
    # A line break ends a header before it reaches us.
    return right | {
        name: value.replace(b"\r", b"").replace(b"\n", b"") for name, value in changed.items()
    }


def _took_nothing_unless_a_gap(answer: httpx.Response, before: int, after: int) -> None:
    if answer.status_code == 409:
        assert answer.json()["facts"] == {"nextSeq": after + 1}
    else:
        assert after == before
