"""``POST /webhook``: the reports of bots that keep no link, and every kind of bad input."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from greenroom import assembly
from greenroom.api import webhook
from greenroom.errors import Unavailable
from greenroom.service.events import as_event
from greenroom.service.names import new_id
from greenroom.session.model import Session, Stage
from greenroom.session.rates import Rate
from greenroom.wire.link import Report, ReportKind
from greenroom.wire.reports import MAX_REPORTS, TOLERANCE_S, signed_headers
from tests.api.fakebot import FakeBot
from tests.conftest import House

JOINED = [
    {"seq": 1, "kind": "bot.joined", "data": {"level": "launched"}},
    {"seq": 2, "kind": "user.joined", "data": {"participant": "page-0001"}},
]


def app(seq: int, value: object = None) -> dict[str, Any]:
    """A report of an application's event."""
    return {"seq": seq, "kind": "app", "data": {"type": "app.x", "data": {"value": value}}}


class Agent:
    """A launch that posts by hand."""

    def __init__(self, house: House, session: Session) -> None:
        self.house = house
        self.session_id = session.id
        self.launch_id = session.launch_id

    @classmethod
    async def launched(cls, house: House, user: str = "ada") -> Agent:
        session = (await house.sessions.start(user, None)).session
        await house.until_true(lambda: session.launch_id in house.launcher.orders)
        return cls(house, session)

    @classmethod
    async def in_a_call(cls, house: House, user: str = "ada") -> Agent:
        agent = await cls.launched(house, user)
        assert (await agent.post(*JOINED)).json()["reportSeq"] == 2
        return agent

    def headers(self, body: str, *, ahead_s: float = 0, **changed: str) -> dict[str, str]:
        """As they should be, but for what is `changed`."""
        secret = self.house.parts.keyring.webhook_secret(self.launch_id)
        at_s = self.house.clock.now() + ahead_s
        return signed_headers(self.launch_id, secret, "msg_1", at_s, body) | changed

    async def send(self, body: str | bytes, headers: dict[str, str]) -> httpx.Response:
        # Without authorities for TLS, which takes longer to read than all the rest.
        plain = httpx.AsyncHTTPTransport(verify=False)
        async with httpx.AsyncClient(transport=plain, base_url=self.house.address) as client:
            return await client.post("/webhook", content=body, headers=headers)

    async def say(self, body: str, **given: Any) -> httpx.Response:
        return await self.send(body, self.headers(body, **given))

    async def post(self, *reports: dict[str, Any]) -> httpx.Response:
        """One report alone, several in a batch."""
        told = [{"atMs": 0, **report} for report in reports]
        return await self.say(json.dumps(told[0] if len(told) == 1 else {"reports": told}))

    async def now(self) -> Session:
        return await self.house.session(self.session_id)

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """All on record, after a look at their numbers."""
        stored = await self.house.parts.store.events_after(self.session_id, 0, 10_000)
        assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
        return [(event.type, event.data) for event in stored]

    async def values(self) -> list[object]:
        return [data["value"] for kind, data in await self.events() if kind == "app.x"]

    async def end(self) -> None:
        await self.house.launcher.exit(self.launch_id)
        await self.house.until(lambda s: s.stage is Stage.ENDED, self.session_id)


def counted(house: House, name: str, **labels: str) -> float:
    return house.parts.metrics.registry.get_sample_value(name, labels) or 0.0


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def outcomes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["outcome"] for one in answer.json()["outcomes"]]


# ---- as it should be


async def test_a_bot_without_a_link_joins_talks_and_learns_how_it_stands(server: House) -> None:
    agent = await Agent.launched(server)
    first = await agent.post(JOINED[0])
    assert first.json() == {
        "reportSeq": 1,
        "duplicate": False,
        "outcomes": [{"seq": 1, "outcome": "applied"}],
        "muted": False,
        "paused": False,
        "ended": False,
    }
    said = {"role": "user", "text": "forty-two", "final": True, "turn": 1}
    await agent.post(JOINED[1], {"seq": 3, "kind": "transcript", "data": said}, app(4, 42))
    session = await agent.now()
    assert (session.stage, session.report_seq) == (Stage.ACTIVE, 4)
    assert ("voice.transcript", said) in await agent.events()
    assert await agent.values() == [42]
    assert counted(server, "greenroom_reports_total", outcome="applied", way="webhook") == 4
    assert counted(server, "greenroom_bot_join_seconds_count") == 1


