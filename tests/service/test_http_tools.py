"""HTTP tools: real servers on loopback that answer, refuse, hang, and say too much."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from greenroom import assembly
from greenroom.errors import BadRecord
from greenroom.outbound.sender import HttpSender
from greenroom.ports.store import Store
from greenroom.service import policies
from greenroom.service.http_tools import ToolServers
from greenroom.service.policies import Outside, Policy
from greenroom.wire.tools import MAX_RESULT_BYTES
from tests.conftest import House, a_house
from tests.listening import OLD_SECRET, SECRET, listening
from tests.service.test_tools import settled, talk, told

Answers = Callable[[], Awaitable[Response]]


@dataclass
class Far:
    """The far side: verifies each call's signature by the library, and answers as it is told."""

    port: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    answers: list[Response | Answers] = field(default_factory=list)

    @property
    def tool(self) -> dict[str, Any]:
        """As a record has it."""
        return {"name": "find", "kind": "http", "settings": {"url": self.url}}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/find?of=mine"

    def say(self, said: Any, status: int = 200, **headers: str) -> None:
        """What to answer next: JSON, or bytes as they are."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.answers.append(Response(body, status, headers))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        for secret in (SECRET, OLD_SECRET):
            Webhook(secret).verify(body, dict(request.headers))
        self.calls.append(json.loads(body))
        self.ids.append(request.headers["webhook-id"])
        answer = self.answers.pop(0)
        response = answer if isinstance(answer, Response) else await answer()
        await response(scope, receive, send)


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    far = Far()
    async with listening(far) as far.port:
        yield far


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a second try."""
    quick = Policy(60.0, attempts=3, first_wait_s=0.001, most_wait_s=0.01, jitter_s=0.001)
    monkeypatch.setitem(policies.POLICIES, Outside.ASK_TOOL, quick)


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    return replace(plan, tool_servers=ToolServers((SecretStr(SECRET), SecretStr(OLD_SECRET))))


@asynccontextmanager
async def a_sender(*allowed: str) -> AsyncIterator[HttpSender]:
    sender = HttpSender(allowed)
    yield sender
    await sender.close()


@pytest.fixture
async def house(store: Store, plan: assembly.Plan) -> AsyncIterator[House]:
    """A house whose tools may call this machine."""
    async with a_sender("127.0.0.1") as sender, a_house(store, plan, tool_sender=sender) as made:
        # Signatures are good for minutes, and the far side looks at the clock on the wall.
        made.clock.advance(time.time() - made.clock.now())
        yield made


async def test_a_call_is_posted_signed_and_its_result_taken(house: House, far: Far) -> None:
    session_id = await talk(house, far.tool)
    far.say({"result": {"parcels": ["one", None]}})
    answer = await told(house, session_id, "c1", "find", "find", number=7)
    assert answer == {
        "toolCallId": "c1",
        "by": "server",
        "result": {"parcels": ["one", None]},
        "refused": False,
    }
    assert far.calls == [
        {
            "toolCallId": "c1",
            "name": "find",
            "arguments": {"number": 7},
            "sessionId": session_id,
            "userId": "ada",
            "tenant": "default",
            "assistant": "mary",
        }
    ]
    assert far.ids == [f"{session_id}_c1"]


async def test_a_tool_of_ones_own_may_have_a_built_in_tools_name(house: House, far: Far) -> None:
    session_id = await talk(house, {**far.tool, "name": "end_call"})
    far.say("ended")
    answer = await told(house, session_id, "c1", "end_call", "end_call", why="enough")
    assert answer["result"] == "ended"
    assert far.calls[0]["arguments"] == {"why": "enough"}


@pytest.mark.parametrize(
    ("said", "status", "result"),
    [([1, 2], 200, [1, 2]), ("yes", 200, "yes"), ({"a": 1}, 201, {"a": 1}), (b"", 204, None)],
)
async def test_any_json_is_a_result(
    house: House, far: Far, said: Any, status: int, result: Any
) -> None:
    session_id = await talk(house, far.tool)
    far.say(said, status)
    answer = await told(house, session_id, "c1", "find", "find")
    assert answer.get("result") == result
    assert "error" not in answer


_DEEP = b"[" * 400 + b"]" * 400
# Still written, and read by no bot.
_TOO_DEEP = b"[" * 220 + b"]" * 220


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ({"error": "There is no such parcel."}, 200, "There is no such parcel."),
        ({"error": "There is no such parcel."}, 404, "There is no such parcel."),
        ({"error": {"code": 7}}, 200, '{"code": 7}'),
        ({"error": "x" * 9_000}, 200, "x" * 500),
        (b'{"error": "half \\ud800"}', 200, "half ?"),
        ({"error": ""}, 200, "The tool failed without a word."),
        (b"<html>", 200, "The tool's answer is no JSON."),
        (b"<html>", 500, "The tool answered with status 500."),
        ({"parcels": []}, 403, "The tool answered with status 403."),
        (b"NaN", 200, "The tool's answer is no JSON."),
        (b"\xff\xfe", 200, "The tool's answer is no JSON."),
        (b'"\\ud800"', 200, "The tool answered what JSON does not carry."),
        (_DEEP, 200, "The tool answered what JSON does not carry."),
        (_TOO_DEEP, 200, "The tool answered what JSON does not carry."),
        (b"[" * 30_000, 200, "The tool's answer is no JSON."),
        ("x" * (MAX_RESULT_BYTES + 1), 200, "The tool answered more than 32768 bytes."),
        ("x" * 10_000_000, 200, "The tool answered more than 32768 bytes."),
        (b"", 302, "The tool answered with status 302."),
    ],
)
async def test_what_is_no_result_is_told_as_an_error(
    house: House, far: Far, said: Any, status: int, error: str
) -> None:
    session_id = await talk(house, far.tool)
    far.say(said, status, location="http://127.0.0.1:1/elsewhere")
    answer = await told(house, session_id, "c1", "find", "find")
    assert (answer["error"], answer["refused"]) == (error, False)
    assert len(far.calls) == 1


