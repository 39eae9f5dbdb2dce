"""Every operation of ``/openapi.json``, asked well and badly by everybody.

Schemathesis makes requests that the description allows and such as it forbids. Each answer must be
one that the description knows: its status, its headers, its body, and of a refusal its code.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from greenroom.api.app import Parts, build_app
from greenroom.rooms.local import LocalRooms
from greenroom.testing.clock import FakeClock
from tests.conftest import House
from tests.fuzz.conftest import examples
from tests.fuzz.world import ANSWER_WITHIN_S, ASKING, NAMED, World, a_world

Operation = APIOperation[Any, Any, Any, Any]
Case = schemathesis.Case[Any]

CHECKS: list[Any] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# Of a house its doors need no more than the time and the kind of its rooms to be described.
NOTHING: dict[str, Any] = {
    **dict.fromkeys(Parts.__dataclass_fields__, ()),
    "clock": FakeClock(0.0),
    "rooms": LocalRooms([], allow_loopback=True),
}
DESCRIBED = build_app(Parts(**NOTHING)).openapi()
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
# A house for each handful of them.
HANDFULS = [OPERATIONS[first : first + 5] for first in range(0, len(OPERATIONS), 5)]
SHAPE = {"code", "message", "detail", "retryable", "facts"}
# What Pipecat Cloud's clients look for in theirs, and VAPI's.
SHAPE_OF_V1 = SHAPE | {"error", "reason"}
SHAPE_OF_CALLS = SHAPE | {"error", "statusCode"}
OF_OPERATORS = ("/api/operator", "/api/emergency")
# What is no route of ours, and what is but for a character.
ODD_PATHS = st.text(max_size=12) | st.sampled_from(
    [
        "/%00",
        "/..%2f..%2fetc",
        "//",
        "/assets/",
        "/client",
        "/docs/",
        "/openapi.json",
        "/ws",
        "/link",
    ]
)
HEADERS = st.sampled_from(
    [
        *("Authorization", "Cookie", "X-Greenroom-User", "X-Greenroom-Tenant", "Traceparent"),
        *("Origin", "Accept", "Content-Type", "X-Forwarded-For", "Expect"),
    ]
)
VALUES = st.binary(max_size=24) | st.sampled_from(
    [b"Bearer gr_x", b"Bearer a.b.c", b"greenroom_visitor=a.b.c", b"http://["]
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


def shape_of(path: str) -> set[str]:
    """What a refusal at this path may hold."""
    if path.startswith("/v1/"):
        return SHAPE_OF_V1
    return SHAPE_OF_CALLS if path.startswith("/call") else SHAPE


@pytest.fixture
async def world(server: House) -> AsyncIterator[World]:
    async with a_world(server) as world:
        yield world


@pytest.mark.parametrize("operations", HANDFULS, ids=lambda some: some[0].label)
@examples(14)
@given(data=st.data())
async def test_every_answer_is_one_that_the_description_knows(
    world: World, operations: list[Operation], data: st.DataObject
) -> None:
    await world.settle()
    case = data.draw(_cases(data.draw(st.sampled_from(operations))))
    _name_a_session(case, data.draw(st.sampled_from((*NAMED, None))), world)
    right = "operator" if case.path.startswith(OF_OPERATORS) else "server"
    headers = world.credentials[data.draw(st.sampled_from(ASKING) | st.just(right))]
    before = await world.unended()
    answer = await _sent(world, case, headers)
    world.judge(answer)
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400:
        assert await world.unended() <= before, "what was refused has begun nothing"


@examples(60)
@given(
    method=METHODS,
    path=ODD_PATHS | st.sampled_from([operation.path for operation in OPERATIONS]),
    headers=st.dictionaries(HEADERS, VALUES, max_size=3),
)
async def test_what_is_no_operation_is_refused_in_the_one_shape(
    world: World, method: str, path: str, headers: dict[str, bytes]
) -> None:
    answer = await _sent_by_hand(world, method, path, headers)
    world.judge(answer)
    by_the_server = answer.text == "Invalid HTTP request received."  # it never came to us
    if answer.status_code >= 400 and method != "HEAD" and not by_the_server:
        assert set(answer.json()) <= shape_of(path), answer.text


async def _sent_by_hand(
    world: World, method: str, path: str, headers: dict[str, bytes]
) -> httpx.Response:
    """Send what no client would, and read until the connection ends."""
    host, _, port = world.house.address.removeprefix("http://").partition(":")
    target = "/" + quote(path.removeprefix("/"), safe="/%{}")
    # A line break would end the header.
    lines = [
        name.encode() + b": " + re.sub(rb"[\r\n]", b"", value) for name, value in headers.items()
    ]
    first = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    async with asyncio.timeout(ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(first.encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    status = int(head.split(b" ", 2)[1])
    # Of its headers only the text is looked at; what body comes is not encoded.
    told = {"x-head": head.decode("latin-1").replace("\r\n", " | ")}
    return httpx.Response(
        status, headers=told, content=body, request=httpx.Request(method, world.house.address)
    )


@st.composite
def _cases(draw: st.DrawFn, operation: Operation) -> Case:
    """A request that the description allows, or one that it forbids if it forbids anything."""
    may_be_wrong = operation.body or operation.query
    modes = [mode for mode in schemathesis.GenerationMode if mode.is_positive or may_be_wrong]
    case: Case = draw(operation.as_strategy(draw(st.sampled_from(modes))))
    return case


def _name_a_session(case: Case, name: str | None, world: World) -> None:
    """Let a request be about a session that there is, where it names one."""
    if name is None:
        return
    session_id = world.sessions[name]
    if "session_id" in case.path_parameters:
        case.path_parameters["session_id"] = session_id
    if isinstance(case.body, dict) and "sessionId" in case.body:
        case.body["sessionId"] = session_id
    if isinstance(case.body, dict) and "pc_id" in case.body:
        case.body["pc_id"] = f"{session_id}.{'0' * 24}.{'0' * 24}"


async def _sent(world: World, case: Case, headers: dict[str, str]) -> httpx.Response:
    """Send a request as Schemathesis would, over a connection of this loop."""
    kwargs = case.as_transport_kwargs(base_url=world.house.address)
    kwargs["headers"] = {**kwargs["headers"], **headers}
    ready = requests.Request(**kwargs).prepare()
    assert ready.method
    assert ready.url
    assert ready.body is None or isinstance(ready.body, str | bytes)
    told = [(name, str(value)) for name, value in ready.headers.items()]
    async with world.house.client() as client, asyncio.timeout(ANSWER_WITHIN_S):
        return await client.request(ready.method, ready.url, headers=told, content=ready.body)