async def test_a_message_without_reports_asks_how_the_session_stands(server: House) -> None:
    agent = await Agent.in_a_call(server)
    now_ms = int(server.clock.now() * 1000)
    await server.sessions.mute(agent.session_id, "ada", muted=True, timestamp_ms=now_ms)
    asked = (await agent.say('{"reports": []}')).json()
    assert (asked["reportSeq"], asked["duplicate"], asked["muted"], asked["ended"]) == (
        2, False, True, False,
    )  # fmt: skip
    await server.sessions.stop(agent.session_id, "ada")
    assert (await agent.say('{"reports": []}')).json()["ended"] is True, "the bot must go"


async def test_link_and_webhook_are_one_bot_with_one_row_of_numbers(server: House) -> None:
    agent = await Agent.launched(server)
    order = server.launcher.orders[agent.launch_id]
    bot = await FakeBot.join(server, order)
    await bot.report(ReportKind.BOT_JOINED)
    assert outcomes(await agent.post(JOINED[0])) == ["duplicate"]
    assert outcomes(await agent.post(JOINED[1])) == ["applied"]
    bot.seq = 2
    await bot.report(ReportKind.APP, type="app.x", data={"value": "by link"})
    assert outcomes(await agent.post(app(3), app(4, "by webhook"))) == ["duplicate", "applied"]
    assert await agent.values() == ["by link", "by webhook"]
    await bot.close()


# ---- forged, foreign, stale, replayed


async def test_forged_foreign_and_unknown_are_answered_alike(server: House) -> None:
    agent, other = await Agent.launched(server), await Agent.launched(server, "bob")
    body = json.dumps({"atMs": 0, **JOINED[0]})
    right = agent.headers(body)
    unknown = new_id("lau")
    forgeries: dict[str, dict[str, str]] = {
        "the signature of another launch": other.headers(body)
        | {"X-Greenroom-Launch": agent.launch_id},
        "another session's launch": right | {"X-Greenroom-Launch": other.launch_id},
        "no such launch": right | {"X-Greenroom-Launch": unknown},
        "no launch": right | {"X-Greenroom-Launch": ""},
        "no name that could be one": right | {"X-Greenroom-Launch": "x" * 8_000},
        "another id": right | {"webhook-id": "msg_2"},
        "no id": right | {"webhook-id": ""},
        "an id without end": right | {"webhook-id": "x" * 8_000},
        "another time": right | {"webhook-timestamp": str(int(server.clock.now()) + 1)},
        "no time": right | {"webhook-timestamp": "soon"},
        "a time beyond all calendars": right | {"webhook-timestamp": "9" * 400},
        "no signature": right | {"webhook-signature": ""},
        "a signature of another version": right
        | {"webhook-signature": right["webhook-signature"].replace("v1,", "v2,")},
        "a signature of noise": right | {"webhook-signature": "v1,\xe9 , v1 v1,="},
    }
    answers = {}
    for what, headers in forgeries.items():
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        answers[what] = await agent.send(body, sent)  # type: ignore[arg-type]
    answers["another body"] = await agent.send(body.replace("launched", "attached"), right)
    answers["nothing"] = await agent.send(b"", {})
    answers["no text"] = await agent.send(b"\xff" + body.encode(), right)
    for what, answer in answers.items():
        assert refusal(answer) == (401, "bad_signature"), what
        assert answer.json() == answers["nothing"].json(), what
    assert (await agent.now()).report_seq == (await other.now()).report_seq == 0
    assert counted(server, "greenroom_webhooks_refused_total", code="bad_signature") == len(answers)
    assert outcomes(await agent.send(body, right)) == ["applied"]


async def test_one_good_signature_of_several_is_enough(server: House) -> None:
    agent = await Agent.launched(server)
    body = json.dumps({"atMs": 0, **JOINED[0]})
    right = agent.headers(body)
    several = "v1,AAAA " + right["webhook-signature"] + " v1a,BBBB"
    assert outcomes(await agent.send(body, right | {"webhook-signature": several})) == ["applied"]


async def test_a_good_signature_of_a_launch_that_is_no_more_is_fenced(server: House) -> None:
    agent = await Agent.launched(server)
    agent.launch_id = new_id("lau")  # an older launch: its secret is good, and nobody's any more
    assert refusal(await agent.post(app(1))) == (410, "launch_fenced")
    assert (await agent.now()).report_seq == 0