@pytest.mark.parametrize(
    ("properties", "arguments", "wrong"),
    [
        ({"n": {"type": "integer"}}, {"n": "seven"}, "n: 'seven' is not of type 'integer'"),
        ({"n": {"items": {"maximum": 3}}}, {"n": [1, 9]}, "n[1]: 9 is greater than the maximum"),
        ({}, {"m": 1}, "Additional properties are not allowed"),
        ({"n": {"$ref": "#/nowhere"}}, {"n": 1}, "the tool's schema refers to what is not in it"),
        (
            {"n": {"$ref": "http://127.0.0.1:1/schema"}},
            {"n": 1},
            "the tool's schema refers to what is not in it",
        ),
    ],
)
async def test_arguments_that_do_not_match_are_refused_and_nothing_is_called(
    house: House, far: Far, properties: dict[str, Any], arguments: dict[str, Any], wrong: str
) -> None:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    session_id = await talk(house, {**far.tool, "parameters": schema})
    answer = await told(house, session_id, "c1", "find", "find", **arguments)
    assert answer["refused"]
    assert wrong in answer["error"]
    assert far.calls == []


async def test_who_is_away_for_a_moment_is_asked_again_under_the_same_id(
    house: House, far: Far
) -> None:
    session_id = await talk(house, far.tool)
    far.say(b"", 503)
    far.say(b"", 429)
    far.say({"result": 3})
    answer = await told(house, session_id, "c1", "find", "find")
    assert answer["result"] == 3
    assert far.ids == [f"{session_id}_c1"] * 3


async def test_who_stays_away_is_told_as_that(house: House, far: Far) -> None:
    session_id = await talk(house, far.tool)
    for _ in range(3):
        far.say(b"", 503)
    answer = await told(house, session_id, "c1", "find", "find")
    assert answer["error"] == "The tool is not available now (status 503)."


async def test_who_never_answers_is_given_up_after_the_tools_own_time(
    house: House, far: Far
) -> None:
    session_id = await talk(house, {**far.tool, "timeoutS": 0.2})
    never = asyncio.Event()

    async def hang() -> Response:
        await never.wait()
        return Response(b"")

    far.answers.append(hang)
    answer = await told(house, session_id, "c1", "find", "find")
    assert (answer["error"], answer["refused"]) == ("The tool did not answer in time.", False)
    await settled(house)
    never.set()


async def test_an_address_of_the_servers_own_network_is_not_called(
    store: Store, plan: assembly.Plan, far: Far
) -> None:
    """FAILURES 29. Only the log says which address it was."""
    names = {"tool.example": ["127.0.0.1"]}

    async def resolve(host: str, port: int) -> list[str]:
        return names[host]

    sender = HttpSender([], resolve=resolve, setting="GREENROOM_TOOLS_ALLOW")
    async with a_house(store, plan, tool_sender=sender) as house:
        tool = {**far.tool, "settings": {"url": f"http://tool.example:{far.port}/find"}}
        session_id = await talk(house, tool)
        with capture_logs() as logs:
            answer = await told(house, session_id, "c1", "find", "find")
    await sender.close()
    assert answer["error"] == "The tool's address could not be reached."
    assert far.calls == []
    (why, *_) = [line["error"] for line in logs if line["event"] == "tool.unreachable"]
    assert "127.0.0.1, which is not a public address" in why
    assert "GREENROOM_TOOLS_ALLOW" in why


async def test_without_a_secret_no_tool_is_published_and_none_is_called(
    store: Store, plan: assembly.Plan, far: Far
) -> None:
    async with a_sender("127.0.0.1") as sender:
        async with a_house(store, plan, tool_sender=sender) as house:
            session_id = await talk(house, far.tool)
        bare = replace(plan, tool_servers=ToolServers())
        async with a_house(store, bare, tool_sender=sender) as house:
            answer = await told(house, session_id, "c1", "find", "find")
            assert answer["refused"]
            with pytest.raises(BadRecord, match=r"tools\[0\].kind: needs GREENROOM_TOOLS_SECRET"):
                await talk(house, far.tool, user="bob")
    assert far.calls == []


async def test_where_it_may_not_call_no_tool_is_published(
    store: Store, plan: assembly.Plan, far: Far
) -> None:
    servers = replace(plan.tool_servers, problem_of=lambda url: f"{url[:4]} is not https")
    async with a_house(store, replace(plan, tool_servers=servers)) as house:
        with pytest.raises(BadRecord, match=r"tools\[0\].settings.url: http is not https"):
            await talk(house, far.tool)


async def test_neither_arguments_nor_results_are_logged(house: House, far: Far) -> None:
    session_id = await talk(house, far.tool)
    far.say({"result": "the answer is private"})
    with capture_logs() as logs:
        await told(house, session_id, "c1", "find", "find", secret="as is the question")
        await settled(house)
    (line,) = [line for line in logs if line["event"] == "tool.answered"]
    assert (line["tool"], line["outcome"]) == ("find", "ok")
    assert "private" not in repr(logs)
    assert "as is the question" not in repr(logs)
