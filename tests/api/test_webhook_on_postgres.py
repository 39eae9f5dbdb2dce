"""Reports by webhook on PostgreSQL: the same answers, also to what only one database could keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from greenroom.ports.store import Store
from greenroom.store.postgres import PostgresDatabase
from tests.api.test_webhook import JOINED, Agent, app, outcomes
from tests.conftest import House


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    opened = await PostgresDatabase(postgres_url).open()
    yield opened
    await opened.close()


async def test_what_a_database_cannot_keep_is_malformed_on_either(server: House) -> None:
    agent = await Agent.in_a_call(server)
    answer = await agent.post(
        {"seq": 3, "kind": "app", "data": {"type": "app.\0", "data": {}}},
        {"seq": 4, "kind": "user.left", "data": {"participant": "\0"}},
        app(5, float("nan")),
        {"seq": 6, "kind": "user.gesture", "data": {"size": float("inf")}},
        {"seq": 7, "kind": "user.\0", "data": {"\0": "\0"}},
        app(8, "\0"),
        app(9, 10**4_000),
    )
    assert outcomes(answer) == ["malformed"] * 4 + ["applied"] * 3
    assert await agent.values() == ["\0", 10**4_000]


async def test_many_messages_at_once_are_each_on_record_once(server: House) -> None:
    agent = await Agent.launched(server)
    same = [agent.post(*JOINED, *(app(seq, seq) for seq in range(3, 13))) for _ in range(8)]
    answers = await asyncio.gather(*same)
    assert {answer.json()["reportSeq"] for answer in answers} == {12}
    assert await agent.values() == list(range(3, 13))