async def test_a_stale_message_has_an_answer_of_its_own(server: House) -> None:
    agent = await Agent.launched(server)
    body = json.dumps({"atMs": 0, **JOINED[0]})
    for ahead_s in (-TOLERANCE_S - 1, TOLERANCE_S + 1, -1_700_000_000):
        stale = await agent.say(body, ahead_s=ahead_s)
        assert refusal(stale) == (401, "stale_message"), ahead_s
        assert stale.json()["facts"] == {"toleranceS": TOLERANCE_S}
        forged = agent.headers(body, ahead_s=ahead_s) | {"webhook-id": "msg_2"}
        assert refusal(await agent.send(body, forged)) == (401, "bad_signature"), ahead_s
    assert (await agent.now()).report_seq == 0
    for ahead_s in (-TOLERANCE_S + 1, TOLERANCE_S - 1):
        assert (await agent.say(body, ahead_s=ahead_s)).status_code == 200, "it may take a while"


async def test_a_message_that_comes_many_times_counts_once(server: House) -> None:
    agent = await Agent.in_a_call(server)
    body = json.dumps({"reports": [{"atMs": 0, **app(3, "a")}, {"atMs": 0, **app(4, "b")}]})
    headers = agent.headers(body)
    at_once = await asyncio.gather(*(agent.send(body, headers) for _ in range(5)))
    assert sum(not answer.json()["duplicate"] for answer in at_once) >= 1
    again = (await agent.send(body, headers)).json()
    assert (again["duplicate"], again["reportSeq"]) == (True, 4)
    assert await agent.values() == ["a", "b"]
    first_wins = await agent.post(app(4, "another"), app(5, "c"))
    assert outcomes(first_wins) == ["duplicate", "applied"]
    assert first_wins.json()["duplicate"] is False, "something was new"
    assert await agent.values() == ["a", "b", "c"]


# ---- out of order


async def test_within_a_message_the_numbers_are_the_order(server: House) -> None:
    agent = await Agent.in_a_call(server)
    answer = await agent.post(app(5, "c"), app(3, "a"), app(4, "b"), app(4, "twice"))
    assert outcomes(answer) == ["applied", "applied", "duplicate", "applied"]
    assert await agent.values() == ["a", "b", "c"]


async def test_a_gap_is_told_with_the_number_to_send_from(server: House) -> None:
    agent = await Agent.in_a_call(server)
    answer = await agent.post(app(3, "a"), app(5, "c"), app(6, "d"))
    assert refusal(answer) == (409, "report_gap")
    assert answer.json()["facts"] == {"nextSeq": 4}
    assert answer.json()["retryable"] is True, "what is missing may be on its way"
    assert "Retry-After" in answer.headers
    assert await agent.values() == ["a"], "what came before it is on record"
    again = await agent.post(app(4, "b"), app(5, "c"), app(6, "d"))
    assert outcomes(again) == ["applied"] * 3
    assert await agent.values() == ["a", "b", "c", "d"]


# ---- oversized, mistyped


async def test_what_is_too_large_is_not_read(server: House) -> None:
    agent = await Agent.launched(server)
    body = json.dumps({"atMs": 0, **app(1, "x" * 1_000_000)})

    async def parts() -> Any:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000].encode()

    async with server.client() as client:
        for content in (body, parts()):  # of a length that is told, and not
            answer = await client.post("/webhook", content=content, headers=agent.headers(body))
            assert refusal(answer) == (413, "too_large")
    assert (await agent.now()).report_seq == 0


