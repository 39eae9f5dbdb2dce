"""Money over HTTP: on the session, before it, and afterwards; one's own and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom import assembly
from greenroom.pricelist import read_price_list
from greenroom.service.purse import Money
from greenroom.session.budgets import BudgetKind, Budgets
from greenroom.session.model import Stage
from greenroom.session.policy import day_of
from greenroom.wire.link import ReportKind
from tests.api.fakebot import FakeBot
from tests.api.test_operators import operator
from tests.api.test_voice import a_call
from tests.conftest import House


@pytest.fixture
def plan(plan: assembly.Plan) -> assembly.Plan:
    """The example's prices, for an assistant that has none of its own."""
    assistants = [replace(plan.assistants[0], name="grand")]
    budgets = Budgets({BudgetKind.USER_DAY: 2_000_000})
    return replace(plan, assistants=assistants, money=Money(read_price_list(None), budgets))


async def speaks(bot: FakeBot, characters: float) -> None:
    await bot.report(ReportKind.USAGE, component="tts", quantity=characters, unit="characters")


async def test_an_estimate_before_the_start(server: House) -> None:
    async with server.client() as client:
        told = (await client.get("/api/voice/estimate", params={"minutes": 60})).json()
        assert told == {
            "assistant": "grand",
            "minutes": 60.0,
            "cost": {
                "usd": 1.41,
                "components": {
                    "container": 0.1, "llm": 0.6, "room": 0.05, "stt": 0.36, "tts": 0.3,
                },
                "unpriced": [],
            },
            "pricesAsOf": "2026-11-01",
        }  # fmt: skip
        for minutes in ("0", "-1", "nan", "inf", "1e9"):
            refused = await client.get(f"/api/voice/estimate?minutes={minutes}")
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


async def test_a_session_says_what_it_costs_and_of_what(server: House) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        assert body["session"]["cost"] == {"usd": 0.0, "components": {}, "unpriced": []}
        await speaks(bot, 1000)
        await bot.report(ReportKind.USAGE, component="fax", quantity=1, unit="pages")
        server.clock.advance(36)
        await server.timekeeper.tick()
        session_id = body["session"]["sessionId"]
        got = (await client.get(f"/api/voice/session/{session_id}")).json()
        assert got["cost"] == {
            "usd": 0.0165,
            "components": {"container": 0.001, "fax": 0.0, "room": 0.0005, "tts": 0.015},
            "unpriced": ["fax.pages"],
        }
        await bot.close()


@pytest.mark.parametrize("quantity", [-1.0, 1e9, "12", None, True])
async def test_usage_that_cannot_be_is_recorded_and_costs_nothing(
    server: House, quantity: object
) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        await bot.report(ReportKind.USAGE, component="tts", quantity=quantity, unit="characters")
        await bot.report(ReportKind.USAGE, component="room", quantity=1, unit="seconds")
        session = await server.session(body["session"]["sessionId"])
        assert session.meter.quantities == {}
        assert session.report_seq == 4, "and what follows is heard"
        malformed = server.parts.metrics.reports.labels(outcome="malformed", way="link")
        assert malformed._value.get() == 2
        await bot.close()


async def test_everybody_sees_what_they_have_spent_themselves(server: House) -> None:
    async with server.client() as client, server.client() as other:
        _, bot = await a_call(server, client)
        await speaks(bot, 2000)
        mine = (await client.get("/api/voice/cost")).json()
        assert mine["budgetUsd"] == 2.0
        assert mine["cost"]["usd"] == 0.03
        assert [(day["day"], day["cost"]["usd"]) for day in mine["days"]] == [("2027-01-15", 0.03)]
        theirs = (await other.get("/api/voice/cost")).json()
        assert (theirs["cost"]["usd"], theirs["days"]) == (0.0, [])
        await bot.close()


async def test_a_spent_budget_ends_the_call_and_refuses_the_next_until_midnight(
    server: House,
) -> None:
    async with server.client() as client:
        body, bot = await a_call(server, client)
        await speaks(bot, 200_000)
        await bot.close()
        session = await server.session(body["session"]["sessionId"])
        assert session.stage is Stage.ENDING
        refused = await client.post("/api/voice/session", json={})
        assert refused.status_code == 429
        told = refused.json()
        assert told["code"] == "budget_spent"
        assert told["facts"] == {"budget": "user_day", "spentUsd": 3.0, "limitUsd": 2.0}
        assert "midnight" in told["message"]
        assert int(refused.headers["retry-after"]) >= day_of(server.clock.now())[1]


async def test_an_operator_sees_what_all_have_spent(server: House) -> None:
    async with server.client() as client, operator(server) as ops:
        body, bot = await a_call(server, client)
        await speaks(bot, 2000)
        user_id = (await server.session(body["session"]["sessionId"])).user_id
        told = (await ops.get("/api/operator/cost?by=user")).json()
        cost = {"usd": 0.03, "components": {"tts": 0.03}, "unpriced": []}
        assert told == {"by": "user", "cost": cost, "rows": [{"name": user_id, "cost": cost}]}
        lines = (await ops.get("/api/operator/sessions")).json()["sessions"]
        assert [line["costUsd"] for line in lines] == [0.03]
        assert (await ops.get("/api/operator/cost?by=colour")).status_code == 400
        await bot.close()