PRIVATE = "what nobody else may read"
MISTYPED = {
    "nothing": "",
    "no json": PRIVATE,
    "broken json": f'{{"seq": 1, "atMs": 0, "kind": "{PRIVATE}',
    "a list": f'["{PRIVATE}"]',
    "a text": f'"{PRIVATE}"',
    "null": "null",
    "a number": "9" * 5_000,
    "nothing in it": "{}",
    "no number": '{"atMs": 0, "kind": "app", "data": {}}',
    "number zero": '{"seq": 0, "atMs": 0, "kind": "app", "data": {}}',
    "a number below zero": '{"seq": -1, "atMs": 0, "kind": "app", "data": {}}',
    "a number that is a half": '{"seq": 1.5, "atMs": 0, "kind": "app", "data": {}}',
    "a number that is a text": f'{{"seq": "{PRIVATE}", "atMs": 0, "kind": "app", "data": {{}}}}',
    "no time": '{"seq": 1, "kind": "app", "data": {}}',
    "a time that is a list": '{"seq": 1, "atMs": [], "kind": "app", "data": {}}',
    "no kind": '{"seq": 1, "atMs": 0, "data": {}}',
    "a kind that is a number": '{"seq": 1, "atMs": 0, "kind": 7, "data": {}}',
    "data that is a text": f'{{"seq": 1, "atMs": 0, "kind": "app", "data": "{PRIVATE}"}}',
    "another type of message": '{"type": "hello", "seq": 1, "atMs": 0, "kind": "app"}',
    "half a character": '{"seq": 1, "atMs": 0, "kind": "app", "data": {"a": "\\ud800"}}',
    "a zero byte": '{"seq": 1, "atMs": 0, "kind": "app", "data": {"a": "\0"}}',
    "nested without end": '{"seq": 1, "atMs": 0, "kind": "app", "data": {"a": '
    + "[" * 10_000
    + "]" * 10_000
    + "}}",
    "reports that are none": '{"reports": 7}',
    "a report that is none": '{"reports": [{"seq": 1, "atMs": 0, "kind": "app"}, 7]}',
    "too many": json.dumps(
        {"reports": [{"atMs": 0, **app(seq)} for seq in range(1, MAX_REPORTS + 2)]}
    ),
}


async def test_what_is_no_report_is_refused_whole_and_not_repeated(server: House) -> None:
    agent = await Agent.launched(server)
    with capture_logs() as logs:
        for what, body in MISTYPED.items():
            answer = await agent.say(body)
            assert refusal(answer) == (400, "bad_request"), what
            assert PRIVATE not in answer.text, what
    assert PRIVATE not in str(logs)
    assert (await agent.now()).report_seq == 0
    refused = counted(server, "greenroom_webhooks_refused_total", code="bad_request")
    assert refused == len(MISTYPED)


async def test_what_is_nested_as_deeply_as_can_be_read_reaches_the_browser(server: House) -> None:
    agent = await Agent.in_a_call(server)
    deep: Any = "at the bottom"
    for depth in range(1, 250):
        deep = [deep]
        if depth > 190 and (await agent.post(app(depth - 188, deep))).status_code != 200:
            break
    assert 190 < depth < 200
    stored = (await server.parts.store.events_after(agent.session_id, 0, 1_000))[-1]
    assert json.loads(as_event(stored).to_json())["data"] == stored.data


async def test_data_that_is_not_its_kinds_stops_none_of_those_behind_it(server: House) -> None:
    agent = await Agent.in_a_call(server)
    answer = await agent.post(
        {"seq": 3, "kind": "transcript", "data": {"role": "nobody"}},
        {"seq": 4, "kind": "app", "data": {"type": "voice.session.end", "data": {}}},
        {"seq": 5, "kind": "usage", "data": {"component": "tts", "quantity": -1, "unit": "s"}},
        {"seq": 6, "kind": "app", "data": {"type": "app.\0", "data": {}}},
        app(7, float("nan")),
        app(8, float("inf")),
        app(9, "\0"),
        app(10, "last"),
    )
    assert outcomes(answer) == ["malformed"] * 6 + ["applied"] * 2
    assert await agent.values() == ["\0", "last"]
    assert "voice.session.end" not in [kind for kind, _ in await agent.events()]


# ---- muted, over, unknown


async def by_link(agent: Agent, kind: str, data: dict[str, Any], seq: int) -> None:
    bot = await FakeBot.join(agent.house, agent.house.launcher.orders[agent.launch_id])
    await bot.send(Report(seq=seq, at_ms=0, kind=kind, data=data))
    await agent.house.until(lambda s: s.report_seq == seq, agent.session_id)
    await bot.close()


async def by_webhook(agent: Agent, kind: str, data: dict[str, Any], seq: int) -> None:
    await agent.post({"seq": seq, "kind": kind, "data": data})


By = Callable[[Agent, str, dict[str, Any], int], Any]
BOTH = pytest.mark.parametrize(("by", "way"), [(by_link, "link"), (by_webhook, "webhook")])


@BOTH
async def test_what_tells_of_a_muted_microphone_is_recorded_and_not_obeyed(
    server: House, by: By, way: str
) -> None:
    """FAILURES 11."""
    agent = await Agent.in_a_call(server)
    now_ms = int(server.clock.now() * 1000)
    await server.sessions.mute(agent.session_id, "ada", muted=True, timestamp_ms=now_ms)
    before = await agent.now()
    server.clock.advance(60)
    said = {"text": "psst", "final": True, "turn": 1}
    await by(agent, "user.speech", {"speaking": True}, 3)
    await by(agent, "transcript", {"role": "user", **said}, 4)
    await by(agent, "user.gesture", {"waves": True}, 5)
    after = await agent.now()
    assert (after.last_seq, after.last_activity_at) == (before.last_seq, before.last_activity_at)
    assert after.report_seq == 5
    assert counted(server, "greenroom_reports_total", outcome="muted", way=way) == 3
    await by(agent, "app", {"type": "app.x", "data": {"value": "shown"}}, 6)
    await by(agent, "transcript", {"role": "assistant", **said}, 7)
    assert (await agent.now()).last_seq == before.last_seq + 2, "the assistant may go on"


@BOTH
async def test_a_kind_that_only_a_newer_bot_knows_is_kept_and_passed_on(
    server: House, by: By, way: str
) -> None:
    agent = await Agent.in_a_call(server)
    await by(agent, "user.gesture", {"waves": True}, 3)
    await by(agent, "user.film", {"frames": "x" * 20_000}, 4)
    await by(agent, "app", {"type": "app.x", "data": {"value": "still there"}}, 5)
    assert (await agent.events())[-3:] == [
        ("voice.bot.unknown", {"kind": "user.gesture", "data": {"waves": True}}),
        ("voice.bot.unknown", {"kind": "user.film"}),
        ("app.x", {"value": "still there"}),
    ]
    assert counted(server, "greenroom_reports_total", outcome="applied", way=way) >= 3


async def test_what_comes_post_mortem_is_counted_and_changes_nothing(server: House) -> None:
    agent = await Agent.in_a_call(server)
    await agent.end()
    before = await agent.events()
    answer = await agent.post(app(3), {"seq": 4, "kind": "farewell", "data": {"heard": True}})
    assert outcomes(answer) == ["ignored", "ignored"]
    assert answer.json()["ended"] is True
    assert (await agent.now()).report_seq == 4
    late = await agent.post(app(9))
    assert (outcomes(late), late.json()["ended"]) == (["gap"], True), "nobody waits for it now"
    assert await agent.events() == before


async def test_while_a_session_ends_its_bot_is_told_and_its_last_words_are_kept(
    server: House,
) -> None:
    agent = await Agent.in_a_call(server)
    answer = await agent.post({"seq": 3, "kind": "farewell", "data": {"heard": True}})
    assert (outcomes(answer), answer.json()["ended"]) == (["applied"], True)
    words = {"role": "assistant", "text": "Bye.", "final": True, "turn": 9}
    assert outcomes(await agent.post({"seq": 4, "kind": "transcript", "data": words})) == [
        "applied"
    ]


# ---- too much, too slow, nobody there


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    return replace(plan, rates={Rate.REPORTS: 600})


async def test_one_launch_that_reports_too_much_is_told_when_to_come_back(server: House) -> None:
    agent, other = await Agent.in_a_call(server), await Agent.in_a_call(server, "bob")
    server.parts.rates.take(Rate.REPORTS, agent.launch_id, 600 - len(JOINED))
    refused = await agent.post(*(app(seq) for seq in range(3, 103)))
    assert refusal(refused) == (429, "rate_limited")
    assert 9 <= int(refused.headers["Retry-After"]) <= 10
    assert (await agent.now()).report_seq == 2
    assert outcomes(await other.post(app(3))) == ["applied"]


async def test_a_forger_cannot_use_up_what_a_launch_may_say(server: House) -> None:
    agent = await Agent.in_a_call(server)
    for _ in range(3):
        await agent.send("{}", agent.headers("another body"))
    server.parts.rates.take(Rate.REPORTS, agent.launch_id, 600 - len(JOINED))


async def test_a_store_that_is_away_is_told_and_nothing_is_lost(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await Agent.in_a_call(server)

    async def away(*args: object, **kwargs: object) -> None:
        raise Unavailable("The database does not answer. Try again in a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(server.parts.store, "commit", away)
        refused = await agent.post(app(3, "a"))
    assert refusal(refused) == (503, "unavailable")
    assert "Retry-After" in refused.headers
    assert outcomes(await agent.post(app(3, "a"))) == ["applied"]
    assert await agent.values() == ["a"]


async def test_what_nobody_expected_is_logged_with_its_session(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await Agent.in_a_call(server)

    async def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(server.parts.store, "commit", broken)
    with capture_logs() as logs:
        answer = await agent.post(app(3))
    assert refusal(answer) == (500, "internal")
    (uncaught,) = [log for log in logs if log["event"] == "api.uncaught"]
    assert (uncaught["session"], uncaught["launch"]) == (agent.session_id, agent.launch_id)


async def raw(house: House, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = house.address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    await writer.drain()
    return reader, writer


UNFINISHED = "POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"


async def test_a_body_that_never_comes_is_not_waited_for(
    server: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BODY_WITHIN_S", 0.05)
    reader, writer = await raw(server, UNFINISHED)
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        await reader.readuntil(b'"code":"too_slow"')
    writer.close()
    await writer.wait_closed()


async def test_a_connection_that_breaks_is_no_mistake_of_ours(server: House) -> None:
    refused = server.parts.metrics.webhooks_refused.labels(code="bad_request")
    _, writer = await raw(server, UNFINISHED)
    writer.transport.abort()
    await server.until_true(lambda: refused._value.get() == 1)
    assert counted(server, "greenroom_uncaught_errors_total", place="api") == 0


# ---- what is told of it


async def test_neither_words_nor_secrets_are_logged(server: House) -> None:
    agent = await Agent.in_a_call(server)
    said = {"role": "user", "text": PRIVATE, "final": True, "turn": 1}
    with capture_logs() as logs:
        await agent.post({"seq": 3, "kind": "transcript", "data": said})
        await agent.post({"seq": 4, "kind": PRIVATE, "data": {PRIVATE: float("nan")}})
        await agent.post({"seq": 9, "kind": "transcript", "data": said})
    keyring = server.parts.keyring
    secrets = (keyring.launch_secret(agent.launch_id), keyring.webhook_secret(agent.launch_id))
    assert not any(text in str(logs) for text in (PRIVATE, *secrets))
    with capture_logs() as forged:
        await agent.send("{}", {"X-Greenroom-Launch": PRIVATE})
    assert forged == [
        {"event": "webhook.refused", "log_level": "info", "code": "bad_signature", "launch": None}
    ]
    refused = [log for log in logs if log["event"] == "webhook.refused"]
    assert [(log["code"], log["session"]) for log in refused] == [
        ("report_gap", agent.session_id),
    ]


async def test_the_door_is_described(server: House) -> None:
    async with server.client() as client:
        described = (await client.get("/openapi.json")).json()["paths"]["/webhook"]["post"]
    one, several = described["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert set(one["required"]) == {"seq", "atMs", "kind"}
    assert several["properties"]["reports"]["items"] == one
    assert {"200", "400", "401", "409", "410", "413", "429"} <= set(described["responses"])
    assert "$defs" not in json.dumps(described)


async def test_the_documents_program_reports(server: House) -> None:
    server.clock.advance(time.time() - server.clock.now())
    agent = await Agent.launched(server)
    text = (Path(__file__).parents[2] / "docs/webhooks-in.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    secret = server.parts.keyring.launch_secret(agent.launch_id)
    told = [{"atMs": 0, **report} for report in JOINED]
    answer = await asyncio.to_thread(names["report"], server.address, agent.launch_id, secret, told)
    assert (answer["reportSeq"], answer["ended"]) == (2, False)
    assert (await agent.now()).stage is Stage.ACTIVE


def test_the_secret_is_a_keys_worth_of_standard_webhooks(house: House) -> None:
    """Anybody can derive it from the launch's secret, as the document says."""
    launch = house.parts.keyring.launch_secret("lau_1")
    key = hmac.new(launch.encode(), b"webhook", hashlib.sha256).digest()
    right = "whsec_" + base64.b64encode(key).decode()
    assert house.parts.keyring.webhook_secret("lau_1") == right
    assert house.parts.keyring.webhook_secret("lau_2") != right
